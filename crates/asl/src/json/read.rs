//! Text to [`Json`]: a reader that keeps its own stack of open brackets, so that depth costs memory and not stack.
//!
//! It reads what AWS's reader (Jackson) reads, and keeps what that keeps: integers of 64 bits exactly, `-0` as `0` but
//! `-0.0` as a double, the last of members with one name at the first one's place. Half of a surrogate pair, which Java
//! can keep and UTF-8 cannot, becomes the replacement character. A number beyond doubles is refused: nothing could be
//! done with it that would not surprise.
//!
//! It refuses to word failures: when it stops, [`diagnosis`] looks again to say what AWS says. That
//! costs a second pass over broken text only. serde_json's reader was the road not taken: it recurses, and cannot tell
//! `-0` from `-0.0`.

use std::sync::Arc;

use super::{Json, JsonError, Number, Object, diagnosis};

/// How many arrays and objects may be nested in each other in a text. Jackson allows 1000; reading and writing would, too,
/// but values are also compared, dropped and walked by code that recurses, in threads with two megabytes of stack and in
/// wasm with one. A state may put one value into another before the result is refused, so that the tests hold those walks
/// at twice this depth within one megabyte, without optimisation.
pub const DEPTH_MAX: usize = 512;

pub(super) fn parse(text: &str) -> Result<Json, JsonError> {
    let mut reader = Reader { text, at: 0 };
    reader.document().map_err(|fault| diagnosis::diagnose(text, fault))
}

/// Why the reader stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The text is not JSON.
    Syntax,
    /// The bracket that ends at this byte is one too many.
    TooDeep { at: usize },
    /// The number that ends at this byte is beyond doubles.
    TooLarge { at: usize },
}

