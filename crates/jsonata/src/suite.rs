//! The official test suite of JSONata, run through everything that expressions of state machines go through, except
//! that its expressions have a context item.
//!
//! `cargo xtask jsonata` says where the suite is and where the result goes; a plain `cargo test` says that this did not
//! run. What is asserted here is only that nothing breaks: how many cases pass is held against a floor by xtask.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use asl::json::{Json, Number};
use asl::jsonata::{Surroundings, Thrown};
use jsonata_core::value::JValue;

use crate::compile::compile_in;
use crate::evaluation::Session;
use crate::limits::Limits;
use crate::names::Context;
use crate::values;

/// The folder with `datasets` and the folders of groups.
const SUITE: &str = "LOVELESS_TEST_JSONATA_SUITE";
/// The file for the result: `{group: {"passed": n, "failed": n, "cases": [a failed case and why, …]}}`.
const RESULT: &str = "LOVELESS_TEST_JSONATA_RESULT";

/// The copy of the suite that is fetched keeps what its own evaluator fails apart.
const FOLDERS: [&str; 2] = ["groups", "skip"];

/// Some cases are about depth, and not about AWS's hundred; and unoptimised code takes its time.
const LIMITS: Limits = Limits { depth: 500, time_ms: 20_000, ..Limits::STRICT };

