//! Tests of regular expressions: which are refused, and that hostile ones end. What they match is compared with Java's
//! own answers in `tests/path-jayway.json`.

use super::*;

fn matches(pattern: &str, flags: &str, text: &str) -> bool {
    Pattern::parse(pattern, flags).unwrap_or_else(|reason| panic!("{pattern}: {reason}")).matches(text)
}

#[test]
fn flags_and_groups_scope_as_in_java() {
    assert!(matches("a(?i)b|c", "", "aB"));
    assert!(matches("a(?i)b|c", "", "C"));
    assert!(!matches("(a(?i)b)c", "", "aBC"));
    assert!(matches("(?i:a(?-i)b)", "", "Ab"));
    assert!(!matches("(?i:a(?-i)b)", "", "AB"));
    assert!(matches("a # the letter\n b", "x", "ab"));
    assert!(matches("a.b", "s", "a\nb") && !matches("a.b", "", "a\u{2028}b") && matches("a.b", "d", "a\rb"));
    assert!(matches("é", "iu", "É") && !matches("é", "i", "É"));
    assert!(matches(r"\d", "U", "٣") && !matches(r"\d", "", "٣"));
    assert!(matches(r"\Qa.b\E.", "", "a.bc") && !matches(r"\Qa.b\E", "", "axb"));
    assert!(matches(r"[\]^\-&]+", "", "]^-&") && !matches(r"[^\]]", "", "]"));
    assert!(matches("[a-z&&[^m-p]]+", "", "abz") && !matches("[a-z&&[^m-p]]", "", "n"));
}

#[test]
fn patterns_are_refused_with_a_reason() {
    for (pattern, reason) in [
        ("(a", "unclosed '(' in the regular expression"),
        ("a)", "unmatched ')' in the regular expression"),
        ("[a", "unclosed '[' in the regular expression"),
        ("*a", "'*' of the regular expression repeats nothing"),
        ("a|+", "'+' of the regular expression repeats nothing"),
        ("a**", "a quantifier of the regular expression repeats nothing"),
        ("a*+", "possessive quantifiers in regular expressions are not supported"),
        ("a{x}", "a '{' of the regular expression does not begin a number"),
        ("a{2,1}", "this regular expression is not supported"),
        (r"(a)\1", "references to groups in regular expressions are not supported"),
        ("(?=a)", "groups that look around or never give back are not supported"),
        ("(?>a)", "groups that look around or never give back are not supported"),
        ("(?q)", "unknown group in the regular expression"),
        (r"\y", r"'\y' in regular expressions is not supported"),
        (r"\", r"the regular expression ends with '\'"),
        (r"\u12", "an escape of the regular expression lacks digits"),
        (r"\p{Nope}", r"'\p{Nope}' in regular expressions is not supported"),
        ("[a--b]", "'--' in a class of the regular expression is not supported"),
        (r"(\w{100}){100}", "the regular expression is too large"),
    ] {
        assert_eq!(Pattern::parse(pattern, "").map(|_| ()), Err(reason.to_owned()), "{pattern}");
    }
    assert!(Pattern::parse(&"(".repeat(100_000), "").is_err());
    assert!(Pattern::parse(&"[".repeat(100_000), "").is_err());
}

#[test]
fn no_pattern_makes_it_panic() {
    let pieces = [
        "a", "(", ")", "[", "]", "^", "-", "&&", "\\", "d", "p{L}", "{", "2}", "?", "*", "|", ".", "$",
        "(?i", ":", "é",
    ];
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut below = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    let mut compiled = 0;
    for _ in 0..5_000 {
        let pattern: String = (0..below(8)).map(|_| pieces[below(pieces.len())]).collect();
        compiled += usize::from(Pattern::parse(&pattern, "").is_ok());
    }
    assert!(compiled > 500, "{compiled} compiled");
}
