//! Says what is wrong with a text that is not JSON, in the words of the reader that AWS uses (Jackson).
//!
//! It runs only after the real reader has refused a text, keeps its own stack of open brackets instead of recursing,
//! and builds no values. What the reader refuses although it is JSON (a number beyond doubles, too deep a nesting) it
//! names by the reader's own fault.

use super::error::{JsonError, location};
use super::read::{DEPTH_MAX, Fault};

pub(super) fn diagnose(text: &str, fault: Fault) -> JsonError {
    let mut scanner = Scanner { text, rest: text, line: 1, column: 1, open: Vec::new() };
    let (message, at) = match fault {
        Fault::Syntax => match scanner.document() {
            Err(complaint) => return JsonError::new(complaint, scanner.line, scanner.column),
            Ok(()) => ("Invalid JSON".into(), text.len()),
        },
        Fault::TooDeep { at } => {
            let depth = DEPTH_MAX + 1;
            (format!("Document nesting depth ({depth}) exceeds the maximum allowed ({DEPTH_MAX})"), at)
        }
        Fault::TooLarge { at } => ("Invalid JSON: number out of range".into(), at),
    };
    let (line, column) = text[..at].chars().fold((1, 1), |(line, column), character| match character {
        '\n' => (line + 1, 1),
        _ => (line, column + character.len_utf16()),
    });
    JsonError::new(message, line, column)
}

/// What AWS's reader lists as the values it could have taken.
const VALUES: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

/// How much of an unknown token is quoted; AWS's reader cuts here too.
const TOKEN_MAX: usize = 256;

/// The first complaint ends the scan.
type Complaint = String;

/// A bracket that awaits its partner, and where it stands.
struct Open {
    bracket: char,
    line: usize,
    column: usize,
}

impl Open {
    fn name(&self) -> &'static str {
        if self.bracket == '{' { "Object" } else { "Array" }
    }

    fn partner(&self) -> char {
        if self.bracket == '{' { '}' } else { ']' }
    }
}

struct Scanner<'a> {
    text: &'a str,
    rest: &'a str,
    line: usize,
    column: usize,
    open: Vec<Open>,
}

