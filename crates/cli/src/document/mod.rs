//! Files that people write: definitions, mocks and expectations, in JSON, JSON with comments or YAML.
//!
//! [`source`] reads a file, [`json`] and [`yaml`] say where everything in it stands, [`drawing`] shows a finding under its
//! line. It refuses to know what a document means.

use std::borrow::Cow;
use std::rc::Rc;

use self::finding::{Finding, Severity};
use self::node::Node;
use self::source::{Source, Syntax};

pub(crate) mod comments;
pub(crate) mod drawing;
pub(crate) mod finding;
pub(crate) mod json;
pub(crate) mod node;
pub(crate) mod source;
pub(crate) mod yaml;

/// The longest definition that AWS takes.
pub(crate) const DEFINITION_CHARACTERS_MAX: usize = 1_048_576;

/// The tree of a document.
///
/// # Errors
/// It is not of its syntax, or empty.
pub(crate) fn tree(source: &Source) -> Result<Rc<Node>, Box<Finding>> {
    let blanked;
    let text = match source.syntax {
        Syntax::Yaml => return yaml_tree(source),
        Syntax::Json => &source.text,
        Syntax::JsonWithComments => {
            blanked = comments::blanked(&source.text);
            &blanked
        }
    };
    match asl::json::Json::parse(text) {
        Err(error) => {
            let end = offset(text, error.line(), error.column());
            let start = text[..end].char_indices().next_back().map_or(0, |(at, _)| at);
            Err(broken("INVALID_JSON", error.message().to_owned(), start..end, None))
        }
        Ok(_) => json::read(text)
            .map(Rc::new)
            .ok_or_else(|| broken("INVALID_JSON", "The document cannot be read".into(), 0..0, None)),
    }
}

fn yaml_tree(source: &Source) -> Result<Rc<Node>, Box<Finding>> {
    match yaml::read(&source.text) {
        Ok(Some(root)) => Ok(root),
        Ok(None) => Err(broken("INVALID_YAML", "The document is empty".into(), 0..0, None)),
        Err(refusal) => Err(broken("INVALID_YAML", refusal.message, refusal.span, refusal.help)),
    }
}

fn broken(
    code: &'static str,
    message: String,
    span: std::ops::Range<usize>,
    help: Option<&'static str>,
) -> Box<Finding> {
    let help = help.map(Cow::from);
    Box::new(Finding { severity: Severity::Error, code, message, location: None, span, help })
}

/// A definition as the JSON text that a server would be given; one that cannot be read stays as it is.
pub(crate) fn definition(source: &Source) -> String {
    match source.syntax {
        Syntax::Json => source.text.clone(),
        Syntax::JsonWithComments => comments::blanked(&source.text),
        Syntax::Yaml => match yaml::read(&source.text) {
            Ok(Some(root)) => root.to_json(),
            Ok(None) | Err(_) => source.text.clone(),
        },
    }
}

/// The byte at a line from 1 and a column from 1 in UTF-16 units, as AWS's reader counts.
pub(crate) fn offset(text: &str, line: usize, column: usize) -> usize {
    let start = match line {
        0 | 1 => 0,
        later => text.match_indices('\n').nth(later - 2).map_or(text.len(), |(at, _)| at + 1),
    };
    let mut units = 1;
    for (at, character) in text[start..].char_indices() {
        if units >= column {
            return start + at;
        }
        units += character.len_utf16();
    }
    text.len()
}
