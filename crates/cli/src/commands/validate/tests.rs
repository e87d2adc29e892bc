//! Definitions in files, each with the report that it gives: `crates/cli/tests/validate/NAME` and `NAME.txt`.
//!
//! With `UPDATE=1` in the environment the reports are written instead of compared: read the difference before keeping
//! it. Texts that are too large or too odd for a file are built here.

use std::path::PathBuf;

use asl::MachineType;

use super::check::check;
use super::report::{Checked, Report};
use crate::document::finding::Finding;
use crate::document::source::Source;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/validate")
}

fn findings(name: &str, text: &str, machine_type: MachineType) -> Vec<Finding> {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    check(&Source::new(name, extension, text.to_owned()), machine_type)
}

fn report(name: &str, text: &str) -> Report {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    let source = Source::new(name, extension, text.to_owned());
    let findings = check(&source, MachineType::Standard);
    Report::new(vec![Checked::Read { source, findings }])
}

#[track_caller]
fn messages(name: &str, text: &str) -> Vec<String> {
    findings(name, text, MachineType::Standard).into_iter().map(|finding| finding.message).collect()
}

#[test]
fn reports_are_as_recorded() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".txt"))
        .collect();
    names.sort();
    assert!(names.len() > 30, "the definitions are gone: {names:?}");
    let mut different = Vec::new();
    for name in names {
        let text = std::fs::read_to_string(folder().join(&name)).unwrap();
        let report = report(&name, &text).text(false, false);
        let expected = folder().join(format!("{name}.txt"));
        if update {
            std::fs::write(&expected, &report).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != report {
            different.push(report);
        }
    }
    assert!(different.is_empty(), "these reports are not as recorded:\n{}", different.join("\n"));
}

#[test]
fn the_manual_shows_what_is_printed() {
    let printed = std::fs::read_to_string(folder().join("order.asl.json.txt")).unwrap();
    let shown = format!("```console\n$ loveless validate order.asl.json\n{printed}```\n");
    assert!(
        include_str!("../../../../../docs/validate.md").contains(&shown),
        "the manual should have:\n{shown}"
    );
}

#[test]
fn a_machine_is_checked_as_its_type() {
    let text = r#"{"StartAt": "A", "States": {"A": {"Type": "Task",
        "Resource": "arn:aws:states:us-east-1:000000000000:activity:a", "End": true}}}"#;
    assert_eq!(findings("a.json", text, MachineType::Standard).len(), 0);
    assert_eq!(findings("a.json", text, MachineType::Express).len(), 1);
}

/// Beyond what any reader here nests.
const DEEP: usize = 2 * asl::json::DEPTH_MAX;

fn too_deep() -> [String; 1] {
    [format!("Lists and mappings are nested deeper than {} levels", asl::json::DEPTH_MAX)]
}

const TOO_LONG: &str = "With its aliases unfolded the definition has more than 4194304 bytes";

#[test]
fn aliases_cannot_unfold_into_more_than_a_definition() {
    let mut text = String::from("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for level in 1..40 {
        let alias = format!("*a{}", level - 1);
        text += &format!("a{level}: &a{level} [{}]\n", [alias.as_str(); 10].join(", "));
    }
    assert_eq!(messages("a.yaml", &text), [TOO_LONG]);
    let mut text = String::from("a0: &a0 {k: v}\n");
    for level in 1..200 {
        text += &format!("a{level}: &a{level} {{<<: [*a{0}, *a{0}], x: *a{0}}}\n", level - 1);
    }
    assert_eq!(messages("a.yaml", &text), [TOO_LONG]);
    let mut text = String::from("a0: &a0 {k: v}\n");
    for level in 1..DEEP {
        text += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
    }
    assert_eq!(messages("a.yaml", &text), too_deep());
}

#[test]
fn nesting_ends_in_a_message() {
    for name in ["a.json", "a.jsonc", "a.yaml"] {
        for text in ["[".repeat(100_000), "{\"a\":".repeat(100_000)] {
            assert_eq!(messages(name, &text).len(), 1, "{name}");
        }
    }
    let block: String = (0..DEEP).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert_eq!(messages("a.yaml", &block), too_deep());
}

