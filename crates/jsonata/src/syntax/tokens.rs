//! Text to tokens, by the rules of JSONata 2.0.6.
//!
//! The rules are odd where they are not JavaScript's: a name is everything up to white space or an operator's
//! character, so that `a"b` is one name; whether `/` begins a pattern is the grammar's to say.

use super::Complaint;

/// One token, and what error texts show of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// The end of the text.
    End,
    /// A name, also between backquotes.
    Name(String),
    /// A name after `$`, without it.
    Variable(String),
    /// An operator or a bracket, by its text.
    Operator(&'static str),
    /// A string.
    String(String),
    /// A number.
    Number(f64),
    /// `true`, `false` or `null`.
    Value(&'static str),
    /// A pattern between slashes.
    Regex,
}

impl Token {
    /// The token's value as text.
    pub(super) fn text(&self) -> String {
        match self {
            Token::Name(text) | Token::Variable(text) | Token::String(text) => text.clone(),
            Token::Operator(text) => (*text).to_owned(),
            other => other.shown(),
        }
    }

    /// As `JSON.stringify` prints the token's value.
    pub(super) fn shown(&self) -> String {
        match self {
            Token::End => "\"(end)\"".to_owned(),
            Token::Name(text) | Token::Variable(text) | Token::String(text) => quoted(text),
            Token::Operator(text) => quoted(text),
            Token::Number(number) => super::number_text(*number),
            Token::Value(text) => (*text).to_owned(),
            Token::Regex => "{}".to_owned(),
        }
    }
}

/// A string as JSON.
pub(crate) fn quoted(text: &str) -> String {
    asl::json::Json::from(text).to_text()
}

/// Two characters before one, so that the longer is found first.
const OPERATORS: [&str; 31] = [
    "..", ":=", "!=", ">=", "<=", "**", "~>", ".", "[", "]", "{", "}", "(", ")", ",", "@", "#", ";", ":",
    "?", "+", "-", "*", "/", "%", "|", "=", "<", ">", "^", "&",
];

/// Characters that end a name; the last two are no operators by themselves.
const STOPS: &str = ".[]{}(),@#;:?+-*/%|=<>^&!~";

const SPACES: [char; 5] = [' ', '\t', '\n', '\r', '\u{B}'];

/// Reads tokens off the front of a text.
pub(super) struct Lexer<'a> {
    text: &'a str,
    rest: &'a str,
    /// Where slashes stand in the brackets of patterns.
    pub(super) inner_slashes: Vec<usize>,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Lexer<'a> {
        Lexer { text, rest: text, inner_slashes: Vec::new() }
    }

    /// The next token. After an operand `/` divides; elsewhere it begins a pattern.
    pub(super) fn next(&mut self, after_operand: bool) -> Result<Token, Complaint> {
        self.skip_blank()?;
        let Some(first) = self.rest.chars().next() else { return Ok(Token::End) };
        if first == '/' && !after_operand {
            return self.regex();
        }
        if let Some(operator) = OPERATORS.into_iter().find(|operator| self.rest.starts_with(operator)) {
            self.rest = &self.rest[operator.len()..];
            return Ok(Token::Operator(operator));
        }
        if STOPS.contains(first) {
            return Err(format!("Unknown operator: \"{first}\""));
        }
        match first {
            '"' | '\'' => self.string(first),
            '0'..='9' => self.number(),
            '`' => self.quoted_name(),
            _ => Ok(self.name()),
        }
    }

    fn skip_blank(&mut self) -> Result<(), Complaint> {
        loop {
            self.rest = self.rest.trim_start_matches(SPACES);
            let Some(comment) = self.rest.strip_prefix("/*") else { return Ok(()) };
            let end = comment.find("*/").ok_or("Comment has no closing tag")?;
            self.rest = &comment[end + 2..];
        }
    }

    /// A pattern up to a slash outside of brackets, and its flags.
    fn regex(&mut self) -> Result<Token, Complaint> {
        let text = &self.rest[1..];
        let mut depth = 0_i64;
        let mut backslashes = 0;
        for (at, letter) in text.char_indices() {
            match letter {
                '/' if depth == 0 && backslashes % 2 == 0 => {
                    if at == 0 {
                        return Err("Empty regular expressions are not allowed".to_owned());
                    }
                    self.rest = text[at + 1..].trim_start_matches(['i', 'm']);
                    return Ok(Token::Regex);
                }
                '/' if backslashes == 0 => self.inner_slashes.push(self.text.len() - text.len() + at),
                '(' | '[' | '{' if backslashes == 0 => depth += 1,
                ')' | ']' | '}' if backslashes == 0 => depth -= 1,
                _ => {}
            }
            backslashes = if letter == '\\' { backslashes + 1 } else { 0 };
        }
        Err("No terminating / in regular expression".to_owned())
    }

    fn string(&mut self, quote: char) -> Result<Token, Complaint> {
        let mut text = String::new();
        let mut letters = self.rest[1..].char_indices();
        while let Some((at, letter)) = letters.next() {
            if letter == quote {
                self.rest = &self.rest[1 + at + 1..];
                return Ok(Token::String(text));
            }
            if letter != '\\' {
                text.push(letter);
                continue;
            }
            match letters.next().map(|(_, escape)| escape) {
                Some(escape @ ('"' | '\\' | '/')) => text.push(escape),
                Some('b') => text.push('\u{8}'),
                Some('f') => text.push('\u{C}'),
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some('u') => {
                    let digits: String = letters.by_ref().take(4).map(|(_, digit)| digit).collect();
                    let code = u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 4);
                    let code = code.ok_or("The escape sequence \\u must be followed by 4 hex digits")?;
                    // Half of a surrogate pair; only error texts show this string.
                    text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                other => {
                    let escape = other.map(String::from).unwrap_or_default();
                    return Err(format!("Unsupported escape sequence: \\{}", quoted(&escape)));
                }
            }
        }
        Err("String literal must be terminated by a matching quote".to_owned())
    }

    fn number(&mut self) -> Result<Token, Complaint> {
        let bytes = self.rest.as_bytes();
        let digits =
            |from: usize| from + bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut end = if bytes[0] == b'0' { 1 } else { digits(0) };
        if bytes.get(end) == Some(&b'.') && digits(end + 1) > end + 1 {
            end = digits(end + 1);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            if bytes.len() > end + 1 + sign && digits(end + 1 + sign) > end + 1 + sign {
                end = digits(end + 1 + sign);
            }
        }
        let (text, rest) = self.rest.split_at(end);
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        let number = number.ok_or_else(|| format!("Number out of range: {}", quoted(text)))?;
        self.rest = rest;
        Ok(Token::Number(number))
    }

    fn quoted_name(&mut self) -> Result<Token, Complaint> {
        let text = &self.rest[1..];
        let end = text.find('`').ok_or("Quoted property name must be terminated with a backquote (`)")?;
        self.rest = &text[end + 1..];
        Ok(Token::Name(text[..end].to_owned()))
    }

    fn name(&mut self) -> Token {
        let end = self.rest.find(|letter| SPACES.contains(&letter) || STOPS.contains(letter));
        let end = end.unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        if let Some(variable) = name.strip_prefix('$') {
            return Token::Variable(variable.to_owned());
        }
        match name {
            "and" => Token::Operator("and"),
            "or" => Token::Operator("or"),
            "in" => Token::Operator("in"),
            "true" => Token::Value("true"),
            "false" => Token::Value("false"),
            "null" => Token::Value("null"),
            _ => Token::Name(name.to_owned()),
        }
    }
}