/// An array or object whose end is not read yet.
enum Open {
    Array(Vec<Json>),
    /// The members so far, and the name that the next value belongs to.
    Object(Object, Arc<str>),
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    /// One value and nothing behind it.
    fn document(&mut self) -> Result<Json, Fault> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            let mut value = match self.visible()? {
                b'[' => {
                    self.refuse_deeper(open.len())?;
                    if !self.closes(b']') {
                        open.push(Open::Array(Vec::new()));
                        continue;
                    }
                    Json::from(Vec::new())
                }
                b'{' => {
                    self.refuse_deeper(open.len())?;
                    if !self.closes(b'}') {
                        open.push(Open::Object(Object::new(), self.name()?));
                        continue;
                    }
                    Json::empty_object()
                }
                scalar => self.scalar(scalar)?,
            };
            // The value goes into what is open around it; that may be whole then, and a value itself.
            loop {
                let Some(around) = open.pop() else { return self.end().map(|()| value) };
                match around {
                    Open::Array(mut items) => {
                        items.push(value);
                        match self.visible()? {
                            b',' => {
                                open.push(Open::Array(items));
                                break;
                            }
                            b']' => value = Json::from(items),
                            _ => return Err(Fault::Syntax),
                        }
                    }
                    Open::Object(mut members, name) => {
                        members.insert(name, value);
                        match self.visible()? {
                            b',' => {
                                open.push(Open::Object(members, self.name()?));
                                break;
                            }
                            b'}' => value = Json::from(members),
                            _ => return Err(Fault::Syntax),
                        }
                    }
                }
            }
        }
    }

    fn refuse_deeper(&self, depth: usize) -> Result<(), Fault> {
        if depth < DEPTH_MAX { Ok(()) } else { Err(Fault::TooDeep { at: self.at }) }
    }

    fn end(&mut self) -> Result<(), Fault> {
        self.skip_blanks();
        if self.at == self.text.len() { Ok(()) } else { Err(Fault::Syntax) }
    }

    fn scalar(&mut self, first: u8) -> Result<Json, Fault> {
        match first {
            b'"' => self.string().map(Json::String),
            b't' => self.literal("rue", Json::Bool(true)),
            b'f' => self.literal("alse", Json::Bool(false)),
            b'n' => self.literal("ull", Json::Null),
            b'-' | b'0'..=b'9' => self.number().map(Json::Number),
            _ => Err(Fault::Syntax),
        }
    }

    fn literal(&mut self, rest: &str, value: Json) -> Result<Json, Fault> {
        if !self.rest().starts_with(rest.as_bytes()) {
            return Err(Fault::Syntax);
        }
        self.at += rest.len();
        Ok(value)
    }

    /// The number whose first byte was just read.
    fn number(&mut self) -> Result<Number, Fault> {
        let start = self.at - 1;
        let mut whole = true;
        self.at = start;
        self.takes(b'-');
        match self.digits()? {
            leading if leading.len() > 1 && leading.starts_with(b"0") => return Err(Fault::Syntax),
            _ => {}
        }
        if self.takes(b'.') {
            whole = false;
            self.digits()?;
        }
        if self.takes(b'e') || self.takes(b'E') {
            whole = false;
            let _ = self.takes(b'+') || self.takes(b'-');
            self.digits()?;
        }
        let digits = &self.text[start..self.at];
        match digits.parse() {
            Ok(int) if whole => return Ok(Number::Int(int)),
            _ => {}
        }
        match digits.parse::<f64>() {
            Ok(double) if double.is_finite() => Ok(Number::Float(double)),
            _ => Err(Fault::TooLarge { at: self.at }),
        }
    }

    /// At least one digit.
    fn digits(&mut self) -> Result<&[u8], Fault> {
        let start = self.at;
        self.at += self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        if self.at == start { Err(Fault::Syntax) } else { Ok(&self.text.as_bytes()[start..self.at]) }
    }

    /// The name of a member and the colon behind it.
    fn name(&mut self) -> Result<Arc<str>, Fault> {
        if self.visible()? != b'"' {
            return Err(Fault::Syntax);
        }
        let name = self.string()?;
        if self.visible()? == b':' { Ok(name) } else { Err(Fault::Syntax) }
    }

    /// The string whose quote was just read. One without escapes is copied once.
    fn string(&mut self) -> Result<Arc<str>, Fault> {
        let mut unescaped = String::new();
        loop {
            let start = self.at;
            let plain = |byte: &u8| *byte != b'"' && *byte != b'\\' && *byte >= b' ';
            self.at += self.rest().iter().take_while(|byte| plain(byte)).count();
            let run = &self.text[start..self.at];
            match self.byte()? {
                b'"' if unescaped.is_empty() => return Ok(run.into()),
                b'"' => return Ok((unescaped + run).into()),
                b'\\' => {
                    unescaped.push_str(run);
                    unescaped.push(self.escape()?);
                }
                _ => return Err(Fault::Syntax),
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<char, Fault> {
        Ok(match self.byte()? {
            same @ (b'"' | b'\\' | b'/') => char::from(same),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.unit()?;
                match self.low_half(unit)? {
                    Some(letter) => letter,
                    None => char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER),
                }
            }
            _ => return Err(Fault::Syntax),
        })
    }

    /// The letter that `high` and an escape behind it make together, if they are the two halves of one.
    fn low_half(&mut self, high: u32) -> Result<Option<char>, Fault> {
        if !(0xD800..0xDC00).contains(&high) || !self.rest().starts_with(b"\\u") {
            return Ok(None);
        }
        let behind = self.at;
        self.at += 2;
        let low = self.unit()?;
        if (0xDC00..0xE000).contains(&low) {
            return Ok(char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)));
        }
        self.at = behind;
        Ok(None)
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Result<u32, Fault> {
        let digits = self.rest().get(..4).ok_or(Fault::Syntax)?;
        let unit =
            digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?));
        self.at += 4;
        unit.ok_or(Fault::Syntax)
    }

    fn visible(&mut self) -> Result<u8, Fault> {
        self.skip_blanks();
        self.byte()
    }

    fn skip_blanks(&mut self) {
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.at += self.rest().iter().take_while(|byte| blank(byte)).count();
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        let byte = *self.rest().first().ok_or(Fault::Syntax)?;
        self.at += 1;
        Ok(byte)
    }

    /// Steps over `bracket` if it comes next, behind blanks.
    fn closes(&mut self, bracket: u8) -> bool {
        self.skip_blanks();
        self.takes(bracket)
    }

    fn takes(&mut self, expected: u8) -> bool {
        let found = self.rest().first() == Some(&expected);
        self.at += usize::from(found);
        found
    }

    fn rest(&self) -> &[u8] {
        &self.text.as_bytes()[self.at..]
    }
}
