//! Texts that are no JSONata: our words against the oracle's.

use crate::javascript::Oracle;
use crate::ours;

/// One a line.
const BROKEN: &str = include_str!("../data/broken.txt");

/// Names of letters that only 2.0.6 takes without backquotes.
const ODD_NAMES: [&str; 3] = ["€", "\\\\", "a\\\\b"];

#[test]
fn what_is_no_jsonata_is_refused_in_the_same_words() {
    let Some(oracle) = Oracle::summon() else { return };
    let mut refused = 0;
    let mut wrong = Vec::new();
    for expression in BROKEN.lines().filter(|line| !ODD_NAMES.contains(line) && !line.starts_with("\\u")) {
        let (theirs, ours) = (oracle.complaint(expression), ours::complaint(expression));
        refused += usize::from(!theirs.is_empty());
        if theirs != ours {
            wrong.push(format!("{expression}\n  theirs: {theirs}\n  ours:   {ours}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused >= 170, "the table should hold broken texts; {refused} of them are");
}

#[test]
fn odd_names_need_backquotes() {
    for name in ODD_NAMES {
        assert!(!ours::complaint(name).is_empty(), "{name} is taken now: drop it from the exceptions");
        assert_eq!(ours::complaint(&format!("$x.`{name}`")), "", "{name}");
    }
}
