//! What was found, for people or for programs.
//!
//! People get each finding drawn and every file summed up, programs one JSON document. It refuses to know how findings
//! come about and how they are drawn.

use serde_json::{Value, json};

use crate::document::drawing::{Style, draw, visible};
use crate::document::finding::{Finding, Severity};
use crate::document::source::Source;

/// A file of the command line, and what came of it.
pub(super) enum Checked {
    Read { source: Source, findings: Vec<Finding> },
    Unreadable { file: String, trouble: String },
}

pub(super) struct Report {
    files: Vec<Checked>,
}

impl Report {
    pub(super) fn new(files: Vec<Checked>) -> Report {
        Report { files }
    }

    /// The files that could not be read, and why.
    pub(super) fn unreadable(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|checked| match checked {
            Checked::Unreadable { file, trouble } => Some((file.as_str(), trouble.as_str())),
            Checked::Read { .. } => None,
        })
    }

    pub(super) fn has_errors(&self) -> bool {
        self.read().any(|(_, findings)| count(findings, Severity::Error) > 0)
    }

    fn read(&self) -> impl Iterator<Item = (&Source, &[Finding])> {
        self.files.iter().filter_map(|checked| match checked {
            Checked::Read { source, findings } => Some((source, findings.as_slice())),
            Checked::Unreadable { .. } => None,
        })
    }

    /// For people. `quiet` leaves out the line that sums up each file.
    pub(super) fn text(&self, colours: bool, quiet: bool) -> String {
        let style = if colours { Style::COLOURED } else { Style::PLAIN };
        let mut out = String::new();
        for (source, findings) in self.read() {
            for finding in findings {
                out.push_str(&draw(&style, source, finding));
                out.push('\n');
            }
            if !quiet {
                out.push_str(&format!("{}: {}\n", visible(&source.name), summary(findings)));
            }
        }
        out
    }

    /// For programs.
    pub(super) fn json(&self) -> String {
        let files: Vec<Value> = self
            .files
            .iter()
            .map(|checked| match checked {
                Checked::Read { source, findings } => {
                    json!({"file": source.name, "valid": count(findings, Severity::Error) == 0})
                }
                Checked::Unreadable { file, trouble } => {
                    json!({"file": file, "valid": false, "error": trouble})
                }
            })
            .collect();
        let diagnostics: Vec<Value> = self
            .read()
            .flat_map(|(source, findings)| findings.iter().map(|finding| diagnostic(source, finding)))
            .collect();
        let valid = !self.has_errors() && self.unreadable().next().is_none();
        let document = json!({"valid": valid, "files": files, "diagnostics": diagnostics});
        format!("{document:#}\n")
    }
}

fn diagnostic(source: &Source, finding: &Finding) -> Value {
    let position = source.position(finding.span.start);
    let mut diagnostic = json!({
        "file": source.name,
        "line": position.line,
        "column": position.column,
        "severity": finding.severity.as_str(),
        "code": finding.code,
        "message": finding.message,
        "location": finding.location,
    });
    if let Some(help) = &finding.help {
        diagnostic["help"] = help.as_ref().into();
    }
    diagnostic
}

fn summary(findings: &[Finding]) -> String {
    let counted = |severity: Severity, name: &str| {
        let count = count(findings, severity);
        let ending = if count == 1 { "" } else { "s" };
        (count > 0).then(|| format!("{count} {name}{ending}"))
    };
    let errors = counted(Severity::Error, "error");
    let warnings = counted(Severity::Warning, "warning");
    let valid = errors.is_none().then(|| "valid".to_owned());
    [errors.or(valid), warnings].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn count(findings: &[Finding], severity: Severity) -> usize {
    findings.iter().filter(|finding| finding.severity == severity).count()
}
