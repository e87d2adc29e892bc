//! Regular expressions as JavaScript reads them, said as the library's engine reads them.
//!
//! The engine (the `regex` crate) searches in linear time, which is why a hostile pattern does no harm; the price is
//! that it knows no look-around and no back-references. Those are refused when the state machine is created, rather than
//! when the expression runs. Everything else means what it means in JavaScript: `\d` and `\w` are ASCII, `.` stops at
//! every line terminator, `[^]` is any character, a brace that counts nothing is itself.

use std::iter::Peekable;
use std::str::Chars;

use regex::RegexBuilder;

use crate::syntax::Complaint;

/// How large a pattern may be when it is compiled. Honest ones take a few kilobytes; a search takes time in the product
/// of this and the text.
const COMPILED_BYTES_MAX: usize = 1024 * 1024;

/// The pattern for the engine.
pub(crate) fn translated(pattern: &str) -> Result<String, Complaint> {
    let mut translator = Translator { rest: pattern.chars().peekable(), out: String::new() };
    translator
        .pattern()
        .map_err(|what| format!("Regular expressions with {what} are not supported: /{pattern}/"))?;
    let translated = translator.out;
    match RegexBuilder::new(&translated).size_limit(COMPILED_BYTES_MAX).build() {
        Ok(_) => Ok(translated),
        Err(regex::Error::CompiledTooBig(_)) => Err(format!("Regular expression too large: /{pattern:.80}/")),
        Err(error) => {
            // The last line of the engine's report is the reason.
            let report = error.to_string();
            let reason = report.lines().last().unwrap_or_default().trim_start_matches("error: ");
            Err(format!("Invalid regular expression: /{pattern}/: {reason}"))
        }
    }
}

/// What the engine does not know.
type Unknown = &'static str;

struct Translator<'a> {
    rest: Peekable<Chars<'a>>,
    out: String,
}

/// Neither of these is a character of the same class outside of ASCII, in JavaScript.
const DIGIT: &str = "0-9";
const WORD: &str = "0-9A-Za-z_";

