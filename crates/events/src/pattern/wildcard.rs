//! `*` in a text stands for any number of characters; `\*` and `\\` for themselves.

/// A text with stars: what must stand between them, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wildcard {
    /// The literal pieces; between two neighbours stands a star.
    pieces: Vec<String>,
}

impl Wildcard {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = vec![String::new()];
        let mut after_star = false;
        let mut chars = text.chars().enumerate();
        while let Some((at, char)) = chars.next() {
            if char == '*' {
                if after_star {
                    return Err(format!("Consecutive wildcard characters at pos {}", at - 1));
                }
                pieces.push(String::new());
            }
            after_star = char == '*';
            let literal = match char {
                '*' => continue,
                '\\' => match chars.next() {
                    Some((_, escaped @ ('*' | '\\'))) => escaped,
                    _ => return Err(format!("Invalid escape character at pos {at}")),
                },
                other => other,
            };
            if let Some(piece) = pieces.last_mut() {
                piece.push(literal);
            }
        }
        Ok(Self { pieces })
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.pieces.as_slice() else {
            return self.pieces.first().is_some_and(|only| only == text);
        };
        let Some(rest) = text.strip_prefix(first.as_str()).and_then(|rest| rest.strip_suffix(last.as_str()))
        else {
            return false;
        };
        // The earliest place for each piece leaves the most room for those after it.
        let mut rest = rest;
        for piece in middle {
            let Some(at) = rest.find(piece.as_str()) else { return false };
            rest = rest.get(at + piece.len()..).unwrap_or_default();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_and_last_piece_may_not_overlap() {
        let wildcard = Wildcard::parse("ab*ba").unwrap();
        assert!(wildcard.matches("abba"));
        assert!(!wildcard.matches("aba"));
        assert!(wildcard.matches("ab anything ba"));
        assert!(Wildcard::parse("plain").unwrap().matches("plain"));
        assert!(!Wildcard::parse("plain").unwrap().matches("plainer"));
        assert!(Wildcard::parse(r"a\\*").unwrap().matches(r"a\b"));
    }
}