#[test]
fn numbers_reach_the_language_as_they_are_written() {
    let text = "{n: [1.10, 12345678901234567890123, 1e400, -0, 0x10, 1.]}";
    let root = crate::document::yaml::read(text).unwrap().unwrap();
    assert_eq!(root.to_json(), "{\"n\":[1.10,12345678901234567890123,1e400,-0,16,1.0]}");
}

#[test]
fn a_definition_has_a_length() {
    let text = |length: usize| {
        let frame = r#"{"Comment":"","StartAt":"A","States":{"A":{"Type":"Succeed"}}}"#;
        frame.replacen("\"\"", &format!("\"{}\"", "é".repeat(length - frame.chars().count())), 1)
    };
    let longest = text(1_048_576);
    let longer = text(1_048_577);
    for name in ["a.json", "a.jsonc", "a.yaml"] {
        assert_eq!(messages(name, &longest), [""; 0], "{name}");
        let expected = "The definition has 1048577 characters; at most 1048576 are allowed";
        assert_eq!(messages(name, &longer), [expected], "{name}");
    }
    // Blanks count where they are sent, and comments where they are not sent do not.
    assert_eq!(messages("a.json", &format!("{longest} ")).len(), 1);
    assert_eq!(messages("a.jsonc", &format!("{longest} // more")), [""; 0]);
}

#[test]
fn line_ends_of_windows_change_nothing() {
    for name in
        ["order.asl.json", "commented.jsonc", "order.asl.yaml", "broken-end.json", "broken-indent.yaml"]
    {
        let unix = std::fs::read_to_string(folder().join(name)).unwrap();
        let windows = unix.replace('\n', "\r\n");
        assert_eq!(report(name, &windows).text(false, false), report(name, &unix).text(false, false));
    }
}

#[test]
fn colours_come_only_when_asked_for() {
    let report = report("a.json", "{}");
    assert!(report.text(true, false).contains("\u{1b}["));
    assert!(!report.text(false, false).contains('\u{1b}'));
}

#[test]
fn control_characters_of_a_definition_do_not_reach_the_terminal() {
    let definition =
        "\"\\e[31mred\": 1\n\"\u{202e}\": 2\nStartAt: A\nStates: {\"\\e[2J\": {Type: \"\\e[1m\"}}\n";
    let text = report("a.yaml", definition).text(false, false);
    assert!(text.contains("is not supported") && text.contains("/States/\\u{1b}[2J/Type"), "{text}");
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
}

#[test]
fn a_long_line_is_cut_around_the_caret() {
    let states: Vec<String> =
        (0..500).map(|n| format!(r#""é{n}": {{"Type": "Pass", "Next": "x{n}"}}"#)).collect();
    let definition = format!(r#"{{"StartAt": "é0", "States": {{{}}}}}"#, states.join(", "));
    let text = report("a.json", &definition).text(false, true);
    assert_eq!(text.matches("error[MISSING_TRANSITION_TARGET]").count(), 500);
    let longest = text.lines().map(|line| line.chars().count()).max();
    assert!(longest < Some(150), "{longest:?}");
    let at = definition.split_once("\"x250\"").unwrap().0.chars().count() + 1;
    let lines: Vec<&str> = text.lines().collect();
    let place = lines.iter().position(|line| *line == format!(" --> a.json:1:{at}")).unwrap();
    let caret = lines[place + 3].find('^').unwrap();
    let above: String = lines[place + 2].chars().skip(caret).take(6).collect();
    assert_eq!(above, "\"x250\"");
}

#[test]
fn any_prefix_of_a_definition_gives_a_report() {
    for name in ["order.asl.json", "commented.jsonc", "order.asl.yaml", "wide.json", "nested.json"] {
        let text = std::fs::read_to_string(folder().join(name)).unwrap();
        for (end, _) in text.char_indices() {
            let report = report(name, &text[..end]);
            assert!(report.has_errors() || name.ends_with("yaml"), "{}", &text[..end]);
            assert!(report.text(false, false).contains(name));
        }
    }
}
