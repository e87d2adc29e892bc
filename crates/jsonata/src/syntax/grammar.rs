//! Tokens to a verdict: the grammar of JSONata 2.0.6, by top-down operator precedence, building no tree.
//!
//! Of a part that was read, only what a later complaint may depend on is kept. What jsonata-js finds in a second pass
//! over its tree, the library's parser finds in its own; except that an operand is absent at the end of the text, which
//! it reports too early.

use jsonata_core::value::with_stack;

use super::Complaint;
use super::tokens::{Lexer, Token, quoted};

/// How deep expressions may be nested in each other: the library's parser takes no deeper ones either.
const DEPTH_MAX: usize = 1_000;

/// What later complaints ask about a part.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    Variable,
    /// Followed by arguments, it may begin a function.
    Name(String),
    Other,
}

/// Reads the whole text; an error is jsonata-js's first complaint. The result is where slashes stand in the brackets of
/// patterns.
pub(super) fn read(text: &str) -> Result<Vec<usize>, Complaint> {
    let mut reader = Reader { lexer: Lexer::new(text), token: Token::End, depth: 0, absent_operand: false };
    reader.advance(false)?;
    reader.expression(0)?;
    if reader.token != Token::End {
        return Err(format!("Syntax error: {}", reader.token.shown()));
    }
    if reader.absent_operand {
        return Err("Unexpected end of expression".to_owned());
    }
    Ok(reader.lexer.inner_slashes)
}

struct Reader<'a> {
    lexer: Lexer<'a>,
    token: Token,
    depth: usize,
    /// The end of the text stood for an operand. That is told only if nothing else is wrong.
    absent_operand: bool,
}

impl Reader<'_> {
    fn advance(&mut self, after_operand: bool) -> Result<Token, Complaint> {
        let next = self.lexer.next(after_operand)?;
        Ok(std::mem::replace(&mut self.token, next))
    }

    fn at(&self, operator: &str) -> bool {
        matches!(self.token, Token::Operator(found) if found == operator)
    }

    /// Goes past `operator`, which must be here. `after_operand` as for [`Lexer::next`].
    fn expect(&mut self, operator: &str, after_operand: bool) -> Result<(), Complaint> {
        if self.at(operator) {
            self.advance(after_operand)?;
            return Ok(());
        }
        let expected = quoted(operator);
        Err(match &self.token {
            Token::End => format!("Expected {expected} before end of expression"),
            other => format!("Expected {expected}, got {}", other.shown()),
        })
    }

    /// Goes past a comma, if one is here.
    fn comma(&mut self) -> Result<bool, Complaint> {
        let comma = self.at(",");
        if comma {
            self.advance(false)?;
        }
        Ok(comma)
    }

    /// Reads an expression whose operators bind more tightly than `binding`.
    fn expression(&mut self, binding: u8) -> Result<Part, Complaint> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("Expressions must not be nested deeper than {DEPTH_MAX} levels"));
        }
        let part = with_stack(|| {
            let token = self.advance(true)?;
            let mut part = self.operand(token)?;
            while binding < binds(&self.token) {
                let Token::Operator(operator) = self.advance(false)? else {
                    unreachable!("only operators bind")
                };
                part = self.operator(operator, &part)?;
            }
            Ok(part)
        });
        self.depth -= 1;
        part
    }

    /// What begins with `token`, which is behind the reader.
    fn operand(&mut self, token: Token) -> Result<Part, Complaint> {
        match token {
            Token::End => {
                self.absent_operand = true;
                Ok(Part::Other)
            }
            Token::Name(name) => Ok(Part::Name(name)),
            Token::Variable(_) => Ok(Part::Variable),
            Token::String(_) | Token::Number(_) | Token::Value(_) | Token::Regex => Ok(Part::Other),
            Token::Operator(operator) => {
                match operator {
                    "and" | "or" | "in" | "*" | "**" | "%" => {}
                    "-" => {
                        self.expression(70)?;
                    }
                    "(" => self.block()?,
                    "[" => self.array()?,
                    "{" => self.object()?,
                    "|" => self.transform()?,
                    _ => {
                        let symbol = quoted(operator);
                        return Err(format!("The symbol {symbol} cannot be used as a unary operator"));
                    }
                }
                Ok(Part::Other)
            }
        }
    }

    /// What follows an operator between `left`, which is behind it, and its right side.
    fn operator(&mut self, operator: &'static str, left: &Part) -> Result<Part, Complaint> {
        match operator {
            "(" => self.call(left)?,
            "[" if self.at("]") => {
                self.advance(false)?;
                // Empty brackets leave what they follow as it is.
                return Ok(left.clone());
            }
            "[" => {
                self.expression(0)?;
                self.expect("]", true)?;
            }
            "^" => self.order()?,
            "{" => self.object()?,
            ":=" => {
                if *left != Part::Variable {
                    return Err("The left side of := must be a variable name (start with $)".to_owned());
                }
                self.expression(9)?;
            }
            "@" | "#" => {
                if self.expression(80)? != Part::Variable {
                    let symbol = quoted(operator);
                    return Err(format!("The right side of {symbol} must be a variable name (start with $)"));
                }
            }
            "?" => {
                self.expression(0)?;
                if self.at(":") {
                    self.advance(false)?;
                    self.expression(0)?;
                }
            }
            _ => {
                self.expression(binds(&Token::Operator(operator)))?;
            }
        }
        Ok(Part::Other)
    }

    fn block(&mut self) -> Result<(), Complaint> {
        while !self.at(")") {
            self.expression(0)?;
            if !self.at(";") {
                break;
            }
            self.advance(false)?;
        }
        self.expect(")", true)
    }

    fn array(&mut self) -> Result<(), Complaint> {
        if !self.at("]") {
            loop {
                self.expression(0)?;
                if self.at("..") {
                    self.advance(false)?;
                    self.expression(0)?;
                }
                if !self.comma()? {
                    break;
                }
            }
        }
        self.expect("]", true)
    }

    fn object(&mut self) -> Result<(), Complaint> {
        if !self.at("}") {
            loop {
                self.expression(0)?;
                self.expect(":", false)?;
                self.expression(0)?;
                if !self.comma()? {
                    break;
                }
            }
        }
        self.expect("}", true)
    }

    fn transform(&mut self) -> Result<(), Complaint> {
        self.expression(0)?;
        self.expect("|", false)?;
        self.expression(0)?;
        if self.comma()? {
            self.expression(0)?;
        }
        self.expect("|", false)
    }

    fn order(&mut self) -> Result<(), Complaint> {
        self.expect("(", false)?;
        loop {
            if self.at("<") || self.at(">") {
                self.advance(false)?;
            }
            self.expression(0)?;
            if !self.comma()? {
                break;
            }
        }
        self.expect(")", false)
    }

    /// The arguments of a call, or the parameters and the body of a function.
    fn call(&mut self, callee: &Part) -> Result<(), Complaint> {
        let mut arguments = Vec::new();
        if !self.at(")") {
            loop {
                arguments.push(if self.at("?") {
                    self.advance(false)?;
                    Part::Other
                } else {
                    self.expression(0)?
                });
                if !self.comma()? {
                    break;
                }
            }
        }
        self.expect(")", true)?;
        if !matches!(callee, Part::Name(name) if name == "function" || name == "λ") {
            return Ok(());
        }
        if let Some(index) = arguments.iter().position(|argument| *argument != Part::Variable) {
            return Err(format!(
                "Parameter {} of function definition must be a variable name (start with $)",
                index + 1
            ));
        }
        if self.at("<") {
            self.signature()?;
        }
        self.expect("{", false)?;
        self.expression(0)?;
        self.expect("}", false)
    }

    /// A signature. It may not put types into what holds none.
    fn signature(&mut self) -> Result<(), Complaint> {
        let mut depth = 1;
        let mut text = String::new();
        while depth > 0 && !self.at("{") && self.token != Token::End {
            self.advance(false)?;
            if self.at(">") {
                depth -= 1;
            } else if self.at("<") {
                depth += 1;
            }
            text.push_str(&self.token.text());
        }
        self.expect(">", false)?;
        judge_signature(&text)
    }
}

