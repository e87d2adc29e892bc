//! Everything that is wrong with a source, in the order of its text.
//!
//! The rules and their words are `asl`'s, reached through one function, [`problems`]. What is added is what `asl`
//! cannot see any more once a text has become values: a name that is given twice, YAML that stands for no JSON, and the
//! length that AWS allows for the whole.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use asl::MachineType;
use asl::diagnostic::{Code, Diagnostic};
use asl::jsonata::Jsonata;
use jsonata::{Evaluator, Limits};

use super::place;
use crate::document::finding::{Finding, Severity};
use crate::document::node::{Node, Value};
use crate::document::source::{Source, Syntax};
use crate::document::{DEFINITION_CHARACTERS_MAX, comments, json, offset, yaml};

/// All findings about a source that is meant for this type of machine.
pub(in crate::commands) fn check(source: &Source, machine_type: MachineType) -> Vec<Finding> {
    let mut findings = match source.syntax {
        Syntax::Json => check_json(&source.text, machine_type),
        Syntax::JsonWithComments => check_json_with_comments(&source.text, machine_type),
        Syntax::Yaml => check_yaml(&source.text, machine_type),
    };
    findings.sort_by_key(|finding| finding.span.start);
    findings
}

/// What `asl` says about a definition in JSON.
fn problems(definition: &str, machine_type: MachineType) -> Vec<(Severity, Diagnostic)> {
    let jsonata: Arc<dyn Jsonata> = Arc::new(Evaluator::new(Limits::STRICT));
    let diagnostics = asl::parse(definition, machine_type, &jsonata).err().unwrap_or_default();
    diagnostics.into_iter().map(|diagnostic| (Severity::Error, diagnostic)).collect()
}

fn check_json(text: &str, machine_type: MachineType) -> Vec<Finding> {
    let problems = problems(text, machine_type);
    if let Some(broken) = broken(text, &problems) {
        return vec![Finding { help: remedy(text), ..broken }];
    }
    let root = json::read(text);
    let mut findings = placed(problems, root.as_ref());
    findings.extend(root.iter().flat_map(repeated_names));
    findings.extend(too_long(text.chars().count()));
    findings
}

fn check_json_with_comments(text: &str, machine_type: MachineType) -> Vec<Finding> {
    let plain = comments::blanked(text);
    let problems = problems(&plain, machine_type);
    if let Some(broken) = broken(&plain, &problems) {
        return vec![broken];
    }
    let root = json::read(&plain);
    let mut findings = placed(problems, root.as_ref());
    if let Some(root) = &root {
        findings.extend(repeated_names(root));
        findings.extend(too_long(root.to_json().chars().count()));
    }
    findings
}

fn check_yaml(text: &str, machine_type: MachineType) -> Vec<Finding> {
    let root = match yaml::read(text) {
        Ok(root) => root,
        Err(yaml::Refusal { message, span, help }) => {
            let code = "INVALID_YAML";
            return vec![Finding {
                severity: Severity::Error,
                code,
                message,
                location: None,
                span,
                help: help.map(Cow::from),
            }];
        }
    };
    let definition = root.as_ref().map(|root| root.to_json()).unwrap_or_default();
    let mut findings = placed(problems(&definition, machine_type), root.as_deref());
    findings.extend(too_long(definition.chars().count()));
    findings
}

/// What helps a text that only looks like JSON.
fn remedy(text: &str) -> Option<Cow<'static, str>> {
    if text.starts_with('\u{feff}') {
        return Some("the file begins with a byte order mark: save it without one".into());
    }
    let plain = comments::blanked(text);
    let is_lax = plain != text && asl::json::Json::parse(&plain).is_ok();
    is_lax.then_some(
        "AWS takes no comments and no trailing commas; a file named .jsonc may have them here".into(),
    )
}

/// The complaint about a text that is not JSON.
fn broken(text: &str, problems: &[(Severity, Diagnostic)]) -> Option<Finding> {
    let (severity, diagnostic) =
        problems.iter().find(|(_, diagnostic)| diagnostic.code == Code::InvalidJson)?;
    let location = diagnostic.location.clone();
    let locator = location.as_deref().and_then(Locator::parse);
    let (message, span) = match locator {
        Some(locator) => (locator.shorten(&diagnostic.message), locator.span(text, &diagnostic.message)),
        None => (diagnostic.message.clone(), 0..0),
    };
    Some(Finding { severity: *severity, code: diagnostic.code.as_str(), message, location, span, help: None })
}

