//! A finding as people read it, in the manner of rustc: the message, the place, and the source line over a caret.
//!
//! It refuses to know how findings come about. Two libraries were the road not taken:
//! miette brings a dozen packages, and annotate-snippets draws whole lines only, while definitions come as one line of
//! a mebibyte. Neither disarms every text that a definition puts into the drawing.

use std::io::IsTerminal;
use std::ops::Range;

use unicode_width::UnicodeWidthStr;

use super::finding::{Finding, Severity};
use super::source::Source;

/// How wide a tab is drawn. Editors differ; what matters is that the caret's line agrees with the source's.
const TAB: &str = "    ";
/// A line of more characters is long: it would be broken by most screens.
const LINE_MAX: usize = 140;
/// How much of a long line is drawn, in characters to each side of where the caret begins.
const BEFORE_MAX: usize = 50;
const AFTER_MAX: usize = 80;

/// How parts are shown: escape sequences of a terminal, or nothing.
pub(crate) struct Style {
    error: &'static str,
    warning: &'static str,
    frame: &'static str,
    strong: &'static str,
    reset: &'static str,
}

impl Style {
    pub(crate) const PLAIN: Style = Style { error: "", warning: "", frame: "", strong: "", reset: "" };
    pub(crate) const COLOURED: Style = Style {
        error: "\u{1b}[1;31m",
        warning: "\u{1b}[1;33m",
        frame: "\u{1b}[1;34m",
        strong: "\u{1b}[1m",
        reset: "\u{1b}[0m",
    };
}

/// Whether the standard output is a terminal whose user wants colours (<https://no-color.org>).
pub(crate) fn colours_wanted() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    std::io::stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb
}

/// Draws a finding, with a line's end behind each line.
pub(crate) fn draw(style: &Style, source: &Source, finding: &Finding) -> String {
    let Style { frame, strong, reset, .. } = style;
    let (level, colour) = match finding.severity {
        Severity::Error => ("error", style.error),
        Severity::Warning => ("warning", style.warning),
    };
    let position = source.position(finding.span.start);
    let line = position.line.to_string();
    let margin = " ".repeat(line.len());
    let Excerpt { before, marked, after } = excerpt(source, &finding.span);
    let indent = " ".repeat(before.width());
    let carets = "^".repeat(marked.width().max(1));
    // A place in broken JSON repeats the source.
    let location = finding.location.as_deref().filter(|location| location.starts_with('/'));
    let label = location.map(|location| format!(" {}", visible(location))).unwrap_or_default();
    let mut out = String::new();
    let mut put = |text: String| {
        out.push_str(text.trim_end());
        out.push('\n');
    };
    put(format!("{colour}{level}[{}]{reset}{strong}: {}{reset}", finding.code, visible(&finding.message)));
    put(format!("{margin}{frame}-->{reset} {}:{line}:{}", visible(&source.name), position.column));
    put(format!("{margin} {frame}|{reset}"));
    put(format!("{frame}{line} |{reset} {before}{marked}{after}"));
    put(format!("{margin} {frame}|{reset} {indent}{colour}{carets}{label}{reset}"));
    if let Some(help) = &finding.help {
        put(format!("{margin} {frame}|{reset}"));
        put(format!("{margin} {frame}={reset} {strong}help{reset}: {help}"));
    }
    out
}

/// A line of the source as it is drawn, in three parts.
struct Excerpt {
    before: String,
    marked: String,
    after: String,
}

/// The line in which `span` begins, or what surrounds it in a long one.
fn excerpt(source: &Source, span: &Range<usize>) -> Excerpt {
    let line = source.line_around(span.start);
    let before = &source.text[line.start..span.start];
    let behind = &source.text[span.start..line.end];
    let is_long = source.text[line.clone()].chars().nth(LINE_MAX).is_some();
    let from = before.char_indices().nth_back(BEFORE_MAX - 1).filter(|_| is_long).map_or(0, |(at, _)| at);
    let to = behind.char_indices().nth(AFTER_MAX).filter(|_| is_long).map_or(behind.len(), |(at, _)| at);
    let marked = behind[..span.len().min(to)].trim_end();
    let after = &behind[marked.len()..to];
    let cut = |is_cut: bool| if is_cut { "..." } else { "" };
    Excerpt {
        before: format!("{}{}", cut(from > 0), visible(&before[from..])),
        marked: visible(marked),
        after: format!("{}{}", visible(after), cut(to < behind.len())),
    }
}

/// A text without what would command a terminal or turn its direction.
pub(crate) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for part in text.chars() {
        match part {
            '\t' => out.push_str(TAB),
            '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}' => {
                out.extend(part.escape_unicode());
            }
            control if control.is_control() => out.extend(control.escape_unicode()),
            plain => out.push(plain),
        }
    }
    out
}
