//! Where everything stands in a JSON text.
//!
//! It reads only what `asl` has read before, so it words no failures: a text that is not JSON gives no tree. It exists
//! because `asl`'s reader, like serde's, keeps no places.

use std::ops::Range;
use std::rc::Rc;

use super::node::{Member, Node, Value};

/// The tree of a JSON text.
pub(crate) fn read(text: &str) -> Option<Node> {
    Reader { text, at: 0 }.value(0)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Option<Node> {
        // As deep as `asl` reads; deeper would be a risk to the stack.
        if depth > asl::json::DEPTH_MAX {
            return None;
        }
        match self.next_visible()? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => {
                let span = self.string()?;
                let value = Value::Scalar(self.text[span.clone()].to_owned());
                Some(Node { span, value })
            }
            _ => self.scalar(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Node> {
        let span = self.step();
        let mut members = Vec::new();
        while self.next_visible()? != b'}' {
            let name_span = self.string()?;
            let name = serde_json::from_str(&self.text[name_span.clone()]).ok()?;
            self.expect(b':')?;
            let value = Rc::new(self.value(depth + 1)?);
            members.push(Member { name, name_span, value });
            if self.next_visible()? == b',' {
                self.step();
            }
        }
        self.step();
        Some(Node { span, value: Value::Object(members) })
    }

    fn array(&mut self, depth: usize) -> Option<Node> {
        let span = self.step();
        let mut items = Vec::new();
        while self.next_visible()? != b']' {
            items.push(Rc::new(self.value(depth + 1)?));
            if self.next_visible()? == b',' {
                self.step();
            }
        }
        self.step();
        Some(Node { span, value: Value::Array(items) })
    }

    /// A number or a literal: whatever stands up to the next delimiter.
    fn scalar(&mut self) -> Option<Node> {
        let rest = &self.text[self.at..];
        let is_delimiter = |next: char| next.is_ascii_whitespace() || ",:]}\"".contains(next);
        let length = rest.find(is_delimiter).unwrap_or(rest.len());
        if length == 0 {
            return None;
        }
        let span = self.at..self.at + length;
        self.at = span.end;
        Some(Node { span, value: Value::Scalar(rest[..length].to_owned()) })
    }

    /// A string with its quotes.
    fn string(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        self.expect(b'"')?;
        let mut escaped = false;
        for byte in self.text.bytes().skip(self.at) {
            self.at += 1;
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => return Some(start..self.at),
                _ => {}
            }
        }
        None
    }

    fn expect(&mut self, wanted: u8) -> Option<()> {
        (self.next_visible()? == wanted).then(|| self.at += 1)
    }

    /// Passes one character of punctuation.
    fn step(&mut self) -> Range<usize> {
        self.at += 1;
        self.at - 1..self.at
    }

    fn next_visible(&mut self) -> Option<u8> {
        let rest = self.text.get(self.at..)?;
        let visible = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        self.at = self.text.len() - visible.len();
        visible.bytes().next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_writes_what_was_read() {
        let compact =
            r#"{"a":[1,-2.50e+3,12345678901234567890,{"b":"ä\"\\😀","":null}],"c/d":{},"e":[],"a":true}"#;
        let loose = compact.replace(',', " ,\n\t").replace(':', " : ").replace('[', "[ ");
        for text in [compact, &loose] {
            assert_eq!(read(text).unwrap().to_json(), compact);
        }
    }

    #[test]
    fn a_broken_text_gives_no_tree() {
        let deep = "[".repeat(asl::json::DEPTH_MAX + 2) + &"]".repeat(asl::json::DEPTH_MAX + 2);
        for text in ["", "{", "[1", "{\"a\"", "{\"a\":}", "{a:1}", "\"open", "\"open\\", &deep] {
            assert!(read(text).is_none(), "{text}");
        }
    }
}
