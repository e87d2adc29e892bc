//! Expressions that would take for ever, or all memory there is: each ends within its bounds, and says which.
//!
//! `data/hostile.txt` has one a line, after how it ends: `limit` (time, depth or memory), `error` (JSONata's own
//! refusal), `refused` (not compiled at all) or `value` (harmless after all). What is judged is how it ends and the
//! most bytes that it held, never the time; a watchdog ends the process if one does not end at all.

use std::sync::mpsc;
use std::time::Duration;

use asl::json::Json;
use asl::jsonata::{Jsonata, Surroundings, Thrown};
use jsonata::{Evaluator, Limits, Metered, peak_bytes};

#[global_allocator]
static ALLOCATOR: Metered = Metered::SYSTEM;

/// What an evaluation may hold at its height: its bound, and three times that for the one step that passes it, such as
/// reading a long text as JSON.
const PEAK_BYTES_MAX: usize = 4 * Limits::STRICT.heap_bytes;
/// An evaluation has a second on the clock; a busy machine may need many.
const HANG: Duration = Duration::from_secs(120);

struct State(Json);

impl Surroundings for State {
    fn states(&self, member: &str) -> Option<Json> {
        (member == "input").then(|| self.0.clone())
    }

    fn variable(&self, _: &str) -> Option<Json> {
        None
    }

    fn now_ms(&self) -> i64 {
        1_700_000_000_123
    }

    fn seed(&self) -> u64 {
        7
    }
}

/// A thousand orders and a long text, as an expression may find them in its input.
fn input() -> Json {
    let items =
        Json::array((0..1000).map(|at| Json::object([("id", Json::from(at)), ("tag", Json::from("x"))])));
    Json::object([("items", items), ("text", Json::from("a".repeat(50_000)))])
}

fn outcome(evaluator: &Evaluator, state: &State, expression: &str) -> (&'static str, String) {
    let program = match evaluator.compile(expression) {
        Ok(program) => program,
        Err(refusal) => return ("refused", refusal.message),
    };
    match evaluator.begin(state).evaluate(&program) {
        Ok(Some(value)) => ("value", value.to_text_within(80).unwrap_or_else(|_| "…".into())),
        Ok(None) => ("value", "undefined".into()),
        Err(Thrown::Limit(text)) => ("limit", text),
        Err(Thrown::Error(text)) => ("error", text),
        Err(Thrown::Function) => ("value", "a function".into()),
        Err(Thrown::Internal) => ("internal", String::new()),
    }
}

/// Ends the process when nothing is heard for too long: an expression that hangs would hang the test.
fn watchdog() -> mpsc::Sender<String> {
    let (sender, receiver) = mpsc::channel::<String>();
    std::thread::spawn(move || {
        let mut now = String::new();
        loop {
            match receiver.recv_timeout(HANG) {
                Ok(next) => now = next,
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    eprintln!("no end after {HANG:?}: {now}");
                    std::process::abort();
                }
            }
        }
    });
    sender
}

#[test]
fn hostile_expressions_end_within_their_bounds() {
    let evaluator = Evaluator::new(Limits::STRICT);
    let state = State(input());
    let watch = watchdog();
    let mut problems = Vec::new();
    let mut highest = 0;
    let lines =
        include_str!("data/hostile.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines.clone() {
        let (expected, expression) = line.split_once(' ').expect("a line is an end and an expression");
        watch.send(expression.to_owned()).expect("the watchdog lives as long as the test");
        let (ended, said) = outcome(&evaluator, &state, expression.trim());
        let peak = peak_bytes();
        highest = highest.max(peak);
        if ended != expected || peak > PEAK_BYTES_MAX {
            problems.push(format!(
                "{expression}\n  expected {expected}, ended with {ended}: {said}; held {peak} bytes"
            ));
        }
    }
    let count = lines.count();
    println!("{count} hostile expressions; the most that one held: {highest} bytes");
    assert!(count >= 40, "{count} expressions are few");
    assert!(highest > 0, "nothing was counted: the allocator is not installed");
    assert!(problems.is_empty(), "{} of {count} differ:\n{}", problems.len(), problems.join("\n"));
}

