//! Regular expressions in filters, `@.name =~ /ab+c/i`: Java's syntax on an engine without backtracking.
//!
//! AWS hands the pattern to `java.util.regex`; here it is translated, piece by piece, for the `regex` crate, whose time is
//! linear whatever pattern a stranger writes. What that engine cannot do (references to groups, looking around,
//! possessive quantifiers) and what Java itself refuses is refused when the definition is read. The classes `\d`, `\w`,
//! `\s` mean ASCII and `.` stops at every line terminator of Java, unless a flag says otherwise.

use std::str::Chars;

use regex::{Regex, RegexBuilder};

/// A compiled pattern. It always matches a whole text.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    regex: Regex,
    /// How large the compiled form is at most, in bytes: one of [`SIZES`].
    size: usize,
}

/// The sizes a compiled pattern may have, in bytes. The smallest holds what people write; `(\w{100}){100}` does not fit
/// the largest.
const SIZES: [usize; 3] = [4 * 1024, 16 * 1024, 64 * 1024];

/// How many bytes of a compiled pattern one step of a path's budget pays for, per byte of text: the engine's worst case
/// is to look at every part of the pattern at every byte.
const BYTES_PER_STEP: usize = 640;

/// How deep groups may nest: both translation and the engine's own parser recurse.
const NESTING_MAX: u32 = 32;

impl Pattern {
    /// Compiles `pattern` with the flags behind its closing slash.
    pub(super) fn parse(pattern: &str, flags: &str) -> Result<Pattern, String> {
        let mut translation = Translation { rest: pattern.chars(), out: String::new(), nesting: 0 };
        let mut modes = Modes::default();
        for flag in flags.chars() {
            if !modes.set(flag, true) {
                return Err(format!("there is no flag '{flag}' for regular expressions"));
            }
        }
        translation.alternatives(modes)?;
        if translation.rest.next().is_some() {
            return Err("unmatched ')' in the regular expression".into());
        }
        let whole = format!(r"\A(?:{})\z", translation.out);
        for size in SIZES {
            let built = RegexBuilder::new(&whole).size_limit(size).nest_limit(4 * NESTING_MAX).build();
            match built {
                Ok(regex) => return Ok(Pattern { regex, size }),
                Err(regex::Error::CompiledTooBig(_)) => {}
                Err(_) => return Err("this regular expression is not supported".into()),
            }
        }
        Err("the regular expression is too large".into())
    }

    /// How many steps of a path's budget a match against `text` may cost.
    pub(super) fn steps(&self, text: &str) -> usize {
        text.len().saturating_mul(self.size) / BYTES_PER_STEP
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

/// The flags of Java's patterns, as they are at one place of a pattern.
#[derive(Clone, Copy, Default)]
struct Modes {
    /// `i`: letters match in either case; with `u`, all letters and not only those of ASCII.
    ignore_case: bool,
    unicode_case: bool,
    /// `s`: `.` matches line terminators.
    dot_all: bool,
    /// `m`: `^` and `$` match at lines.
    multi_line: bool,
    /// `d`: only `\n` ends a line.
    unix_lines: bool,
    /// `x`: blanks and comments mean nothing.
    comments: bool,
    /// `U`: `\d` and its like mean more than ASCII.
    unicode_classes: bool,
}

impl Modes {
    /// Whether there is such a flag.
    fn set(&mut self, flag: char, on: bool) -> bool {
        let mode = match flag {
            'i' => &mut self.ignore_case,
            'u' => &mut self.unicode_case,
            's' => &mut self.dot_all,
            'm' => &mut self.multi_line,
            'd' => &mut self.unix_lines,
            'x' => &mut self.comments,
            'U' => &mut self.unicode_classes,
            _ => return false,
        };
        *mode = on;
        true
    }

    fn line_terminators(self) -> &'static str {
        if self.unix_lines { r"\n" } else { r"\n\r\x{85}\x{2028}\x{2029}" }
    }
}

struct Translation<'a> {
    rest: Chars<'a>,
    out: String,
    nesting: u32,
}

