//! Regular expressions: what ours find against what JavaScript's find.

use crate::javascript::Oracle;
use crate::ours::{self, Outcome};

const PATTERNS: [&str; 62] = [
    "/a/",
    "/A/i",
    "/b+/",
    "/[a-c]+/",
    "/[^a-c]+/",
    r"/\d+/",
    r"/\D+/",
    r"/\w+/",
    r"/\W+/",
    r"/\s/",
    r"/\S+/",
    "/./",
    "/.+/",
    "/a.c/",
    r"/\./",
    r"/a|b|cd/",
    "/(a)(b)?/",
    "/(?:ab)+/",
    "/(?<first>a)b/",
    "/^a/",
    "/c$/",
    "/^b/m",
    "/a$/m",
    r"/\bcat\b/",
    r"/\Bat/",
    "/a{2}/",
    "/a{2,}/",
    "/a{1,2}/",
    "/a{x}/",
    "/a{,2}/",
    "/{/",
    "/}/",
    "/]/",
    r"/\]/",
    "/[]]/",
    "/[^]/",
    r"/[\]]/",
    "/[[]/",
    "/[[a]/",
    "/[a&&b]/",
    "/[a~~b]/",
    "/[a-]/",
    "/[-a]/",
    r"/[\d-]+/",
    r"/[\w.]+@[\w.]+/",
    r"/\//",
    r"/[/]/",
    r"/\u0061/",
    r"/\x61/",
    r"/\t/",
    r"/[\b]/",
    r"/\-/",
    r"/\ /",
    r"/\:/",
    "/é/",
    "/ü+/",
    "/[à-ü]/",
    "/a+?/",
    "/(a|ab)(c|bcd)/",
    "/x*y/",
    "/(a+)+c/",
    r"/^[A-Z]{2}\d{4}$/",
];

const TEXTS: [&str; 14] = [
    "abc",
    "aabbcc",
    "ABC abc",
    "cat concat cat.",
    "a.c a-c",
    "x{,2} a{x} [a] ]",
    "line one\\nb line\\nc a",
    "user.name@example.org",
    "12-34 56",
    "été über ü",
    "\\t tab",
    "a/b\\\\c:d",
    "AB1234",
    "a && b ~~ -",
];

#[test]
fn patterns_find_what_they_find_in_javascript() {
    let Some(oracle) = Oracle::summon() else { return };
    let mut wrong = Vec::new();
    for pattern in PATTERNS {
        for text in TEXTS {
            for expression in [
                format!("$match(\"{text}\", {pattern})"),
                format!("$contains(\"{text}\", {pattern})"),
                format!("$split(\"{text}\", {pattern})"),
                format!("$replace(\"{text}\", {pattern}, \"<$0$1>\")"),
            ] {
                let (theirs, ours) =
                    (oracle.evaluate(&expression, "null"), ours::evaluate(&expression, "null"));
                // What has no end by the rules of tokens is refused by both, here when the state machine is created.
                let refused = |outcome: &Outcome, code: &str| matches!(outcome, Outcome::Error { code: found, .. } if found == code);
                if refused(&theirs, "S0302") && refused(&ours, "refused") {
                    continue;
                }
                if !theirs.agrees(&ours) {
                    wrong.push(format!("{expression}\n  theirs: {theirs:?}\n  ours:   {ours:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}
