//! Tests of the JSON value: texts in, texts out, and the words of refusals.

use super::*;
use std::cmp::Ordering;

/// A tiny deterministic generator (xorshift64*), so that a failing round trip is named by its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % sides
    }

    fn value(&mut self, depth: u64) -> Json {
        match self.roll(if depth == 0 { 6 } else { 8 }) {
            0 => Json::Null,
            1 => Json::Bool(self.roll(2) == 0),
            2 => Json::from(self.roll(u64::MAX) as i64),
            3 => Json::from(self.roll(1 << 53) as f64 / 3.0 - 1e9),
            4 => Json::from(f64::from_bits(self.roll(0x7FE0_0000_0000_0000))),
            5 => Json::from(self.text()),
            6 => (0..self.roll(5)).map(|_| self.value(depth - 1)).collect::<Vec<_>>().into(),
            _ => Json::object(
                (0..self.roll(5)).map(|_| (self.text(), self.value(depth - 1))).collect::<Vec<_>>(),
            ),
        }
    }

    fn text(&mut self) -> String {
        (0..self.roll(6)).filter_map(|_| char::from_u32(self.roll(0x800) as u32)).collect()
    }
}

#[test]
fn printed_values_read_back_as_themselves() {
    for seed in 1..=2000 {
        let value = Dice(seed).value(4);
        let text = value.to_text();
        let again = Json::parse(&text).unwrap_or_else(|failure| panic!("seed {seed}: {failure} in {text}"));
        assert_eq!(again, value, "seed {seed}");
        assert_eq!(again.to_text(), text, "seed {seed}");
        assert_eq!(serde_json::to_value(&value).unwrap(), serde_json::Value::from(&value), "seed {seed}");
        assert_eq!(Json::from(serde_json::Value::from(&value)), value, "seed {seed}");
    }
}

