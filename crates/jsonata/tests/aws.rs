//! What AWS's JSONata does that the language's own does not: functions, refusals, and how values come out.

use asl::json::Json;
use asl::jsonata::{Jsonata, Surroundings, Thrown};
use jsonata::{Evaluator, Limits};

struct State {
    input: Json,
    variables: Json,
}

impl Surroundings for State {
    fn states(&self, member: &str) -> Option<Json> {
        (member == "input").then(|| self.input.clone())
    }

    fn variable(&self, name: &str) -> Option<Json> {
        self.variables.get(name).cloned()
    }

    fn now_ms(&self) -> i64 {
        1_700_000_000_123
    }

    fn seed(&self) -> u64 {
        7
    }
}

fn evaluate(expression: &str, input: &str, variables: &str) -> Result<Option<Json>, Thrown> {
    let json = |text| Json::parse(text).expect("the table has JSON");
    let state = State { input: json(input), variables: json(variables) };
    let evaluator = Evaluator::new(Limits::STRICT);
    let program = evaluator.compile(expression).unwrap_or_else(|refusal| panic!("{expression}: {refusal:?}"));
    evaluator.begin(&state).evaluate(&program)
}

/// The result in one word: its text, `undefined`, or how it failed.
fn outcome(expression: &str, input: &str, variables: &str) -> String {
    match evaluate(expression, input, variables) {
        Ok(Some(value)) => value.to_text(),
        Ok(None) => "undefined".to_owned(),
        Err(Thrown::Error(text) | Thrown::Limit(text)) => text,
        Err(other) => format!("{other:?}"),
    }
}

fn refusal(expression: &str) -> String {
    match Evaluator::default().compile(expression) {
        Ok(program) => format!("compiled: {program:?}"),
        Err(refusal) => format!("{}: {}", refusal.code.as_str(), refusal.message),
    }
}

#[test]
fn functions_that_aws_adds() {
    const CASES: [(&str, &str); 40] = [
        // Recorded.
        ("$partition([0], 1)", "[[0]]"),
        ("$partition([0,1,2], 2)", "[[0,1],[2]]"),
        ("$partition([0,1,2], 5)", "[[0,1,2]]"),
        ("$range(1, 9, 9)", "1"),
        ("$range(1, 9, 2)", "[1,3,5,7,9]"),
        ("$parse('-0')", "0"),
        ("$parse('[1, 2, \"HelloWorld\"]')", "[1,2,\"HelloWorld\"]"),
        ("$parse('{\"Arg1\": 1, \"Arg2\": []}')", "{\"Arg1\":1,\"Arg2\":[]}"),
        ("$eval('1')", "T1006: Attempted to invoke a non-function"),
        ("$random(42)", "0.7275636800328681"),
        ("1/0", "\"Infinity\""),
        ("0/0", "\"NaN\""),
        ("$string(1e21)", "\"1e+21\""),
        // Undefined where an argument makes no sense.
        ("$partition([0,1,2], 1.9)", "[[0],[1],[2]]"),
        ("$partition([0], 0)", "undefined"),
        ("$partition([0], 0.9)", "undefined"),
        ("$partition([0], -1)", "undefined"),
        ("$partition([0])", "undefined"),
        ("$partition([], 1)", "undefined"),
        ("$partition($none, 1)", "undefined"),
        ("$range(1, 3)", "undefined"),
        ("$range(1, 3, 0)", "undefined"),
        ("$range(1, 3, -1)", "undefined"),
        ("$range(3, 1, -1)", "[3,2,1]"),
        ("$range(1.9, 3.9, 1.9)", "[1,2,3]"),
        ("$range(1, 1, 5)", "1"),
        ("$hash('x')", "undefined"),
        ("$hash($none, 'MD5')", "undefined"),
        ("$hash('input data', 'MD5')", "\"812f45842bc6d66ee14572ce20db8e86\""),
        ("$hash('input data', 'SHA-1')", "\"aaff4a450a104cd177d28d18d74485e8cae074b7\""),
        ("$length($hash('', 'SHA-256'))", "64"),
        ("$length($hash('', 'SHA-384'))", "96"),
        ("$length($hash('', 'SHA-512'))", "128"),
        ("$hash('x', 'md5')", "T0410: Argument 2 of function \"hash\" does not match function signature"),
        ("$parse($none)", "undefined"),
        ("$randomSeeded(1)", "T1006: Attempted to invoke a non-function"),
        ("$map(['1','2'], $parse)", "[1,2]"),
        ("['1','2'] ~> $map(function($v){ $parse($v) })", "[1,2]"),
        ("'[7]' ~> $parse", "[7]"),
        ("$exists($eval)", "false"),
    ];
    for (expression, expected) in CASES {
        assert_eq!(outcome(expression, "null", "{}"), expected, "{expression}");
    }
}