impl Scanner<'_> {
    /// One value and nothing behind it.
    fn document(&mut self) -> Result<(), Complaint> {
        let Some(first) = self.next_visible() else {
            return Err("No content to map due to end-of-input".into());
        };
        self.value(first)?;
        while let Some(open) = self.open.last() {
            let (bracket, partner, name) = (open.bracket, open.partner(), open.name());
            match self.next_visible().ok_or_else(|| self.unclosed())? {
                ',' => self.entry(bracket)?,
                close if close == partner => {
                    self.open.pop();
                }
                close @ (']' | '}') => return Err(self.mismatched(close)),
                other => {
                    return Err(unexpected(
                        other,
                        &format!("was expecting comma to separate {name} entries"),
                    ));
                }
            }
        }
        match self.next_visible() {
            None => Ok(()),
            Some(more) => {
                self.value(more)?;
                Err("Trailing token found after the value".into())
            }
        }
    }

    /// What follows a comma: an item, or a name and its value.
    fn entry(&mut self, bracket: char) -> Result<(), Complaint> {
        let first = self.next_visible().ok_or_else(|| self.between())?;
        if bracket == '{' { self.member(first) } else { self.value(first) }
    }

    fn member(&mut self, first: char) -> Result<(), Complaint> {
        if first != '"' {
            return Err(unexpected(first, "was expecting double-quote to start field name"));
        }
        self.string("name")?;
        match self.next_visible().ok_or_else(|| self.between())? {
            ':' => {}
            other => return Err(unexpected(other, "was expecting a colon to separate field name and value")),
        }
        let value = self.next_visible().ok_or_else(|| self.between())?;
        self.value(value)
    }

    /// A scalar entirely, or the opening of an array or object up to its first entry's end.
    ///
    /// Descending is a loop over `[[[`: an opening bracket pushes and looks at its first entry.
    fn value(&mut self, first: char) -> Result<(), Complaint> {
        let mut first = first;
        loop {
            match first {
                '{' | '[' => self.open(first),
                _ => return self.scalar(first),
            }
            let entry = self.next_visible().ok_or_else(|| self.unclosed())?;
            match (first, entry) {
                ('{', '}') | ('[', ']') => {
                    self.open.pop();
                    return Ok(());
                }
                (_, ']' | '}') => return Err(self.mismatched(entry)),
                ('{', '"') => {
                    self.string("name")?;
                    match self.next_visible().ok_or_else(|| self.between())? {
                        ':' => first = self.next_visible().ok_or_else(|| self.between())?,
                        other => {
                            return Err(unexpected(
                                other,
                                "was expecting a colon to separate field name and value",
                            ));
                        }
                    }
                }
                ('{', other) => {
                    return Err(unexpected(other, "was expecting double-quote to start field name"));
                }
                (_, item) => first = item,
            }
        }
    }

    fn open(&mut self, bracket: char) {
        self.open.push(Open { bracket, line: self.line, column: self.column - 1 });
    }

    fn scalar(&mut self, first: char) -> Result<(), Complaint> {
        match first {
            '"' => self.string("string value"),
            '-' | '0'..='9' => self.number(first),
            't' | 'f' | 'n' => self.literal(first),
            letter if letter.is_alphabetic() || letter == '_' || letter == '$' => {
                Err(self.unknown_token(letter))
            }
            other => Err(unexpected(other, &format!("expected a valid value {VALUES}"))),
        }
    }

    fn literal(&mut self, first: char) -> Result<(), Complaint> {
        let expected = match first {
            't' => "rue",
            'f' => "alse",
            _ => "ull",
        };
        let follows = self.rest.strip_prefix(expected);
        if follows.is_some_and(|behind| !behind.starts_with(is_token_part)) {
            for _ in expected.chars() {
                self.next();
            }
            return Ok(());
        }
        Err(self.unknown_token(first))
    }

    fn unknown_token(&mut self, first: char) -> Complaint {
        let mut token = String::from(first);
        let mut length = first.len_utf16();
        while let Some(part) = self.rest.chars().next().filter(|next| is_token_part(*next)) {
            self.next();
            token.push(part);
            length += part.len_utf16();
            if length >= TOKEN_MAX {
                token.push_str("...");
                break;
            }
        }
        format!("Unrecognized token '{token}': was expecting {VALUES}")
    }

    fn number(&mut self, first: char) -> Result<(), Complaint> {
        let mut leading = first;
        if first == '-' {
            leading = self.next().ok_or("Unexpected end-of-input in a Number value")?;
            if !leading.is_ascii_digit() {
                return Err(unexpected_in_number(
                    leading,
                    "expected digit (0-9) to follow minus sign, for valid numeric value",
                ));
            }
        }
        if leading == '0' && self.rest.starts_with(|next: char| next.is_ascii_digit()) {
            return Err("Invalid numeric value: Leading zeroes not allowed".into());
        }
        self.digits();
        if self.rest.starts_with('.') {
            self.next();
            self.required_digits("Decimal point not followed by a digit")?;
        }
        if self.rest.starts_with(['e', 'E']) {
            self.next();
            if self.rest.starts_with(['+', '-']) {
                self.next();
            }
            self.required_digits("Exponent indicator not followed by a digit")?;
        }
        match self.rest.chars().next() {
            Some(next) if self.open.is_empty() && !is_blank(next) => {
                self.next();
                Err(unexpected(next, "Expected space separating root-level values"))
            }
            _ => Ok(()),
        }
    }

    fn digits(&mut self) -> usize {
        let mut count = 0;
        while self.rest.starts_with(|next: char| next.is_ascii_digit()) {
            self.next();
            count += 1;
        }
        count
    }

    fn required_digits(&mut self, comment: &str) -> Result<(), Complaint> {
        if self.digits() > 0 {
            return Ok(());
        }
        match self.next() {
            Some(other) => Err(unexpected_in_number(other, comment)),
            None => Err("Unexpected end-of-input in a Number value".into()),
        }
    }

    /// The rest of a string whose quote was just read; `kind` is what AWS calls it.
    fn string(&mut self, kind: &str) -> Result<(), Complaint> {
        loop {
            match self.next() {
                Some('"') => return Ok(()),
                Some('\\') => self.escape()?,
                Some(control) if control < ' ' => {
                    return Err(format!(
                        "Illegal unquoted character ({}): has to be escaped using backslash to be included in {kind}",
                        described(control)
                    ));
                }
                Some(_) => {}
                None if kind == "name" => return Err("Unexpected end-of-input in field name".into()),
                None => {
                    return Err(
                        "Unexpected end-of-input: was expecting closing quote for a string value".into()
                    );
                }
            }
        }
    }

    fn escape(&mut self) -> Result<(), Complaint> {
        const CUT: &str = "Unexpected end-of-input in character escape sequence";
        match self.next().ok_or(CUT)? {
            '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' => Ok(()),
            'u' => {
                for _ in 0..4 {
                    let digit = self.next().ok_or(CUT)?;
                    if !digit.is_ascii_hexdigit() {
                        return Err(unexpected(digit, "expected a hex-digit for character escape sequence"));
                    }
                }
                Ok(())
            }
            other => Err(format!("Unrecognized character escape {}", described(other))),
        }
    }

    fn next_visible(&mut self) -> Option<char> {
        loop {
            match self.next()? {
                blank if is_blank(blank) => {}
                visible => return Some(visible),
            }
        }
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.rest = &self.rest[next.len_utf8()..];
        if next == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += next.len_utf16();
        }
        Some(next)
    }

    fn unclosed(&self) -> Complaint {
        match self.open.last() {
            Some(open) => format!(
                "Unexpected end-of-input: expected close marker for {} (start marker at {})",
                open.name(),
                location(self.text, open.line, open.column)
            ),
            None => "Unexpected end-of-input".into(),
        }
    }

    fn between(&self) -> Complaint {
        let around = self.open.last().map_or("root", Open::name);
        format!("Unexpected end-of-input within/between {around} entries")
    }

    fn mismatched(&self, close: char) -> Complaint {
        match self.open.last() {
            Some(open) => format!(
                "Unexpected close marker '{close}': expected '{}' (for {} starting at {})",
                open.partner(),
                open.name(),
                location(self.text, open.line, open.column)
            ),
            None => unexpected(close, &format!("expected a valid value {VALUES}")),
        }
    }
}

fn unexpected(character: char, comment: &str) -> Complaint {
    format!("Unexpected character ({}): {comment}", described(character))
}

fn unexpected_in_number(character: char, comment: &str) -> Complaint {
    format!("Unexpected character ({}) in numeric value: {comment}", described(character))
}

fn described(character: char) -> String {
    let code = character as u32;
    match character {
        control if control.is_control() => format!("(CTRL-CHAR, code {code})"),
        wide if code > 255 => format!("'{wide}' (code {code} / 0x{code:x})"),
        plain => format!("'{plain}' (code {code})"),
    }
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

fn is_token_part(character: char) -> bool {
    character.is_alphanumeric() || character == '_' || character == '$'
}