#[test]
fn the_official_suite() {
    let Some(suite) = std::env::var_os(SUITE).map(PathBuf::from) else {
        println!("skipped: {SUITE} does not say where the suite is; `cargo xtask jsonata` runs it");
        return;
    };
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    let mut broken = Vec::new();
    for file in FOLDERS.iter().flat_map(|folder| files(&suite.join(folder))) {
        let group = name(file.parent().expect("a case lies in its group"));
        let text = fs::read_to_string(&file).expect("a case is a text");
        let counts = groups.entry(group.clone()).or_default();
        // A few cases have half of a surrogate pair in them, which no text here can have.
        let cases = Json::parse(&text).unwrap_or_default();
        let cases = cases.as_array().map_or_else(|| vec![cases.clone()], <[Json]>::to_vec);
        for (index, case) in cases.iter().enumerate() {
            let id = format!("{group}/{} {index}", name(&file));
            match judge(&suite, &file, case) {
                Ok(()) => counts.passed += 1,
                Err(why) => {
                    if why.contains("Internal") {
                        broken.push(format!("{id}: {why}"));
                    }
                    counts.failed.push(format!("{id}: {why}"));
                }
            }
        }
    }
    let passed: usize = groups.values().map(|group| group.passed).sum();
    let failed: usize = groups.values().map(|group| group.failed.len()).sum();
    println!("{passed} of {} cases in {} groups pass", passed + failed, groups.len());
    if let Some(result) = std::env::var_os(RESULT) {
        let of = |group: &Group| {
            Json::object([
                ("passed", Json::from(group.passed)),
                ("failed", Json::from(group.failed.len())),
                ("cases", Json::array(group.failed.iter().map(String::as_str))),
            ])
        };
        let result_text =
            Json::object(groups.iter().map(|(name, group)| (name.as_str(), of(group)))).to_text();
        fs::write(result, result_text).expect("the result can be written");
    }
    assert!(passed > 0, "{SUITE} names no suite");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[derive(Default)]
struct Group {
    passed: usize,
    failed: Vec<String>,
}

/// Runs one case.
fn judge(suite: &Path, file: &Path, case: &Json) -> Result<(), String> {
    let expression = match (case["expr"].as_str(), case["expr-file"].as_str()) {
        (Some(expression), _) => expression.to_owned(),
        (None, Some(name)) => read(&file.with_file_name(name))?,
        _ => return Err("it has no expression".to_owned()),
    };
    let input = match (case.get("data"), case["dataset"].as_str()) {
        (Some(data), _) => Some(data.clone()),
        (None, Some(name)) => {
            let text = read(&suite.join("datasets").join(format!("{name}.json")))?;
            Some(Json::parse(&text).map_err(|failure| failure.to_string())?)
        }
        _ => None,
    };
    let outcome = run(&expression, input.as_ref(), case.get("bindings"));
    let code = case["code"].as_str().or_else(|| case["error"]["code"].as_str());
    let told = || format!("{expression:.200}: {outcome:.300?}");
    let passes = match (code, &outcome) {
        (Some(code), Outcome::Failure(text)) => text.starts_with(code),
        // The suite's own runner stops what goes too deep or too long, with this code.
        (Some("U1001"), Outcome::Limit) => true,
        (None, Outcome::Undefined) => case.get("undefinedResult").is_some() || case.get("result").is_none(),
        (None, Outcome::Value(value)) => match (case.get("result"), case["result_re"].as_str()) {
            (Some(expected), _) => same(expected, value, case["unordered"] == Json::Bool(true)),
            (None, Some(pattern)) => regex::Regex::new(pattern)
                .is_ok_and(|re| value.as_str().is_some_and(|text| re.is_match(text))),
            _ => false,
        },
        (None, Outcome::Function) => case["result"].is_null() && case.get("undefinedResult").is_none(),
        _ => false,
    };
    if passes { Ok(()) } else { Err(told()) }
}

#[derive(Debug)]
enum Outcome {
    Value(Json),
    Undefined,
    Function,
    Limit,
    Failure(String),
}

fn run(expression: &str, input: Option<&Json>, bindings: Option<&Json>) -> Outcome {
    let compiled = match compile_in(expression, Context::Item, &LIMITS) {
        Ok(compiled) => compiled,
        Err(refusal) => return Outcome::Failure(code(&refusal.message).to_owned()),
    };
    let bindings = Bindings(bindings.cloned().unwrap_or_default());
    let input = input.map_or(JValue::Undefined, values::to_core);
    match Session::new(LIMITS, &bindings).run_on(&compiled, &input) {
        Ok(Some(value)) => Outcome::Value(value),
        Ok(None) => Outcome::Undefined,
        Err(Thrown::Function) => Outcome::Function,
        Err(Thrown::Limit(_)) => Outcome::Limit,
        Err(Thrown::Error(words)) => Outcome::Failure(words),
        Err(Thrown::Internal) => Outcome::Failure("Internal".to_owned()),
    }
}

/// The code of a refusal: AWS's words come without it, the suite knows nothing else.
fn code(words: &str) -> &str {
    const WORDS: [(&str, &str); 27] = [
        ("String literal must be terminated", "S0101"),
        ("Number out of range", "S0102"),
        ("Unsupported escape sequence", "S0103"),
        ("The escape sequence \\u", "S0104"),
        ("Quoted property name", "S0105"),
        ("Comment has no closing tag", "S0106"),
        ("Syntax error", "S0201"),
        (", got ", "S0202"),
        ("before end of expression", "S0203"),
        ("Unknown operator", "S0204"),
        ("Unexpected end of expression", "S0207"),
        ("Parameter ", "S0208"),
        ("A predicate cannot follow", "S0209"),
        ("Each step can only have one grouping", "S0210"),
        ("cannot be used as a unary operator", "S0211"),
        ("The left side of :=", "S0212"),
        ("cannot be used as a step", "S0213"),
        ("must be a variable name", "S0214"),
        ("must precede any predicates", "S0215"),
        ("must precede the 'order-by'", "S0216"),
        ("The object representing the 'parent'", "S0217"),
        ("Empty regular expressions", "S0301"),
        ("No terminating /", "S0302"),
        ("Type parameters", "S0401"),
        ("Choice groups", "S0402"),
        ("Attempted to invoke", "T1006"),
        ("Attempted to partially apply", "T1008"),
    ];
    WORDS.iter().find(|(part, _)| words.contains(part)).map_or(words, |(_, code)| code)
}

struct Bindings(Json);

impl Surroundings for Bindings {
    fn states(&self, _: &str) -> Option<Json> {
        None
    }

    fn variable(&self, name: &str) -> Option<Json> {
        self.0.get(name).cloned()
    }

    fn now_ms(&self) -> i64 {
        1_700_000_000_123
    }

    fn seed(&self) -> u64 {
        7
    }
}

/// Equal, where `1` is `1.0`; without regard to the order of items if that does not matter.
fn same(one: &Json, other: &Json, unordered: bool) -> bool {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => Number::as_f64(*one) == Number::as_f64(*other),
        (Json::Array(one), Json::Array(other)) if unordered => {
            one.len() == other.len()
                && one.iter().all(|item| other.iter().any(|other| same(item, other, false)))
        }
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len()
                && one.iter().zip(other.iter()).all(|(one, other)| same(one, other, false))
        }
        (Json::Object(one), Json::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| same(one, other, false)))
        }
        (one, other) => one == other,
    }
}

/// The cases below a folder, in their order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let each = |path: PathBuf| match path.is_dir() {
        true => files(&path),
        false => vec![path],
    };
    paths
        .into_iter()
        .flat_map(each)
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect()
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