/// What jsonata-js says against the types in a signature's text.
fn judge_signature(text: &str) -> Result<(), Complaint> {
    let mut rest = text.split(':').next().unwrap_or_default();
    let mut before = None;
    while let Some(symbol) = rest.chars().next() {
        rest = &rest[symbol.len_utf8()..];
        match symbol {
            '(' => {
                let (choice, behind) = rest.split_once(')').unwrap_or((rest, ""));
                if choice.contains('<') {
                    return Err("Choice groups containing parameterized types are not supported".to_owned());
                }
                rest = behind;
                before = None;
            }
            '<' if matches!(before, Some('a' | 'f')) => {
                let mut depth = 1;
                let closing = rest.find(|letter| {
                    depth += i32::from(letter == '<') - i32::from(letter == '>');
                    depth == 0
                });
                rest = closing.map_or("", |at| &rest[at + 1..]);
            }
            '<' => return Err("Type parameters can only be applied to functions and arrays".to_owned()),
            '-' | '?' | '+' => {}
            _ => before = Some(symbol),
        }
    }
    Ok(())
}

/// How tightly an operator binds to what is on its left; 0 ends an expression.
fn binds(token: &Token) -> u8 {
    let Token::Operator(operator) = token else { return 0 };
    match *operator {
        "(" | "[" | "@" | "#" => 80,
        "." => 75,
        "{" => 70,
        "*" | "/" | "%" => 60,
        "+" | "-" | "&" => 50,
        "=" | "<" | ">" | "!=" | "<=" | ">=" | "~>" | "in" | "^" => 40,
        "and" => 30,
        "or" => 25,
        "?" => 20,
        ":=" => 10,
        _ => 0,
    }
}