/// A place as AWS's reader of JSON writes it: `[Source: (String)"…"; line: 1, column: 4]`.
struct Locator<'a> {
    /// Up to the place; the same in every locator for one text.
    quote: &'a str,
    line: usize,
    column: usize,
}

const LINE: &str = "; line: ";
const COLUMN: &str = ", column: ";

impl<'a> Locator<'a> {
    fn parse(location: &'a str) -> Option<Locator<'a>> {
        let (quote, place) = location.rsplit_once(LINE)?;
        let (line, column) = place.strip_suffix(']')?.split_once(COLUMN)?;
        Some(Locator { quote, line: line.parse().ok()?, column: column.parse().ok()? })
    }

    /// The message without its own place, which the report shows, and with other places in short.
    fn shorten(&self, message: &str) -> String {
        let Locator { quote, line, column } = self;
        let own = format!("\n at {quote}{LINE}{line}{COLUMN}{column}]");
        let message = message.strip_suffix(&own).unwrap_or(message);
        let mut out = String::new();
        for (index, piece) in message.split(quote).enumerate() {
            match piece.strip_prefix(LINE).and_then(|place| place.split_once(']')) {
                Some((place, rest)) if index > 0 => {
                    out.push_str(&format!("line {}{rest}", place.replace(COLUMN, ", column ")));
                }
                _ => out.push_str(piece),
            }
        }
        out
    }

    /// The place is behind what the reader took last: a character, an unknown word, or the end of the text.
    fn span(&self, text: &str, message: &str) -> Range<usize> {
        let end = offset(text, self.line, self.column);
        if message.starts_with("Unexpected end-of-input") || message.starts_with("No content") {
            let end = text.trim_end().len();
            return end..end;
        }
        let read = &text[..end];
        let is_word = |part: char| part.is_alphanumeric() || part == '_' || part == '$';
        let before = if message.starts_with("Unrecognized token") {
            read.trim_end_matches(is_word).len()
        } else {
            read.char_indices().next_back().map_or(0, |(at, _)| at)
        };
        before..end
    }
}

/// Puts what `asl` says to the places in the tree; without a tree there is no text to point at.
fn placed(problems: Vec<(Severity, Diagnostic)>, root: Option<&Node>) -> Vec<Finding> {
    let finding = |(severity, diagnostic): (Severity, Diagnostic)| {
        let Diagnostic { code, message, location } = diagnostic;
        let span = root.map(|root| place::find(root, location.as_deref().unwrap_or("/"), &message));
        let code = code.as_str();
        Finding { severity, code, message, location, span: span.unwrap_or(0..0), help: None }
    };
    problems.into_iter().map(finding).collect()
}

/// Names that stand twice in an object: readers of JSON drop the first in silence.
fn repeated_names(root: &Node) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut open = vec![(root, String::new())];
    while let Some((node, location)) = open.pop() {
        if let Value::Array(items) = &node.value {
            let item = |(index, item)| (item, format!("{location}[{index}]"));
            open.extend(items.iter().map(|item| &**item).enumerate().map(item));
        }
        let mut names = HashSet::new();
        for member in node.members() {
            let at = format!("{location}/{}", member.name);
            if !names.insert(member.name.as_str()) {
                findings.push(Finding {
                    severity: Severity::Warning,
                    code: "DUPLICATE_FIELD",
                    message: format!("Field '{}' is given twice; the last one counts", member.name),
                    location: Some(at.clone()),
                    span: member.name_span.clone(),
                    help: None,
                });
            }
            open.push((&member.value, at));
        }
    }
    findings
}

fn too_long(characters: usize) -> Option<Finding> {
    (characters > DEFINITION_CHARACTERS_MAX).then(|| Finding {
        severity: Severity::Error,
        code: "DEFINITION_TOO_LONG",
        message: format!(
            "The definition has {characters} characters; at most {DEFINITION_CHARACTERS_MAX} are allowed"
        ),
        location: None,
        span: 0..0,
        help: None,
    })
}