#[test]
fn chance_and_time_come_from_the_surroundings() {
    const CASES: [&str; 9] = [
        "$random()",
        "[$random(), $random()]",
        "$uuid()",
        "$shuffle([1..50])",
        "$now()",
        "$millis()",
        "$now('[Y0001]-[M01]-[D01] [H01]:[m01]', '+0200')",
        "$toMillis('12:30', '[H01]:[m01]')",
        "[1..3].$random()",
    ];
    for expression in CASES {
        let first = outcome(expression, "null", "{}");
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert_eq!(outcome(expression, "null", "{}"), first, "{expression}");
    }
    assert_eq!(outcome("$now()", "null", "{}"), "\"2023-11-14T22:13:20.123Z\"");
    assert_eq!(outcome("$millis()", "null", "{}"), "1700000000123");
    assert_eq!(outcome(CASES[6], "null", "{}"), "\"2023-11-15 00:13\"");
    assert_eq!(outcome("$count($distinct([1..5].$random()))", "null", "{}"), "5");
    assert_eq!(outcome("$sort($shuffle([1..5]))", "null", "{}"), "[1,2,3,4,5]");
    assert_eq!(
        outcome(
            "$contains($uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)",
            "null",
            "{}"
        ),
        "true"
    );
}

#[test]
fn a_value_that_is_only_passed_on_is_the_same_value() {
    const INPUT: &str =
        r#"{"big":9007199254740993,"one":1.0,"xs":[1],"none":[],"deep":{"a":[{"b":1},{"b":2}]},"nil":null}"#;
    const CASES: [(&str, &str); 13] = [
        ("$states.input.big", "9007199254740993"),
        ("$states.input.one", "1.0"),
        ("$states.input.xs", "[1]"),
        ("$states.input.none", "[]"),
        ("$states.input.nil", "null"),
        ("$states.input.nil.x", "undefined"),
        ("$states.input.absent", "undefined"),
        ("$states.input.deep.a", "[{\"b\":1},{\"b\":2}]"),
        ("$states.input.deep.a.b", "[1,2]"),
        ("$states.input.deep.a[0].b", "1"),
        ("$v", "[1.0]"),
        ("$v[0]", "1"),
        ("$states.input.big + 0", "9007199254740992"),
    ];
    for (expression, expected) in CASES {
        assert_eq!(outcome(expression, INPUT, r#"{"v":[1.0]}"#), expected, "{expression}");
    }
    let passed = evaluate("$states.input.deep", INPUT, "{}").unwrap().unwrap();
    assert!(passed.get("a").is_some());
}

#[test]
fn functions_are_no_values() {
    for expression in ["$sum", "function($x){$x}", "/a/", "[1, $sum]", "{'f': function(){1}}", "$partition"] {
        assert_eq!(evaluate(expression, "null", "{}"), Err(Thrown::Function), "{expression}");
    }
}

#[test]
fn a_variable_hides_a_builtin() {
    assert_eq!(outcome("$sum", "null", r#"{"sum":1}"#), "1");
    assert_eq!(outcome("$uuid", "null", r#"{"uuid":1}"#), "1");
    assert_eq!(outcome("$sum([1])", "null", r#"{"sum":1}"#), "T1006: Attempted to invoke a non-function");
    assert_eq!(outcome("$now()", "null", r#"{"now":1}"#), "T1006: Attempted to invoke a non-function");
    assert_eq!(outcome("($now := function(){ 5 }; $now())", "null", "{}"), "5");
}

#[test]
fn what_an_expression_reads_is_known() {
    let names = |expression: &str| {
        let program = Evaluator::default().compile(expression).unwrap();
        let mut text = program.variables.join(",");
        text += ";";
        text += &program.states.join(",");
        text + if program.whole_states { ";whole" } else { "" }
    };
    const CASES: [(&str, &str); 36] = [
        ("$states.input.a", ";input"),
        ("$states.`input`", ";input"),
        ("$states.input + $states.result.x + $states.input", ";input,result"),
        ("$states", ";;whole"),
        ("$states['input']", ";;whole"),
        ("$lookup($states, 'input')", ";;whole"),
        ("$states.(input)", ";;whole"),
        ("$a + $b + $a", "a,b;"),
        ("$sum($xs)", "xs;"),
        ("($a := 1; $a + $b)", "b;"),
        ("($a; $a := 1; $a)", "a;"),
        ("($a := $a; $a)", "a;"),
        ("(($a := 1); $a)", "a;"),
        ("$map($xs, function($v, $i){ $v + $i + $k })", "xs,k;"),
        ("($f := function($n){ $n ? $f($n - 1) : $m }; $f(3))", "m;"),
        ("$xs@$x.$ys#$i[$x.a = $i].($x + $z)", "xs,ys,z;"),
        ("$xs@$x.(a)^($x.b)", "xs;"),
        ("$xs#$i{$string($i): $}", "xs;"),
        ("($xs@$x.a; $x)", "xs,x;"),
        ("$xs ~> $f", "xs,f;"),
        ("$f(?, $a)", "f,a;"),
        ("$states.input.xs[$.id = $states.context.id]", ";input,context"),
        ("$states.input@$v.context.Execution.Name", ";;whole"),
        ("$states.input#$i.a", ";input"),
        ("$states@$s.input", ";;whole"),
        ("$states#$i", ";;whole"),
        ("$states.*", ";;whole"),
        ("$states.**", ";;whole"),
        ("$states[input]", ";;whole"),
        ("$states^(input)", ";;whole"),
        ("$states{'k': $}", ";;whole"),
        ("$keys($states)", ";;whole"),
        ("$states ~> $keys", ";;whole"),
        ("$map([1], function(){ $states })", ";;whole"),
        ("$map([1], function(){ $states.context.id })", ";context"),
        ("$states.input.%.context", ";input;whole"),
    ];
    for (expression, expected) in CASES {
        assert_eq!(names(expression), expected, "{expression}");
    }
}

#[test]
fn a_bound_step_leaves_the_next_one_in_states() {
    struct Both;
    impl Surroundings for Both {
        fn states(&self, member: &str) -> Option<Json> {
            matches!(member, "input" | "context").then(|| Json::object([("of", Json::from(member))]))
        }
        fn variable(&self, _: &str) -> Option<Json> {
            None
        }
        fn now_ms(&self) -> i64 {
            0
        }
        fn seed(&self) -> u64 {
            0
        }
    }
    let evaluator = Evaluator::default();
    for (expression, expected) in [
        ("$states.input@$v.context.of", "\"context\""),
        ("$states.input@$v.context.{'a': of, 'b': $v.of}", r#"{"a":"context","b":"input"}"#),
        ("$states.input#$i.of", "\"input\""),
        ("$keys($states)", r#"["input","context"]"#),
        ("$lookup($states, 'context').of", "\"context\""),
        ("$states.*.of", r#"["input","context"]"#),
        ("($f := function($s){ $s.context.of }; $states ~> $f)", "\"context\""),
        ("$states{'k': context.of}.k", "\"context\""),
    ] {
        let program = evaluator.compile(expression).unwrap();
        let value = evaluator.begin(&Both).evaluate(&program);
        assert_eq!(value.unwrap().unwrap().to_text(), expected, "{expression}");
    }
}

#[test]
fn there_is_no_context_at_the_top_level() {
    const REFUSED: [(&str, &str); 19] = [
        ("phone", "Reference to 'phone' at the top level is not supported."),
        ("states.input", "Reference to 'states' at the top level is not supported."),
        ("$", "Reference to '$' at the top level is not supported."),
        ("$.a", "Reference to '$' at the top level is not supported."),
        ("$$", "Reference to '$$' is not supported."),
        ("$$.a", "Reference to '$$' is not supported."),
        ("*", "Reference to '*' at the top level is not supported."),
        ("**.a", "Reference to '**' at the top level is not supported."),
        ("sum([1])", "Reference to 'sum' at the top level is not supported."),
        ("$sum(a.b)", "Reference to 'a' at the top level is not supported."),
        ("{'a': name}", "Reference to 'name' at the top level is not supported."),
        ("[name]", "Reference to 'name' at the top level is not supported."),
        ("'a' ~> $f(name)", "Reference to 'name' at the top level is not supported."),
        ("$x ? name : 1", "Reference to 'name' at the top level is not supported."),
        ("$map($xs, function($v){ name })", "Reference to 'name' at the top level is not supported."),
        ("$map($xs, function($v){ $ })", "Reference to '$' at the top level is not supported."),
        ("$xs.($$.a)", "Reference to '$$' is not supported."),
        ("$states := 1", "Variable '$states' is reserved and cannot be assigned."),
        ("('a').b; c", "Reference to 'a' at the top level is not supported."),
    ];
    for (expression, expected) in &REFUSED[..18] {
        assert_eq!(
            refusal(expression),
            format!("UNSUPPORTED_JSONATA_EXPRESSION: {expected}"),
            "{expression}"
        );
    }
    const TAKEN: [&str; 12] = [
        "$xs.name",
        "$xs[name = 1]",
        "$xs[$ = 1]",
        "$xs.{'a': name}",
        "$xs{name: $sum(price)}",
        "$xs^(name, >$)",
        "$xs.*",
        "$xs.**.a",
        "$xs.(name & $string($))",
        "$xs.($f := function(){ name }; $f())",
        "$xs ~> |a|{'b': c},['d']|",
        "$xs.a.%.b",
    ];
    for expression in TAKEN {
        assert!(Evaluator::default().compile(expression).is_ok(), "{expression}: {}", refusal(expression));
    }
}
