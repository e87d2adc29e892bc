//! Numbers that are too large, too small or not whole, in every place that takes one: our values against the oracle's.

use crate::javascript::Oracle;
use crate::ours;

/// What stands for a number.
const NUMBERS: [&str; 22] = [
    "0",
    "-0",
    "1",
    "-1",
    "2",
    "3",
    "16",
    "36",
    "0.5",
    "-0.5",
    "1.5",
    "2.5",
    "-1.5",
    "1e-7",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "1e19",
    "-1e19",
    "1e21",
    "1e300",
    "-1e300",
];

/// What takes one, which `§` stands for.
const ONE: [&str; 52] = [
    "§",
    "-§",
    "§ & ''",
    "$string(§)",
    "$string([§])",
    "$number(§)",
    "$number($string(§))",
    "$abs(§)",
    "$floor(§)",
    "$ceil(§)",
    "$round(§)",
    "$sqrt(§)",
    "$boolean(§)",
    "$not(§)",
    "$substring('hello', §)",
    "$substring('hello', 1, §)",
    "$substring('hello', §, 2)",
    "$substring('hello', -2, §)",
    "$pad('x', § % 50)",
    "$formatBase(§)",
    "$formatBase(§, 2)",
    "$formatBase(§, 16)",
    "$formatBase(255, §)",
    "$formatInteger(§, '0')",
    "$formatInteger(§, '#,##0')",
    "$formatInteger(§, '0000;o')",
    "$formatInteger(§ % 1000, 'I')",
    "$formatInteger(§ % 1000, 'A')",
    "$formatNumber(§, '0')",
    "$formatNumber(§, '#,##0.00')",
    "$formatNumber(§, '0%')",
    "$split('a,b,c', ',', §)",
    "$split('a,b,c', /,/, §)",
    "$replace('aaa', 'a', 'b', §)",
    "$replace('aaa', /a/, 'b', §)",
    "$match('aaa', /a/, §).match",
    "[1, 2, 3][§]",
    "[1, 2, 3][[§]]",
    "[1, 2, 3][[§, 0]]",
    "$states.input.xs[§]",
    "$states.input.os[§].k",
    "$fromMillis(§)",
    "$fromMillis(§, '[Y]-[M01]')",
    "$sum([§, §])",
    "$average([§, 1])",
    "$max([§, 1])",
    "$sort([§, 1, 2])",
    "$distinct([§, 0, 1])",
    "$append(§, §)",
    "§ in [0, 1]",
    "{'a': §}.a",
    "$reverse([§, 1])",
];

/// What takes two: `§` and `¶`.
const TWO: [&str; 13] = [
    "§ + ¶",
    "§ - ¶",
    "§ * ¶",
    "§ / ¶",
    "§ % ¶",
    "§ < ¶",
    "§ = ¶",
    "$power(§, ¶)",
    "$round(§, ¶)",
    "$formatBase(§, ¶)",
    "$substring('hello', §, ¶)",
    "$min([§, ¶])",
    "$average([§, ¶])",
];

const INPUT: &str = r#"{"xs":[1,2,3],"os":[{"k":"a"},{"k":"b"}]}"#;

/// Where we differ: a whole number beyond 2^53 keeps its digits in a text, where jsonata-js rounds to fifteen; no date has
/// so many milliseconds, where jsonata-js writes NaN into all its parts; and from 1e21 on jsonata-js groups the letters of
/// an exponent by the picture of a number. The digits of a double beyond 2^53 in an odd base JavaScript leaves to its
/// engine: ours are V8's, which Node.js has.
fn is_otherwise(expression: &str) -> bool {
    let long = expression.contains("9007199254740993") || expression.contains("9223372036854775807");
    let as_text = expression.contains("$string(") || expression.contains("& ''");
    let huge = expression.contains("1e") && !expression.contains("1e-7") || long;
    let odd_base = expression.starts_with("$formatBase(")
        && [", 3)", ", 36)"].iter().any(|end| expression.ends_with(end));
    huge && odd_base
        || long && as_text
        || huge && ["$fromMillis(", "$formatNumber("].iter().any(|name| expression.starts_with(name))
}

