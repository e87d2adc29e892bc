//! Rust source as the rules see it: the paths it names and its functions, each with its line.
//!
//! Works on tokens, so that a word in a comment or a text is never taken for code, and leaves out what is
//! compiled for tests only. Resolves nothing: a path is what is written, with `use` groups spelled out.

use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One file's code.
pub(super) struct Code {
    tokens: Vec<TokenTree>,
}

/// Something written at a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) line: usize,
    pub(super) text: String,
}

/// A function with its length in lines, from `fn` to the closing brace.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) lines: usize,
}

impl Code {
    /// All code of a file; the error says why it is none.
    pub(super) fn whole(text: &str) -> Result<Self, String> {
        let stream = TokenStream::from_str(text).map_err(|error| error.to_string())?;
        Ok(Self { tokens: stream.into_iter().collect() })
    }

    /// The code without items under `#[cfg(test)]`.
    pub(super) fn without_tests(text: &str) -> Result<Self, String> {
        Ok(Self { tokens: drop_tests(Self::whole(text)?.tokens) })
    }

    /// Every path: `a::b::c`, single names included, groups of `use` spelled out.
    pub(super) fn paths(&self) -> Vec<Written> {
        let mut paths = Vec::new();
        collect_paths(&self.tokens, "", &mut paths);
        paths
    }

    /// Every literal as written, quotes included.
    pub(super) fn literals(&self) -> Vec<Written> {
        let mut literals = Vec::new();
        collect_literals(&self.tokens, &mut literals);
        literals
    }

    /// Every function with a body.
    pub(super) fn functions(&self) -> Vec<Function> {
        let mut functions = Vec::new();
        collect_functions(&self.tokens, &mut functions);
        functions
    }
}

/// Leaves out each item that follows `#[cfg(test)]`, up to its closing brace or semicolon.
fn drop_tests(tokens: Vec<TokenTree>) -> Vec<TokenTree> {
    let mut kept = Vec::new();
    let mut dropping = false;
    for token in tokens {
        if dropping {
            dropping = !ends_item(&token);
            continue;
        }
        if is_cfg_test(&token) {
            // The `#` before the brackets was kept already.
            kept.pop();
            dropping = true;
            continue;
        }
        kept.push(token);
    }
    kept
}

fn is_cfg_test(token: &TokenTree) -> bool {
    let TokenTree::Group(group) = token else { return false };
    let words: String = group.stream().into_iter().map(|token| token.to_string()).collect();
    group.delimiter() == Delimiter::Bracket && (words == "cfg(test)" || words == "cfg (test)")
}

fn ends_item(token: &TokenTree) -> bool {
    match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        _ => false,
    }
}

/// Reads paths from left to right; inside a `use` group each member begins with the group's prefix.
fn collect_paths(tokens: &[TokenTree], prefix: &str, paths: &mut Vec<Written>) {
    let mut index = 0;
    while index < tokens.len() {
        match &tokens[index] {
            TokenTree::Ident(_) => index = read_path(tokens, index, prefix, paths),
            TokenTree::Group(group) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                collect_paths(&inner, "", paths);
                index += 1;
            }
            _ => index += 1,
        }
    }
}

/// Reads the path that begins at `start`, and returns where it ends.
fn read_path(tokens: &[TokenTree], start: usize, prefix: &str, paths: &mut Vec<Written>) -> usize {
    let mut path = format!("{prefix}{}", tokens[start]);
    let line = tokens[start].span().start().line;
    let mut index = start + 1;
    while is_colon(tokens.get(index)) && is_colon(tokens.get(index + 1)) {
        match tokens.get(index + 2) {
            Some(TokenTree::Ident(name)) => {
                path = format!("{path}::{name}");
                index += 3;
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                collect_paths(&inner, &format!("{path}::"), paths);
                return index + 3;
            }
            _ => break,
        }
    }
    paths.push(Written { line, text: path });
    index
}

fn is_colon(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':')
}

fn collect_literals(tokens: &[TokenTree], literals: &mut Vec<Written>) {
    let mut after_doc = false;
    for token in tokens {
        match token {
            // Comments for readers arrive as `#[doc = "…"]`.
            TokenTree::Ident(name) => after_doc = name == "doc",
            TokenTree::Literal(literal) if !after_doc => {
                literals.push(Written { line: literal.span().start().line, text: literal.to_string() });
            }
            TokenTree::Group(group) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                collect_literals(&inner, literals);
            }
            _ => (),
        }
    }
}

fn collect_functions(tokens: &[TokenTree], functions: &mut Vec<Function>) {
    let mut begun: Option<(usize, String)> = None;
    let mut after_fn = None;
    for token in tokens {
        match token {
            TokenTree::Ident(word) if word == "fn" => after_fn = Some(word.span().start().line),
            TokenTree::Ident(word) => {
                if let Some(line) = after_fn.take() {
                    begun = Some((line, word.to_string()));
                }
            }
            TokenTree::Punct(punct) if punct.as_char() == ';' => begun = None,
            TokenTree::Group(group) => {
                // `fn(…)` without a name is a type.
                after_fn = None;
                if group.delimiter() == Delimiter::Brace
                    && let Some((line, name)) = begun.take()
                {
                    let lines = group.span_close().end().line + 1 - line;
                    functions.push(Function { line, name, lines });
                }
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                collect_functions(&inner, functions);
            }
            _ => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        let code = Code::without_tests(text).expect("Rust");
        code.paths().into_iter().map(|path| path.text).collect()
    }

    #[test]
    fn groups_of_use_are_spelled_out() {
        assert_eq!(
            paths("use std::{fs, time::{Duration, Instant}};"),
            ["use", "std::fs", "std::time::Duration", "std::time::Instant"]
        );
    }

    #[test]
    fn comments_texts_and_test_modules_name_nothing() {
        let text = "/// std::fs\nconst A: &str = \"std::fs\"; // std::fs\n#[cfg(test)]\nmod tests { use std::fs; }\nstd::io;";
        let found = paths(text);
        assert!(!found.contains(&"std::fs".to_owned()), "{found:?}");
        assert!(found.contains(&"std::io".to_owned()), "{found:?}");
    }

    #[test]
    fn paths_inside_bodies_and_macros_are_found() {
        assert!(paths("fn f() { vec![std::fs::read(\"x\")] }").contains(&"std::fs::read".to_owned()));
    }

    #[test]
    fn literals_leave_out_documentation() {
        let code = Code::whole("/// StartAt\nconst A: &str = \"ResultPath\";").expect("Rust");
        assert_eq!(code.literals(), [Written { line: 2, text: "\"ResultPath\"".into() }]);
    }

    #[test]
    fn functions_are_measured_with_their_lines() {
        let code =
            Code::whole("trait T { fn none(); }\nfn a(g: fn(u8) -> u8) {\n    fn b() {}\n}").expect("Rust");
        let measured: Vec<_> = code
            .functions()
            .into_iter()
            .map(|function| (function.name, function.line, function.lines))
            .collect();
        assert_eq!(measured, [("a".to_owned(), 2, 3), ("b".to_owned(), 3, 1)]);
    }
}