/// What the values of an evaluation may hold where a list is used for each of its own items.
const PRODUCT_BYTES_MAX: usize = 2 * Limits::STRICT.heap_bytes;

/// So many objects leave room for something beside them.
const OBJECTS_MAX: i64 = 10_000;

/// Expressions that put one value into another once for each of its items: harmless for ten, not for ten thousand.
#[test]
fn products_of_a_list_with_itself_are_bounded() {
    let evaluator = Evaluator::new(Limits::STRICT);
    let watch = watchdog();
    let mut problems = Vec::new();
    let expressions: Vec<&str> = include_str!("data/products.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let mut bounded = 0;
    for size in [3, 1_000, 10_000, 100_000] {
        let numbers = Json::array((0..size).map(Json::from));
        let zeros = Json::array((0..size).map(|_| Json::from(0)));
        let item = |at| {
            Json::object([
                ("id", Json::from(at)),
                ("k", Json::from("k")),
                ("zeros", Json::array([Json::from(0)])),
            ])
        };
        let state = State(Json::object([
            ("a", numbers.clone()),
            ("zeros", zeros.clone()),
            ("objects", Json::array((0..size.min(OBJECTS_MAX)).map(item))),
            ("holder", Json::object([("list", numbers.clone()), ("zeros", zeros)])),
            ("holders", Json::array([Json::object([("list", numbers)])])),
        ]));
        for expression in &expressions {
            watch.send((*expression).to_owned()).expect("the watchdog lives as long as the test");
            let begun = std::time::Instant::now();
            let (ended, said) = outcome(&evaluator, &state, expression);
            let (peak, took) = (peak_bytes(), begun.elapsed());
            println!("{size:>6} {ended:>5} {:>4} MiB {:>5} ms  {expression}", peak >> 20, took.as_millis());
            bounded += usize::from(ended == "limit");
            let expected = if size == 3 { ended == "value" } else { matches!(ended, "value" | "limit") };
            if !expected || peak > PRODUCT_BYTES_MAX {
                problems
                    .push(format!("{size}: {expression}\n  ended with {ended}: {said}; held {peak} bytes"));
            }
        }
    }
    assert!(bounded >= expressions.len(), "{bounded} bounds met are few");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// As long an expression as a definition may hold, nested as deeply as it goes: compiling one neither overflows the stack nor
/// hangs.
#[test]
fn expressions_of_any_shape_compile_or_are_refused() {
    let evaluator = Evaluator::new(Limits::STRICT);
    let watch = watchdog();
    for (what, expression) in [
        ("parentheses", format!("{}1{}", "(".repeat(200_000), ")".repeat(200_000))),
        ("brackets", format!("{}1{}", "[".repeat(200_000), "]".repeat(200_000))),
        ("open brackets", "[".repeat(500_000)),
        ("braces", format!("{}1{}", "{'a':".repeat(100_000), "}".repeat(100_000))),
        ("minus signs", format!("{}1", "-".repeat(500_000))),
        ("additions", format!("1{}", "+1".repeat(250_000))),
        ("a path", format!("$states.input{}", ".a".repeat(250_000))),
        ("conditions", format!("{}1", "true?".repeat(100_000))),
        ("lambdas", format!("{}1{}", "function($x){".repeat(50_000), "}".repeat(50_000))),
        ("a text", format!("'{}'", "x".repeat(900_000))),
        ("too long", format!("'{}'", "x".repeat(2_000_000))),
        ("predicates", format!("$states.input{}", "[0]".repeat(150_000))),
        ("a pattern", format!("$match('a', /{}/)", "(a*)*".repeat(50_000))),
    ] {
        watch.send(what.to_owned()).expect("the watchdog lives as long as the test");
        if let Ok(program) = evaluator.compile(&expression) {
            let state = State(Json::Null);
            assert_ne!(evaluator.begin(&state).evaluate(&program), Err(Thrown::Internal), "{what}");
        }
    }
}