impl Translation<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.clone().next()
    }

    fn take(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        if found {
            self.rest.next();
        }
        found
    }

    /// Everything up to the `)` that closes the group, or to the end.
    fn alternatives(&mut self, mut modes: Modes) -> Result<(), String> {
        self.nesting += 1;
        if self.nesting > NESTING_MAX {
            return Err("groups of the regular expression nest too deep".into());
        }
        // Whether something stands before that a quantifier can repeat.
        let mut repeatable = false;
        while let Some(next) = self.peek().filter(|next| *next != ')') {
            self.rest.next();
            if modes.comments && self.is_comment(next) {
                continue;
            }
            match next {
                '|' => {
                    self.out.push('|');
                    repeatable = false;
                    continue;
                }
                '*' | '+' | '?' | '{' => {
                    if !repeatable {
                        return Err(format!("'{next}' of the regular expression repeats nothing"));
                    }
                    self.quantifier(next)?;
                    repeatable = false;
                    continue;
                }
                '(' => repeatable = self.group(&mut modes)?,
                _ => {
                    self.atom(next, modes)?;
                    repeatable = true;
                }
            }
        }
        self.nesting -= 1;
        Ok(())
    }

    fn is_comment(&mut self, next: char) -> bool {
        if next == '#' {
            while self.peek().is_some_and(|letter| letter != '\n') {
                self.rest.next();
            }
        }
        next == '#' || matches!(next, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
    }

    /// `*`, `+`, `?` or `{2,3}`, and the `?` that makes it reluctant (which is no matter to a whole match).
    fn quantifier(&mut self, first: char) -> Result<(), String> {
        self.out.push(first);
        if first == '{' {
            loop {
                match self.rest.next() {
                    Some(digit @ ('0'..='9' | ',')) => self.out.push(digit),
                    Some('}') => break self.out.push('}'),
                    _ => return Err("a '{' of the regular expression does not begin a number".into()),
                }
            }
        }
        self.take('?');
        match self.peek() {
            Some('+') => Err("possessive quantifiers in regular expressions are not supported".into()),
            Some('*' | '?' | '{') => Err("a quantifier of the regular expression repeats nothing".into()),
            _ => Ok(()),
        }
    }

    /// What follows `(`. Whether it is something to repeat: flags for the rest of the group are not.
    fn group(&mut self, modes: &mut Modes) -> Result<bool, String> {
        let mut inner = *modes;
        if self.take('?') {
            match self.rest.next() {
                Some(':') => {}
                Some('<') if self.peek().is_some_and(|letter| letter.is_ascii_alphabetic()) => {
                    while self.rest.next().is_some_and(|letter| letter != '>') {}
                }
                Some('=' | '!' | '<' | '>') => {
                    return Err("groups that look around or never give back are not supported".into());
                }
                Some(flag) => {
                    if self.flags(flag, &mut inner)? {
                        *modes = inner;
                        return Ok(false);
                    }
                }
                None => return Err("unclosed '(' in the regular expression".into()),
            }
        }
        self.out.push_str("(?:");
        self.alternatives(inner)?;
        if !self.take(')') {
            return Err("unclosed '(' in the regular expression".into());
        }
        self.out.push(')');
        Ok(true)
    }

    /// `i-s)` or `i-s:`. Whether the flags are for the rest of the group around.
    fn flags(&mut self, first: char, modes: &mut Modes) -> Result<bool, String> {
        let mut on = true;
        let mut flag = Some(first);
        loop {
            match flag {
                Some(')') => return Ok(true),
                Some(':') => return Ok(false),
                Some('-') if on => on = false,
                Some(letter) if modes.set(letter, on) => {}
                _ => return Err("unknown group in the regular expression".into()),
            }
            flag = self.rest.next();
        }
    }

    fn atom(&mut self, first: char, modes: Modes) -> Result<(), String> {
        match first {
            '.' if modes.dot_all => self.out.push_str("(?s:.)"),
            '.' => self.out.push_str(&format!("[^{}]", modes.line_terminators())),
            // The whole text is matched, so that a `$` before a last line terminator could not be followed by it.
            '^' | '$' if modes.multi_line => self.out.push_str(&format!("(?m:{first})")),
            '^' => self.out.push_str(r"\A"),
            '$' => self.out.push_str(r"\z"),
            '[' => {
                let mut class = String::new();
                self.class(&mut class, modes, 0)?;
                self.out.push_str(&cased(&class, modes));
            }
            '\\' => self.escape(modes)?,
            literal => {
                let mut text = String::new();
                push_literal(literal, &mut text);
                self.out.push_str(&cased(&text, modes));
            }
        }
        Ok(())
    }

    fn escape(&mut self, modes: Modes) -> Result<(), String> {
        let kind = self.rest.next().ok_or("the regular expression ends with '\\'")?;
        match kind {
            // Word boundaries know all letters in Java, too.
            'b' | 'B' => self.out.push_str(if kind == 'b' { r"\b" } else { r"\B" }),
            'A' | 'z' => self.out.push_str(if kind == 'A' { r"\A" } else { r"\z" }),
            'Z' => self.out.push_str(r"\z"),
            'R' => self.out.push_str(r"(?:\r\n|[\n\x0b\x0c\r\x{85}\x{2028}\x{2029}])"),
            'Q' => {
                while let Some(letter) = self.rest.next() {
                    if letter == '\\' && self.take('E') {
                        break;
                    }
                    let mut text = String::new();
                    push_literal(letter, &mut text);
                    self.out.push_str(&cased(&text, modes));
                }
            }
            '1'..='9' | 'k' => {
                return Err("references to groups in regular expressions are not supported".into());
            }
            'G' | 'X' => return Err(format!("'\\{kind}' in regular expressions is not supported")),
            _ => {
                let class = self.escaped_class(kind, modes)?;
                self.out.push_str(&cased(&class, modes));
            }
        }
        Ok(())
    }

    /// A class, from behind its `[` to its `]`.
    fn class(&mut self, out: &mut String, modes: Modes, nesting: u32) -> Result<(), String> {
        const OPEN: &str = "unclosed '[' in the regular expression";
        if nesting > NESTING_MAX {
            return Err("classes of the regular expression nest too deep".into());
        }
        out.push('[');
        if self.take('^') {
            out.push('^');
        }
        let mut is_first = true;
        loop {
            match self.rest.next().ok_or(OPEN)? {
                ']' if !is_first => break out.push(']'),
                '[' => self.class(out, modes, nesting + 1)?,
                '&' if self.take('&') => out.push_str("&&"),
                '-' => out.push('-'),
                '\\' => {
                    let kind = self.rest.next().ok_or(OPEN)?;
                    out.push_str(&self.escaped_class(kind, modes)?);
                }
                literal => push_literal(literal, out),
            }
            is_first = false;
            // Two dashes would be a difference of classes to the engine; Java knows none.
            if out.ends_with('-') && self.peek() == Some('-') {
                return Err("'--' in a class of the regular expression is not supported".into());
            }
        }
        Ok(())
    }

    /// An escape that may also stand in a class.
    fn escaped_class(&mut self, kind: char, modes: Modes) -> Result<String, String> {
        const SPACE: &str = r"\t\n\x0b\x0c\r\x20";
        const LINES: &str = r"\n\x0b\x0c\r\x{85}\x{2028}\x{2029}";
        const BLANKS: &str = r"\t\x20\x{a0}\x{1680}\x{180e}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}";
        Ok(match kind {
            'd' | 'D' | 'w' | 'W' | 's' | 'S' if modes.unicode_classes => format!("\\{kind}"),
            'd' => "[0-9]".into(),
            'D' => "[^0-9]".into(),
            'w' => "[0-9A-Za-z_]".into(),
            'W' => "[^0-9A-Za-z_]".into(),
            's' => format!("[{SPACE}]"),
            'S' => format!("[^{SPACE}]"),
            'h' => format!("[{BLANKS}]"),
            'H' => format!("[^{BLANKS}]"),
            'v' => format!("[{LINES}]"),
            'V' => format!("[^{LINES}]"),
            'p' | 'P' => self.property(kind == 'P')?,
            't' => r"\t".into(),
            'n' => r"\n".into(),
            'r' => r"\r".into(),
            'f' => r"\x0c".into(),
            'a' => r"\x07".into(),
            'e' => r"\x1b".into(),
            'x' if self.take('{') => {
                let digits: String = self.rest.by_ref().take_while(|letter| *letter != '}').collect();
                code_point(&digits)?
            }
            'x' => self.digits(2)?,
            'u' => self.digits(4)?,
            letter if letter.is_ascii_alphanumeric() => {
                return Err(format!("'\\{letter}' in regular expressions is not supported"));
            }
            literal => {
                let mut text = String::new();
                push_literal(literal, &mut text);
                text
            }
        })
    }

    fn digits(&mut self, count: usize) -> Result<String, String> {
        let digits: String = self.rest.by_ref().take(count).collect();
        if digits.len() < count {
            return Err("an escape of the regular expression lacks digits".into());
        }
        code_point(&digits)
    }

    /// `{Alpha}`, `{Lu}` or `L`, the POSIX names with Java's meaning of ASCII only.
    fn property(&mut self, negated: bool) -> Result<String, String> {
        let name: String = match self.rest.next() {
            Some('{') => self.rest.by_ref().take_while(|letter| *letter != '}').collect(),
            Some(letter) => letter.into(),
            None => return Err("the regular expression ends with '\\p'".into()),
        };
        let posix = match name.as_str() {
            "Lower" => "a-z",
            "Upper" => "A-Z",
            "ASCII" => r"\x00-\x7f",
            "Alpha" => "A-Za-z",
            "Digit" => "0-9",
            "Alnum" => "0-9A-Za-z",
            "Punct" => r"!-/:-@\[-`\{-~",
            "Graph" => "!-~",
            "Print" => r"\x20-~",
            "Blank" => r"\t\x20",
            "Cntrl" => r"\x00-\x1f\x7f",
            "XDigit" => "0-9A-Fa-f",
            "Space" => r"\t\n\x0b\x0c\r\x20",
            _ => "",
        };
        let not = if negated { "^" } else { "" };
        let category = name.strip_prefix("Is").unwrap_or(&name);
        let is_category =
            (1..=2).contains(&category.len()) && category.bytes().all(|byte| byte.is_ascii_alphabetic());
        match (posix, is_category) {
            ("", true) => Ok(format!("[{not}\\p{{{category}}}]")),
            ("", false) => Err(format!("'\\p{{{name}}}' in regular expressions is not supported")),
            (range, _) => Ok(format!("[{not}{range}]")),
        }
    }
}

/// `piece`, indifferent to case if the flags say so.
fn cased(piece: &str, modes: Modes) -> String {
    match (modes.ignore_case, modes.unicode_case || modes.unicode_classes) {
        (false, _) => piece.into(),
        (true, true) => format!("(?i:{piece})"),
        (true, false) if piece.is_ascii() => format!("(?i:{piece})"),
        (true, false) => piece.into(),
    }
}

fn push_literal(literal: char, out: &mut String) {
    if literal.is_ascii() && !literal.is_ascii_alphanumeric() {
        out.push_str(&format!("\\x{{{:x}}}", u32::from(literal)));
    } else {
        out.push(literal);
    }
}

fn code_point(digits: &str) -> Result<String, String> {
    let code = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
    let code = code.ok_or_else(|| format!("'{digits}' is no character in the regular expression"))?;
    Ok(format!("\\x{{{:x}}}", u32::from(code)))
}

#[cfg(test)]
mod tests;
