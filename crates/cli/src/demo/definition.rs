//! The demo's machine before and after its migration, and the difference between the two.

use serde_json::{Value, json};

/// Its one state.
pub(crate) const STATE: &str = "RemoveBackground";

/// The task is pushed to a Lambda function. Retry names what an honest operator expects: a worker that dies, and a store
/// that is away for a moment.
pub(crate) fn on_lambda(function_arn: &str) -> Value {
    json!({
        "Comment": "Removes the background of an image that was dropped into a bucket",
        "StartAt": STATE,
        "States": {
            STATE: {
                "Type": "Task",
                "Resource": function_arn,
                "Retry": [{
                    "ErrorEquals": ["States.HeartbeatTimeout", "StorageUnreachable"],
                    "IntervalSeconds": 1,
                    "MaxAttempts": 3
                }],
                "End": true
            }
        }
    })
}

/// The same task, pulled by whoever polls the activity.
pub(crate) fn on_activity(function_arn: &str, activity_arn: &str, heartbeat_seconds: u64) -> Value {
    let mut definition = on_lambda(function_arn);
    let state = &mut definition["States"][STATE];
    state["Resource"] = json!(activity_arn);
    state["HeartbeatSeconds"] = json!(heartbeat_seconds);
    definition
}

/// The text that is sent and shown.
pub(crate) fn text(definition: &Value) -> String {
    serde_json::to_string_pretty(definition).unwrap_or_default()
}

/// The lines that differ, with the lines around them: what a reviewer would see.
pub(crate) fn diff(before: &str, after: &str) -> String {
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let common = common_lines(&before, &after);
    let (mut left, mut right) = (0, 0);
    let mut lines: Vec<(char, &str)> = Vec::new();
    for (l, r) in common.into_iter().chain([(before.len(), after.len())]) {
        lines.extend(before[left..l].iter().map(|line| ('-', *line)));
        lines.extend(after[right..r].iter().map(|line| ('+', *line)));
        lines.extend(before.get(l).map(|line| (' ', *line)));
        (left, right) = (l + 1, r + 1);
    }
    let near = |at: usize| {
        let (from, to) = (at.saturating_sub(1), (at + 2).min(lines.len()));
        lines[from..to].iter().any(|(sign, _)| *sign != ' ')
    };
    let shown = lines.iter().enumerate().filter(|(at, _)| near(*at));
    shown.map(|(_, (sign, line))| format!("{sign} {line}\n")).collect()
}

/// The longest common subsequence of two short texts, as pairs of line numbers.
fn common_lines(before: &[&str], after: &[&str]) -> Vec<(usize, usize)> {
    let mut lengths = vec![vec![0_usize; after.len() + 1]; before.len() + 1];
    for l in (0..before.len()).rev() {
        for r in (0..after.len()).rev() {
            lengths[l][r] = if before[l] == after[r] {
                lengths[l + 1][r + 1] + 1
            } else {
                lengths[l + 1][r].max(lengths[l][r + 1])
            };
        }
    }
    let (mut l, mut r, mut pairs) = (0, 0, Vec::new());
    while l < before.len() && r < after.len() {
        if before[l] == after[r] {
            pairs.push((l, r));
            (l, r) = (l + 1, r + 1);
        } else if lengths[l + 1][r] >= lengths[l][r + 1] {
            l += 1;
        } else {
            r += 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_migration_is_an_edit_of_one_state() {
        let (before, after) = (on_lambda("FUNCTION"), on_activity("FUNCTION", "ACTIVITY", 3));
        let diff = diff(&text(&before), &text(&after));
        let changed: Vec<&str> = diff.lines().filter(|line| !line.starts_with(' ')).map(str::trim).collect();
        assert_eq!(
            changed,
            [
                "-       \"Resource\": \"FUNCTION\",",
                "+       \"Resource\": \"ACTIVITY\",",
                "-       \"End\": true",
                "+       \"End\": true,",
                "+       \"HeartbeatSeconds\": 3",
            ]
        );
        let (mut before, mut after) = (before, after);
        before["States"][STATE] = Value::Null;
        after["States"][STATE] = Value::Null;
        assert_eq!(before, after, "nothing outside the state differs");
    }
}
