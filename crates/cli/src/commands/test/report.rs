//! What came of the cases: lines for people, one JSON document for programs, or JUnit's XML for CI systems.

use serde_json::{Value, json};

use super::case::{Ended, Outcome, Ran};
use crate::document::drawing::visible;

/// Visits that are shown of a path: one of a long loop would fill the screen.
const VISITS_FIRST: usize = 40;
const VISITS_LAST: usize = 5;

/// For people: a line for each case, and under it what is not as expected.
pub(super) fn text(cases: &[Ran]) -> String {
    let mut out = String::new();
    for case in cases {
        let word = if case.passed() { "ok  " } else { "FAIL" };
        let name = visible(&case.name);
        match &case.outcome {
            Outcome::Ended { ended, differences } => {
                out.push_str(&format!(
                    "{word} {name}  {}{}  {}\n",
                    ended.status,
                    skipped(ended),
                    path(&ended.path)
                ));
                for difference in differences {
                    let text = visible_lines(&difference.text);
                    match text.split_once('\n') {
                        None => out.push_str(&format!("       {}: {text}\n", difference.field)),
                        Some(_) => {
                            let text = text.replace('\n', "\n         ");
                            out.push_str(&format!("       {}:\n         {text}\n", difference.field));
                        }
                    }
                }
            }
            Outcome::Stopped { trouble, path: come } => {
                out.push_str(&format!("{word} {name}  {}\n       {}\n", path(come), visible(trouble)));
            }
        }
    }
    out.push_str(&format!("{}\n", summary(cases)));
    out
}

fn summary(cases: &[Ran]) -> String {
    let failed = cases.iter().filter(|case| !case.passed()).count();
    let plural = if cases.len() == 1 { "" } else { "s" };
    match failed {
        0 => format!("{} case{plural} passed", cases.len()),
        failed => format!("{failed} of {} case{plural} failed", cases.len()),
    }
}

/// Time that went by on the machine's clock and not on ours.
fn skipped(ended: &Ended) -> String {
    if ended.took_ms == 0 {
        return String::new();
    }
    let (seconds, milliseconds) = (ended.took_ms / 1000, ended.took_ms % 1000);
    let fraction = if milliseconds == 0 {
        String::new()
    } else {
        format!(".{milliseconds:03}").trim_end_matches('0').into()
    };
    format!(" ({seconds}{fraction} s skipped)")
}

/// The path on one line, a state that is entered several times in a row once.
fn path(visits: &[String]) -> String {
    let mut steps: Vec<(&str, usize)> = Vec::new();
    for state in visits {
        match steps.last_mut() {
            Some((last, times)) if last == state => *times += 1,
            _ => steps.push((state, 1)),
        }
    }
    let shown = |(state, times): &(&str, usize)| match times {
        1 => visible(state),
        times => format!("{} ×{times}", visible(state)),
    };
    let shown: Vec<String> = if steps.len() > VISITS_FIRST + VISITS_LAST + 1 {
        let left_out = steps.len() - VISITS_FIRST - VISITS_LAST;
        let first = steps[..VISITS_FIRST].iter().map(shown);
        let last = steps[steps.len() - VISITS_LAST..].iter().map(shown);
        first.chain([format!("… {left_out} more …")]).chain(last).collect()
    } else {
        steps.iter().map(shown).collect()
    };
    shown.join(" → ")
}

fn visible_lines(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}

/// For programs.
pub(super) fn json(cases: &[Ran]) -> String {
    let passed = cases.iter().all(Ran::passed);
    let cases: Vec<Value> = cases
        .iter()
        .map(|case| match &case.outcome {
            Outcome::Ended { ended, differences } => {
                let differences: Vec<Value> = differences
                    .iter()
                    .map(|difference| json!({"field": difference.field, "text": difference.text}))
                    .collect();
                let mut shown = json!({
                    "name": case.name,
                    "passed": case.passed(),
                    "status": ended.status,
                    "path": ended.path,
                    "skippedMilliseconds": ended.took_ms,
                    "differences": differences,
                });
                let texts = [("error", &ended.error), ("cause", &ended.cause)];
                for (name, text) in texts.into_iter().filter(|(_, text)| text.is_some()) {
                    shown[name] = json!(text);
                }
                if let Some(output) = &ended.output {
                    shown["output"] = output.clone();
                }
                shown
            }
            Outcome::Stopped { trouble, path } => {
                json!({"name": case.name, "passed": false, "path": path, "trouble": trouble})
            }
        })
        .collect();
    format!("{:#}\n", json!({"passed": passed, "cases": cases}))
}

/// For CI systems. No dates and times: a report is the same for the same result.
pub(super) fn junit(machine: &str, cases: &[Ran]) -> String {
    let failed = cases.iter().filter(|case| !case.passed()).count();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let counts = format!("tests=\"{}\" failures=\"{failed}\"", cases.len());
    out.push_str(&format!("<testsuites {counts}>\n  <testsuite name=\"{}\" {counts}>\n", xml(machine)));
    for case in cases {
        let name = case.name.split_once('#').map_or(case.name.as_str(), |(_, name)| name);
        let head = format!("    <testcase classname=\"{}\" name=\"{}\"", xml(machine), xml(name));
        let (text, told) = match &case.outcome {
            Outcome::Ended { ended, differences } => {
                let lines: Vec<String> = differences
                    .iter()
                    .map(|difference| format!("{}:\n{}", difference.field, difference.text))
                    .collect();
                (lines.join("\n"), format!("{}  {}", ended.status, path(&ended.path)))
            }
            Outcome::Stopped { trouble, path: come } => (trouble.clone(), path(come)),
        };
        out.push_str(&head);
        out.push_str(">\n");
        if !case.passed() {
            let message = text.lines().next().unwrap_or_default().trim_end_matches(':');
            out.push_str(&format!("      <failure message=\"{}\">{}</failure>\n", xml(message), xml(&text)));
        }
        if !told.is_empty() {
            out.push_str(&format!("      <system-out>{}</system-out>\n", xml(&told)));
        }
        out.push_str("    </testcase>\n");
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

/// A text inside XML. What XML 1.0 cannot hold at all becomes U+FFFD.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for part in text.chars() {
        match part {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(part),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            control if (control as u32) < 0x20 => out.push('\u{fffd}'),
            plain => out.push(plain),
        }
    }
    out
}
