//! Expressions that fail when they run: our codes and words against the oracle's.

use crate::javascript::Oracle;
use crate::ours::{self, Outcome};

/// One a line.
const FAILING: &str = include_str!("../data/failing.txt");

const INPUT: &str = r#"{"a":1,"s":"text","xs":[1,2,3],"mixed":[1,"a"],"objs":[{"o":{}},{"o":{}}],
    "os":[{"k":"a","v":1},{"k":"b","v":2}]}"#;

/// Where we differ, and why.
const OTHERWISE: [(&str, &str); 6] = [
    ("1(2)", "refused when the state machine is created, which is earlier"),
    ("\"a\"(1)", "refused when the state machine is created"),
    ("sum(1)", "a bare name is refused when the state machine is created"),
    ("$eval(\"1\")", "AWS has no $eval"),
    ("[1..null]", "the library takes null for undefined here"),
    ("$fromMillis(8.65e15)", "no date has so many milliseconds; jsonata-js writes NaN into all its parts"),
];

/// Where our words differ.
const WORDED_OTHERWISE: [(&str, &str); 4] = [
    ("$states.input.mixed^($)", "the values that an order-by compared are not known"),
    ("$sort(1, 2, 3)", "the second argument is wrong as well"),
    ("$string(1,2,3)", "the second argument is wrong as well"),
    ("1 and (\"a\" + 1)", "jsonata-js blames the operator around"),
];

#[test]
fn what_fails_fails_alike() {
    let Some(oracle) = Oracle::summon() else { return };
    let (mut alike, mut wrong, mut worded) = (0, Vec::new(), Vec::new());
    for expression in FAILING.lines() {
        let (theirs, ours) = (oracle.evaluate(expression, INPUT), ours::evaluate(expression, INPUT));
        let excused = |table: &[(&str, &str)]| table.iter().any(|(known, _)| *known == expression);
        if excused(&OTHERWISE) {
            assert!(!theirs.agrees(&ours), "{expression} is alike now: drop it from the exceptions");
        } else if !theirs.agrees(&ours) {
            wrong.push(format!("{expression}\n  theirs: {theirs:?}\n  ours:   {ours:?}"));
        } else if let (Outcome::Error { message, .. }, Outcome::Error { message: our_message, .. }) =
            (&theirs, &ours)
        {
            alike += 1;
            if (message == our_message) == excused(&WORDED_OTHERWISE) {
                worded.push(format!("{expression}\n  theirs: {message}\n  ours:   {our_message}"));
            }
        }
    }
    println!("{alike} alike, {} worded otherwise, {} otherwise", worded.len(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(worded.is_empty(), "{}", worded.join("\n"));
    assert!(alike >= 280, "the table should hold failing expressions; {alike} of them are");
}