#[test]
fn texts_are_compact_and_keep_what_they_say() {
    fn check(text: &str, printed: &str) {
        assert_eq!(Json::parse(text).unwrap().to_text(), printed);
    }
    check(r#"{ "b" : 1 , "a" : [ true , null ] }"#, r#"{"b":1,"a":[true,null]}"#);
    check(r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#);
    check("1.0", "1.0");
    check("1", "1");
    check("-0", "0");
    check("0.1", "0.1");
    check("-0.0", "-0.0");
    check("-0e5", "-0.0");
    check("[-0,0.0,0E0]", "[0,0.0,0.0]");
    check("1e2", "100.0");
    check("1E7", "1.0E7");
    check("9999999.5", "9999999.5");
    check("12345678.9", "1.23456789E7");
    check("0.001", "0.001");
    check("0.0001", "1.0E-4");
    check("-1e+21", "-1.0E21");
    check("4.9E-324", "4.9E-324");
    check("1e-400", "0.0");
    check("1.7976931348623157e308", "1.7976931348623157E308");
    check("9223372036854775807", "9223372036854775807");
    check("-9223372036854775808", "-9223372036854775808");
    check("9223372036854775808", "9.223372036854776E18");
    check("18446744073709551616", "1.8446744073709552E19");
    check(r#""\u0041\/\u00e9\ud83c\udd97""#, "\"A/é🆗\"");
    check(r#""\u001f\b\f\n\r\t\"\\\u007f""#, "\"\\u001F\\b\\f\\n\\r\\t\\\"\\\\\u{7f}\"");
    // Half of a pair cannot be kept.
    check(r#""\ud83c""#, "\"\u{fffd}\"");
    check(r#""a\udd97b\ud83c\ud83c\udd97\ud83c\n""#, "\"a\u{fffd}b\u{fffd}🆗\u{fffd}\\n\"");
    check(r#"{"\u0061":1,"a":2}"#, r#"{"a":2}"#);
    check(" \t\r\n[ ] ", "[]");
    check(r#"{"Test\\\"\"Name\"":"Value\"\\"}"#, r#"{"Test\\\"\"Name\"":"Value\"\\"}"#);
}

#[test]
fn refusals_speak_as_aws_does() {
    const VALUES: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
    fn check(text: &str, message: &str, line: usize, column: usize) {
        let failure = Json::parse(text).expect_err(text);
        assert_eq!((failure.message(), failure.line(), failure.column()), (message, line, column), "{text}");
    }
    check("not some json", &format!("Unrecognized token 'not': was expecting {VALUES}"), 1, 4);
    check(
        "{'not': 'json'",
        "Unexpected character (''' (code 39)): was expecting double-quote to start field name",
        1,
        3,
    );
    check("", "No content to map due to end-of-input", 1, 1);
    check("nul", &format!("Unrecognized token 'nul': was expecting {VALUES}"), 1, 4);
    check("[truex]", &format!("Unrecognized token 'truex': was expecting {VALUES}"), 1, 7);
    check(
        "{\"a\" 1}",
        "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value",
        1,
        7,
    );
    check(
        "[1 2]",
        "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries",
        1,
        5,
    );
    check(
        "{\"a\":1 \"b\":2}",
        "Unexpected character ('\"' (code 34)): was expecting comma to separate Object entries",
        1,
        9,
    );
    check("[1,]", &format!("Unexpected character (']' (code 93)): expected a valid value {VALUES}"), 1, 5);
    check(
        "{\"a\":1,}",
        "Unexpected character ('}' (code 125)): was expecting double-quote to start field name",
        1,
        9,
    );
    check(
        "{",
        "Unexpected end-of-input: expected close marker for Object (start marker at [Source: (String)\"{\"; line: 1, column: 1])",
        1,
        2,
    );
    check(
        "[\n {\"a\":1]",
        "Unexpected close marker ']': expected '}' (for Object starting at [Source: (String)\"[\n {\"a\":1]\"; line: 2, column: 2])",
        2,
        9,
    );
    check("{\"a\":", "Unexpected end-of-input within/between Object entries", 1, 6);
    check("[1,", "Unexpected end-of-input within/between Array entries", 1, 4);
    check("\"abc", "Unexpected end-of-input: was expecting closing quote for a string value", 1, 5);
    check("{\"abc", "Unexpected end-of-input in field name", 1, 6);
    check(
        "\"a\nb\"",
        "Illegal unquoted character ((CTRL-CHAR, code 10)): has to be escaped using backslash to be included in string value",
        2,
        1,
    );
    check(r#""\q""#, "Unrecognized character escape 'q' (code 113)", 1, 4);
    check("01", "Invalid numeric value: Leading zeroes not allowed", 1, 2);
    check(
        "[1.x]",
        "Unexpected character ('x' (code 120)) in numeric value: Decimal point not followed by a digit",
        1,
        5,
    );
    check(
        "-x",
        "Unexpected character ('x' (code 120)) in numeric value: expected digit (0-9) to follow minus sign, for valid numeric value",
        1,
        3,
    );
    check("{} x", &format!("Unrecognized token 'x': was expecting {VALUES}"), 1, 5);
    check("{} 1", "Trailing token found after the value", 1, 5);
    check("1E400", "Invalid JSON: number out of range", 1, 6);
    check("[\n-1e999]", "Invalid JSON: number out of range", 2, 7);
    check(
        "[→]",
        &format!("Unexpected character ('→' (code 8594 / 0x2192)): expected a valid value {VALUES}"),
        1,
        3,
    );
}

#[test]
fn places_quote_the_source_up_to_a_bound() {
    let failure = Json::parse("not a definition").unwrap_err();
    assert_eq!(
        failure.location("not a definition"),
        "[Source: (String)\"not a definition\"; line: 1, column: 4]"
    );
    assert!(
        failure
            .message_at("not a definition")
            .ends_with("'false')\n at [Source: (String)\"not a definition\"; line: 1, column: 4]")
    );
    let long = "x".repeat(510);
    let quoted = Json::parse(&long).unwrap_err().location(&long);
    assert_eq!(
        quoted,
        format!("[Source: (String)\"{}\"[truncated 10 chars]; line: 1, column: 257]", "x".repeat(500))
    );
}

#[test]
fn nesting_is_bounded_and_measured() {
    let deepest = format!("{}{}", "[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX));
    assert_eq!(Json::parse(&deepest).unwrap().depth(), DEPTH_MAX);
    let failure = Json::parse(&format!("[\n{deepest}]")).unwrap_err();
    assert_eq!(failure.message(), "Document nesting depth (513) exceeds the maximum allowed (512)");
    assert_eq!((failure.line(), failure.column()), (2, DEPTH_MAX + 1));
    // Siblings do not add up.
    let wide = format!("[{}[]]", format!("{},", "[[]]").repeat(DEPTH_MAX));
    assert_eq!(Json::parse(&wide).unwrap().depth(), 3);
    // Hostile texts are refused without deep recursion, closed or not.
    assert!(Json::parse(&"[".repeat(1_000_000)).is_err());
    assert!(Json::parse(&"{\"a\":".repeat(200_000)).is_err());
}

/// Two values as deep as can be, one put into the other, survive everything that recurses on a stack of one megabyte,
/// which is half of what threads get.
#[test]
fn the_deepest_values_need_little_stack() {
    fn nested(depth: usize, around: fn(Json) -> Json) -> Json {
        (0..depth).fold(Json::from(1), |value, _| around(value))
    }
    fn exercise(around: fn(Json) -> Json) {
        let depth = 2 * DEPTH_MAX;
        let value = nested(depth, around);
        assert!(value == nested(depth, around));
        assert!(value != nested(depth - 1, around));
        assert_eq!(value.depth(), depth);
        assert!(value.to_text().len() > depth);
        assert!(value.write_java_within(usize::MAX, &mut String::new()).is_ok());
        assert!(value.to_text_within(depth / 2).is_err());
        let half = nested(DEPTH_MAX, around);
        assert_eq!(Json::parse(&half.to_text()), Ok(half));
    }
    let thread = std::thread::Builder::new().stack_size(1024 * 1024).spawn(|| {
        exercise(|value| Json::array([value]));
        exercise(|value| Json::object([("name", value)]));
    });
    thread.unwrap().join().unwrap();
}

/// What is broken is refused with the words of a complaint, never with none, and never with a panic.
#[test]
fn every_refusal_has_words() {
    let pieces = [
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\ud800", "-", "0", "1.", "e5", "tru", "null", " ", "\n",
        "é",
    ];
    let mut dice = Dice(7);
    let mut refused = 0;
    for round in 0..20_000 {
        let text: String =
            (0..dice.roll(8)).map(|_| pieces[dice.roll(pieces.len() as u64) as usize]).collect();
        match Json::parse(&text) {
            Ok(value) => assert_eq!(Json::parse(&value.to_text()), Ok(value), "round {round}: {text}"),
            Err(failure) => {
                refused += 1;
                assert_ne!(failure.message(), "Invalid JSON", "round {round}: {text}");
                assert_eq!(
                    serde_json::from_str::<serde::de::IgnoredAny>(&text).map(drop).ok(),
                    None,
                    "{text}"
                );
            }
        }
    }
    assert!(refused > 10_000);
}

#[test]
fn a_bound_stops_the_explosion_of_shared_values() {
    let mut value = Json::from("x");
    for _ in 0..60 {
        value = Json::array([value.clone(), value]);
    }
    assert_eq!(value.to_text_within(1_000), Err(TooLong));
    assert_eq!(Json::array([1, 2]).to_text_within(5).as_deref(), Ok("[1,2]"));
    assert_eq!(Json::array([1, 2]).to_text_within(4), Err(TooLong));
}

#[test]
fn numbers_compare_by_value_and_equal_by_form() {
    fn check(left: &str, right: &str, by_value: Ordering, same: bool) {
        let (left, right) = (Json::parse(left).unwrap(), Json::parse(right).unwrap());
        let numbers = (left.as_number().unwrap(), right.as_number().unwrap());
        assert_eq!(numbers.0.compare(numbers.1), by_value, "{left} and {right}");
        assert_eq!(numbers.1.compare(numbers.0), by_value.reverse(), "{right} and {left}");
        assert_eq!(left == right, same, "{left} and {right}");
    }
    check("1", "1.0", Ordering::Equal, false);
    check("1", "1", Ordering::Equal, true);
    check("1", "1.5", Ordering::Less, false);
    check("-1", "-1.5", Ordering::Greater, false);
    check("9007199254740993", "9007199254740992.0", Ordering::Greater, false);
    check("9223372036854775807", "9223372036854775808", Ordering::Less, false);
    check("-9223372036854775808", "-1e300", Ordering::Greater, false);
}

#[test]
fn objects_equal_without_order_and_arrays_with_it() {
    let parse = |text| Json::parse(text).unwrap();
    assert_eq!(parse(r#"{"a":1,"b":2}"#), parse(r#"{"b":2,"a":1}"#));
    assert_ne!(parse("[1,2]"), parse("[2,1]"));
    assert_eq!(parse(r#"{"a":[7]}"#)["a"].index(0), Some(&Json::from(7)));
    assert_eq!(parse(r#"{"a":[7]}"#)["b"], Json::Null);
}