#[test]
fn odd_numbers_give_what_they_give_in_javascript() {
    let Some(oracle) = Oracle::summon() else { return };
    let one = ONE.iter().flat_map(|form| NUMBERS.map(|number| written(form, number, "")));
    let two = TWO.iter().flat_map(|form| {
        NUMBERS.iter().flat_map(move |number| NUMBERS.map(|other| written(form, number, other)))
    });
    let (mut alike, mut wrong) = (0, Vec::new());
    for expression in one.chain(two) {
        let (theirs, ours) = (oracle.evaluate(&expression, INPUT), ours::evaluate(&expression, INPUT));
        if theirs.agrees(&ours) || is_otherwise(&expression) {
            alike += 1;
        } else {
            wrong.push(format!("{expression}\n  theirs: {theirs:?}\n  ours:   {ours:?}"));
        }
    }
    println!("{alike} alike");
    assert!(alike >= 6_000, "{alike} are few");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// Texts that are numbers for JavaScript, and for nobody else.
const NUMERALS: [&str; 30] = [
    " 1", "1 ", "+1", "-1", "--1", "", "-", "1.", ".5", "1.5", "1e3", "1E+3", "1e-3", "1e", "1e400", "-0",
    "00012", "0x1F", "0X1f", "0x", "0xg", "-0x1", "0o17", "0b101", "0b2", "1_000", "Infinity", "NaN", "١",
    "1\\n",
];

#[test]
fn texts_that_are_numbers_are_the_same_ones() {
    let Some(oracle) = Oracle::summon() else { return };
    for numeral in NUMERALS {
        for form in ["$number('§')", "$map(['§'], $number)", "'§' ~> $number()"] {
            let expression = form.replace('§', numeral);
            let (theirs, ours) = (oracle.evaluate(&expression, INPUT), ours::evaluate(&expression, INPUT));
            assert!(theirs.agrees(&ours), "{expression}\n  theirs: {theirs:?}\n  ours:   {ours:?}");
        }
    }
}

/// What URLs and their escapes are made of.
const PIECES: [&str; 32] = [
    "a",
    "Z",
    "9",
    " ",
    "/",
    "?",
    "&",
    "=",
    "+",
    "#",
    "%",
    "-",
    "_",
    ".",
    "!",
    "~",
    "*",
    "(",
    ")",
    ";",
    "é",
    "€",
    "😀",
    "%20",
    "%2F",
    "%2f",
    "%C3%A9",
    "%E2%82%AC",
    "%F0%9F%98%80",
    "%C3",
    "%ED%A0%80",
    "\\u007f",
];

#[test]
fn urls_are_written_and_read_as_in_javascript() {
    let Some(oracle) = Oracle::summon() else { return };
    let functions = ["$encodeUrl", "$encodeUrlComponent", "$decodeUrl", "$decodeUrlComponent"];
    let mut texts: Vec<String> = PIECES.map(str::to_owned).to_vec();
    // Pieces by a fixed stride, so that each stands beside many others.
    texts.extend(
        (0..150).map(|at| (0..4).map(|part| PIECES[(at * (part + 3) + part * 7) % PIECES.len()]).collect()),
    );
    for text in &texts {
        for function in functions {
            let expression = format!("{function}(\"{text}\")");
            let (theirs, ours) = (oracle.evaluate(&expression, INPUT), ours::evaluate(&expression, INPUT));
            assert!(theirs.agrees(&ours), "{expression}\n  theirs: {theirs:?}\n  ours:   {ours:?}");
        }
    }
}

fn written(form: &str, number: &str, other: &str) -> String {
    let parenthesized = |number: &str| {
        if number.starts_with('-') { format!("({number})") } else { number.to_owned() }
    };
    let mut written = String::new();
    for letter in form.chars() {
        match letter {
            '§' => written += &parenthesized(number),
            '¶' if !other.is_empty() => written += &parenthesized(other),
            letter => written.push(letter),
        }
    }
    written
}
