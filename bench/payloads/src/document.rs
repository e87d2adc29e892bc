//! The input of a measured run: an order with many lines, as an event of a shop might be.
//!
//! Strings with escapes and without, integers, doubles, booleans, nesting of three levels; the same text every time.
//! Written out, not filled with one long string: a document of one string would hide what a parsed tree costs.

use std::fmt::Write;

/// A JSON text of about `bytes` bytes, never more; not less than an order with one line (some 600).
pub fn order(bytes: usize) -> String {
    let mut text = String::from(HEAD);
    for number in 0.. {
        let line = line(number);
        if number > 0 && text.len() + 1 + line.len() + TAIL.len() > bytes {
            break;
        }
        if number > 0 {
            text.push(',');
        }
        text.push_str(&line);
    }
    text.push_str(TAIL);
    text
}

const HEAD: &str = concat!(
    r#"{"order":{"id":"A-10023","placed":"2026-03-14T09:26:53Z","total":1834.25,"currency":"EUR"},"#,
    r#""customer":{"id":77123,"name":"Ada \"Countess\" Lovelace","email":"ada@example.org","#,
    r#""address":{"street":"12 St James's Square","city":"London","country":"GB"},"newsletter":false},"#,
    r#""lines":["#
);
const TAIL: &str = r#"],"note":"Leave it with the neighbour.\nRing twice."}"#;

fn line(number: usize) -> String {
    let mut line = String::new();
    let written = write!(
        line,
        r#"{{"sku":"SKU-{:05}","title":"Adjustable widget, size {}","quantity":{},"price":{}.{:02},"#,
        number * 37 % 99_991,
        number % 12,
        number % 7 + 1,
        number % 90 + 9,
        // Ends in 5, for no writer keeps a zero at the end.
        number * 13 % 10 * 10 + 5
    )
    .and_then(|()| {
        write!(
            line,
            r#""tags":["new","{}"],"stock":{{"warehouse":"W{}","reserved":{}}}}}"#,
            ["red", "green", "blue"][number % 3],
            number % 5,
            number.is_multiple_of(2)
        )
    });
    debug_assert!(written.is_ok(), "a String takes every text");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_json_and_as_large_as_asked_for() {
        for bytes in [2, 20, 200].map(|kib| kib * 1024) {
            let text = order(bytes);
            assert!(text.len() <= bytes && text.len() > bytes - 200, "{} for {bytes}", text.len());
            let json = asl::json::Json::parse(&text).expect("JSON");
            assert_eq!(json.to_text().len(), text.len(), "compact, so that sizes compare");
        }
    }
}
