//! JSON with comments and trailing commas to plain JSON of the same shape.
//!
//! Each becomes spaces, byte for byte, so that everything else keeps its offset and a place in the result is a place in
//! the source. It refuses to judge the rest: what is broken in another way stays broken in the same place.

/// The text with spaces for its comments and trailing commas.
pub(crate) fn blanked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // Where a comma was put that nothing has followed yet.
    let mut comma: Option<usize> = None;
    while let Some(next) = rest.chars().next() {
        let length = match next {
            '"' => string_length(rest),
            '/' => comment_length(rest).unwrap_or(1),
            other => other.len_utf8(),
        };
        let (piece, behind) = rest.split_at(length);
        rest = behind;
        match next {
            '/' if length > 1 => {
                blank(piece, &mut out);
                continue;
            }
            '}' | ']' => {
                if let Some(at) = comma.take() {
                    out.replace_range(at..=at, " ");
                }
            }
            ',' => {
                comma = Some(out.len());
                out.push(',');
                continue;
            }
            _ => {}
        }
        if !next.is_ascii_whitespace() {
            comma = None;
        }
        out.push_str(piece);
    }
    out
}

/// The length of the string that `text` begins with, or of all of it if the string has no end.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of the comment that `text` begins with. One without an end is none.
fn comment_length(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    let inside = text.strip_prefix("/*")?;
    inside.find("*/").map(|end| end + 4)
}

fn blank(comment: &str, out: &mut String) {
    out.extend(comment.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { byte.into() } else { ' ' }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_trailing_commas_become_blanks() {
        for (text, expected) in [
            (
                "{\"a\": 1, // one\n \"b\": [2, /* two */ ], }",
                "{\"a\": 1,       \n \"b\": [2            ]  }",
            ),
            ("[1, 2,, ]", "[1, 2,  ]"),
            ("\"// no\"", "\"// no\""),
            ("\"a\\\"// no\" // yes", "\"a\\\"// no\"       "),
            ("/* ä😀\r\n */ 1", "         \r\n    1"),
            ("/* open", "/* open"),
            ("1 / 2", "1 / 2"),
            ("\"open , ]", "\"open , ]"),
        ] {
            assert_eq!(blanked(text), expected, "of {text}");
            assert_eq!(expected.len(), text.len(), "offsets in {text}");
        }
    }
}