impl Translator<'_> {
    fn pattern(&mut self) -> Result<(), Unknown> {
        while let Some(letter) = self.rest.next() {
            match letter {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => self.group()?,
                '.' => self.out.push_str(r"[^\n\r\x{2028}\x{2029}]"),
                '{' if !self.counts() => self.out.push_str(r"\{"),
                '}' | ']' => self.literal(letter),
                '{' => {
                    // As far as its closing brace it is a count.
                    self.out.push('{');
                    for letter in self.rest.by_ref() {
                        self.out.push(letter);
                        if letter == '}' {
                            break;
                        }
                    }
                }
                other => self.out.push(other),
            }
        }
        Ok(())
    }

    fn group(&mut self) -> Result<(), Unknown> {
        let mut ahead = self.rest.clone();
        let kind: String = ahead.by_ref().take(3).collect();
        if ["?=", "?!", "?<=", "?<!"].iter().any(|around| kind.starts_with(around)) {
            return Err("look-around");
        }
        self.out.push('(');
        Ok(())
    }

    /// Whether what follows a brace is `n}`, `n,}` or `n,m}`.
    fn counts(&self) -> bool {
        let inside: String = self.rest.clone().take_while(|letter| *letter != '}').collect();
        let closed = self.rest.clone().any(|letter| letter == '}');
        let (least, most) = inside.split_once(',').unwrap_or((&inside, ""));
        let digits = |text: &str| text.chars().all(|letter| letter.is_ascii_digit());
        closed && !least.is_empty() && digits(least) && digits(most)
    }

    /// What stands after a backslash outside of a class.
    fn escape(&mut self) -> Result<(), Unknown> {
        match self.rest.next() {
            Some('d') => self.out.push_str("[0-9]"),
            Some('D') => self.out.push_str("[^0-9]"),
            Some('w') => self.out.push_str("[0-9A-Za-z_]"),
            Some('W') => self.out.push_str("[^0-9A-Za-z_]"),
            Some('b') => self.out.push_str(r"(?-u:\b)"),
            Some(same @ ('s' | 'S' | 'B')) => {
                self.out.push('\\');
                self.out.push(same);
            }
            Some('1'..='9') => return Err("back-references"),
            Some('k') if self.rest.peek() == Some(&'<') => return Err("back-references"),
            other => {
                let letter = self.character(other);
                self.literal(letter);
            }
        }
        Ok(())
    }

    /// A class in brackets, of which the first is behind.
    fn class(&mut self) -> Result<(), Unknown> {
        let negated = self.rest.next_if_eq(&'^').is_some();
        if self.rest.next_if_eq(&']').is_some() {
            // None of no characters is any; one of no characters is none.
            self.out.push_str(if negated { r"(?s:.)" } else { "[a&&b]" });
            return Ok(());
        }
        self.out.push_str(if negated { "[^" } else { "[" });
        while let Some(letter) = self.rest.next() {
            match letter {
                ']' => break,
                '\\' => self.escape_in_class(),
                '-' if self.rest.peek() == Some(&'-') => self.out.push_str(r"\-"),
                '[' | '&' | '~' => self.literal(letter),
                other => self.out.push(other),
            }
        }
        self.out.push(']');
        Ok(())
    }

    fn escape_in_class(&mut self) {
        match self.rest.next() {
            Some('d') => self.out.push_str(DIGIT),
            Some('w') => self.out.push_str(WORD),
            Some('D') => self.out.push_str("[^0-9]"),
            Some('W') => self.out.push_str("[^0-9A-Za-z_]"),
            Some('b') => self.out.push_str(r"\x08"),
            Some(same @ ('s' | 'S')) => {
                self.out.push('\\');
                self.out.push(same);
            }
            other => {
                let letter = self.character(other);
                self.literal(letter);
            }
        }
    }

    /// The character that an escape stands for: by its code, by its letter, or itself.
    fn character(&mut self, escaped: Option<char>) -> char {
        match escaped {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('v') => '\u{B}',
            Some('f') => '\u{C}',
            Some('0') => '\0',
            Some('x') => self.code(2).unwrap_or('x'),
            Some('u') => self.code(4).unwrap_or('u'),
            Some(other) => other,
            None => '\\',
        }
    }

    /// The character of that many hexadecimal digits, if they follow.
    fn code(&mut self, digits: usize) -> Option<char> {
        let text: String = self.rest.clone().take(digits).collect();
        if text.len() != digits {
            return None;
        }
        let letter = u32::from_str_radix(&text, 16).ok().and_then(char::from_u32)?;
        self.rest.nth(digits - 1);
        Some(letter)
    }

    fn literal(&mut self, letter: char) {
        if letter.is_ascii_punctuation() {
            self.out.push('\\');
        }
        self.out.push(letter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_does_not_know_is_refused_by_name() {
        let complaint = |pattern| translated(pattern).unwrap_err();
        assert_eq!(complaint("(?=a)a"), "Regular expressions with look-around are not supported: /(?=a)a/");
        assert_eq!(complaint("(?<!a)b"), "Regular expressions with look-around are not supported: /(?<!a)b/");
        assert_eq!(
            complaint(r"(a)\1"),
            r"Regular expressions with back-references are not supported: /(a)\1/"
        );
        assert_eq!(complaint("a{2000}{2000}"), "Regular expression too large: /a{2000}{2000}/");
        assert_eq!(complaint("a**b("), "Invalid regular expression: /a**b(/: unclosed group");
    }

    #[test]
    fn javascript_is_said_in_the_engines_words() {
        let check = |pattern, expected: &str| assert_eq!(translated(pattern).unwrap(), expected, "{pattern}");
        check("abc", "abc");
        check(r"^hello\ $", r"^hello $");
        check(r"\d+[\d\-x]", r"[0-9]+[0-9\-x]");
        check(r"\/\u0041\x42", r"\/AB");
        check("a{2,3}b{x}c{,2}", r"a{2,3}b\{x\}c\{,2\}");
        check("[[a&&b]", r"[\[a\&\&b]");
        check("(?:a)(?<n>b)", "(?:a)(?<n>b)");
    }
}
