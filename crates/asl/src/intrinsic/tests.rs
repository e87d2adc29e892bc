//! Tests of intrinsic functions: what they give, how they fail, and which calls are refused.

use super::*;

/// Counts upwards instead of drawing.
struct Counter(u64);

impl Entropy for Counter {
    fn next_u64(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

fn evaluate(call: &str, input: &str) -> Result<Json, Failure> {
    let call = Call::parse(call).unwrap_or_else(|failure| panic!("{call}: {failure}"));
    let input = Json::parse(input).unwrap();
    let context =
        Json::parse(r#"{"Execution":{"Name":"run"},"StateMachine":{"Id":"arn:m","Name":"m"}}"#).unwrap();
    call.evaluate(
        &Scope { input: &input, context: &context, variables: &(), work: &Work::default() },
        &mut Counter(0),
    )
}

#[test]
fn calls_give_values() {
    fn check(call: &str, input: &str, expected: &str) {
        let value = evaluate(call, input).unwrap_or_else(|failure| panic!("{call} of {input}: {failure}"));
        assert_eq!(value.to_text(), expected, "{call} of {input}");
    }
    check("States.Array()", "null", "[]");
    check("States.Array($.f, $.s)", r#"{"f":1.1,"s":{"A":1,"B":[]}}"#, r#"[1.1,{"A":1,"B":[]}]"#);
    check(" States.Array( 'a' , -1.5,true,null , States.Array() ) ", "null", r#"["a",-1.5,true,null,[]]"#);
    check(
        "States.Array($.a[?(@.b in ['x,)', 'y'])].b, $.a.length())",
        r#"{"a":[{"b":"x,)"}]}"#,
        r#"[["x,)"],1]"#,
    );

    check("States.ArrayPartition($, 4)", "[]", "[]");
    check("States.ArrayPartition($, 2)", "[0,1,2]", "[[0,1],[2]]");
    check("States.ArrayPartition($, 3)", "[0,1]", "[[0,1]]");
    check("States.ArrayPartition($, 1.5)", "[0,1,2]", "[[0,1],[2]]");

    check("States.ArrayContains($, $)", "[]", "false");
    check("States.ArrayContains($.f, $.s)", r#"{"f":[{"1":2,"2":[]}],"s":{"2":[],"1":2}}"#, "true");
    check("States.ArrayContains($, false)", "[true,false]", "true");
    check("States.ArrayContains($, 1)", "[]", "false");

    check("States.ArrayRange(0, 9, 3)", "null", "[0,3,6,9]");
    check("States.ArrayRange(0, 10, 3)", "null", "[0,3,6,9]");
    check("States.ArrayRange(1, 9, 9)", "null", "[1]");
    check("States.ArrayRange(5, 1, -2)", "null", "[5,3,1]");
    check("States.ArrayRange(5, 1, 2)", "null", "[]");
    check("States.ArrayRange(3, 3, 7)", "null", "[3]");
    check("States.ArrayRange(1, 2, 7)", "null", "[1]");
    check("States.ArrayRange(2, 1, 7)", "null", "[]");
    check("States.ArrayRange(1, 0, -7)", "null", "[1]");

    check("States.ArrayGetItem($, 1)", "[7,8]", "8");
    check("States.ArrayLength($)", "[7,8]", "2");
    check(
        "States.ArrayUnique($)",
        r#"[1,1.0,1,"1",{"a":1,"b":2},{"b":2,"a":1},[1],[1],null,null]"#,
        r#"[1,1.0,"1",{"a":1,"b":2},[1],null]"#,
    );

    check("States.Base64Encode($)", "\"\"", "\"\"");
    check("States.Base64Decode($)", "\"\"", "\"\"");
    check("States.Base64Encode('Data to encode')", "null", "\"RGF0YSB0byBlbmNvZGU=\"");
    check("States.Base64Decode($)", "\"RGF0YSB0byBl\\r\\nbmNvZGU\"", "\"Data to encode\"");
    check("States.Base64Decode(States.Base64Encode('é🆗'))", "null", "\"é🆗\"");
    check("States.Base64Decode('/w==')", "null", "\"\u{fffd}\"");
    check("States.Base64Decode(' Q!Q == ')", "null", "\"A\"");
    check("States.Base64Decode('QUI=')", "null", "\"AB\"");

    check("States.Hash('input data', 'MD5')", "null", "\"812f45842bc6d66ee14572ce20db8e86\"");
    check("States.Hash('input data', 'SHA-1')", "null", "\"aaff4a450a104cd177d28d18d74485e8cae074b7\"");
    check(
        "States.Hash('input data', 'SHA-256')",
        "null",
        "\"b4a697a057313163aee33cd8d40c66e9f0f177e00cac2de32475ffff6169c3e3\"",
    );
    check(
        "States.Hash($, 'SHA-384')",
        "\"input data\"",
        "\"d28a7d5cf25a74f11a50a18452b75e04bb3d70c9dd0510d6123aa008c756511b87525bdc835ebb27e1fb9e9374a15562\"",
    );

    // Other values are hashed as their JSON text.
    for (value, text) in
        [("1.50", "1.5"), ("true", "true"), ("null", "null"), ("[ 1, {\"a\": 2} ]", "[1,{\"a\":2}]")]
    {
        let direct = evaluate("States.Hash($, 'SHA-1')", value);
        let of_text = evaluate("States.Hash(States.JsonToString($), 'SHA-1')", value);
        assert_eq!(direct, of_text, "{value}");
        assert_eq!(direct, evaluate("States.Hash($, 'SHA-1')", &Json::from(text).to_text()), "{value}");
    }

    check(
        "States.JsonMerge($.f, $.s, false)",
        r#"{"f":{"a":{"a1":1,"a2":2},"b":2,"d":3},"s":{"a":{"a3":1,"a4":2},"c":3,"d":4}}"#,
        r#"{"a":{"a3":1,"a4":2},"b":2,"d":4,"c":3}"#,
    );

    check("States.StringToJson('')", "null", "null");
    check("States.StringToJson(' ')", "null", "null");
    check("States.StringToJson($)", "\"\\t\\n \"", "null");
    check("States.StringToJson('-0')", "null", "0");
    check("States.StringToJson('-0.0')", "null", "-0.0");
    check("States.StringToJson('9223372036854775807')", "null", "9223372036854775807");
    check("States.StringToJson('9223372036854775808')", "null", "9.223372036854776E18");
    check("States.StringToJson('1e21')", "null", "1.0E21");
    check("States.StringToJson($)", r#""\"\\ud83c\\udd97\"""#, "\"🆗\"");
    check("States.StringToJson('true')", "null", "true");
    check("States.StringToJson('[1, 2, \"HelloWorld\"]')", "null", r#"[1,2,"HelloWorld"]"#);
    check("States.StringToJson('\\{\"Arg1\": 1\\}')", "null", r#"{"Arg1":1}"#);
    check("States.StringToJson($)", r#""{\"b\": 1, \"a\": []}""#, r#"{"b":1,"a":[]}"#);

    check("States.JsonToString($)", r#"{"Arg1": 1, "Arg2": []}"#, r#""{\"Arg1\":1,\"Arg2\":[]}""#);
    check("States.JsonToString($)", "1.1", "\"1.1\"");
    check("States.JsonToString($)", "null", "\"null\"");

    check("States.StringSplit($, ',')", "\" , \"", r#"[" "," "]"#);
    check("States.StringSplit($, ',')", "\", , ,\"", r#"[" "," "]"#);
    check("States.StringSplit($, ',')", "\",,,,\"", "[]");
    check(
        "States.StringSplit($, '.+,=')",
        "\"This.is+a,test=string\"",
        r#"["This","is","a","test","string"]"#,
    );
    check(
        "States.StringSplit($.f, $.s)",
        r#"{"f":"split on T and \nnew line","s":"T\n"}"#,
        r#"["split on "," and ","new line"]"#,
    );
    check("States.StringSplit('abc', '')", "null", r#"["abc"]"#);

    check("States.Format('no arguments')", "null", "\"no arguments\"");
    check("States.Format('a {} b {}.', $.f, $.s)", r#"{"f":"x","s":1}"#, "\"a x b 1.\"");
    check("States.Format('{}{}{}', true, null, 1.5)", "null", "\"truenull1.5\"");
    check("States.Format('{} {} {}', 1e7, 0.0001, -0.0)", "null", "\"1.0E7 1.0E-4 -0.0\"");
    check(
        "States.Format('{}', $)",
        r#"{"a":null,"b":[1.0,{"c":"x, y=z"},[]],"d":{}}"#,
        "\"{a=null, b=[1.0, {c=x, y=z}, []], d={}}\"",
    );
    check("States.Format('{{}}', 1)", "null", "\"{1}\"");
    check("States.Format('{}', '{}')", "null", "\"{}\"");
    check("States.Format('\\{\\} \\'{}\\' \\\\', 1)", "null", r#""{} '1' \\""#);
    check("States.Format($.t, 2)", r#"{"t":"\\{\\}={} \\n {x"}"#, r#""{}=2 \\n {x""#);
    check("States.Format('snd={}', $)", r#"{"Arg1": 1, "Arg2": [1, "a"]}"#, "\"snd={Arg1=1, Arg2=[1, a]}\"");
    check("States.Format('{}', $)", r#""{\"Arg1\": 1, \"Arg2\": []}""#, r#""{\"Arg1\": 1, \"Arg2\": []}""#);
    check(
        "States.Format('fst={} and snd={}.', $$.Execution.Name, $$.StateMachine)",
        "null",
        "\"fst=run and snd={Id=arn:m, Name=m}.\"",
    );

    check("States.UUID()", "null", "\"00000000-0000-4001-8000-000000000002\"");
    check("States.MathRandom(5, 6)", "null", "5");
    check("States.MathRandom(12.5, 44.51)", "null", "14");
}

#[test]
fn math_add_rounds_each_argument_first() {
    for (left, right, sum) in [
        ("-9", "3", "-6"),
        ("1.49", "1.5", "3"),
        ("1.5", "1.51", "4"),
        ("-1.5", "-1.51", "-3"),
        ("1.49", "-1.49", "0"),
        ("0.5", "0", "1"),
        ("-0.5", "0", "0"),
        ("-0.5", "0.5", "1"),
        ("-3.5", "0", "-3"),
        ("3.5", "0", "4"),
        ("0.49999999999999994", "0", "0"),
        ("2147483647", "0", "2147483647"),
        ("-2147483648", "0", "-2147483648"),
    ] {
        let value = evaluate(&format!("States.MathAdd({left}, {right})"), "null").unwrap();
        assert_eq!(value.to_text(), sum, "{left} + {right}");
    }
}

#[test]
fn a_seeded_draw_is_that_of_java() {
    // In Java `new Random(42).nextInt(10)` is 0, `new Random(0).nextInt(100)` is 60, and a power of two takes the
    // upper bits: `new Random(0).nextInt(16)` is 11.
    for (start, end, seed, expected) in
        [(0, 10, 42, 0), (0, 100, 0, 60), (1000, 1100, 0, 1060), (0, 16, 0, 11)]
    {
        let call = format!("States.MathRandom({start}, {end}, {seed})");
        assert_eq!(evaluate(&call, "null"), Ok(Json::from(expected)), "{call}");
    }
    for seed in 0..200 {
        let wide = format!("States.MathRandom(-2147483648, 2147483647, {seed})");
        let value = evaluate(&wide, "null").unwrap();
        assert_eq!(evaluate(&wide, "null"), Ok(value.clone()));
        let narrow =
            evaluate(&format!("States.MathRandom(-3, 4, {seed})"), "null").unwrap().as_i64().unwrap();
        assert!((-3..4).contains(&narrow));
    }
}

#[test]
fn failures_name_the_call_and_the_fault() {
    fn check(call: &str, input: &str, reason: &str) {
        let failure = evaluate(call, input).expect_err(call);
        assert_eq!(failure.error(), "States.IntrinsicFailure");
        assert_eq!(failure.cause(), format!("The function '{call}' had the following error: {reason}"));
    }
    check("States.ArrayPartition($, 0)", "[]", "The chunk size must be a positive integer, but was 0");
    check("States.ArrayPartition($, 1)", "{}", "The argument must be an array, but was object");
    check("States.ArrayRange(1, 2, 0)", "null", "The step must not be 0");
    check("States.ArrayRange(1, 2, 0.4)", "null", "The step must not be 0");
    check("States.ArrayRange(0, 1000, 1)", "null", "The range has 1001 items; no more than 1000 are allowed");
    check("States.ArrayGetItem($, 2)", "[7,8]", "The index 2 is out of bounds for an array of length 2");
    check("States.ArrayGetItem($, -1)", "[7,8]", "The index -1 is out of bounds for an array of length 2");
    check("States.Base64Decode('A')", "null", "The argument is not valid Base64");
    check("States.Base64Encode(1)", "null", "The argument must be a string, but was number");
    check(
        "States.Hash('a', 'CRC')",
        "null",
        "The algorithm must be MD5, SHA-1, SHA-256, SHA-384 or SHA-512, but was 'CRC'",
    );
    check(
        "States.JsonMerge($, $, true)",
        "{}",
        "The third argument must be false: only shallow merging is supported",
    );
    check(
        "States.JsonMerge($, 1, false)",
        "{}",
        "The first two arguments must be objects, but were object and number",
    );
    check(
        "States.StringToJson('{')",
        "null",
        "Invalid JSON provided: Unexpected end-of-input: expected close marker for Object (start marker at [Source: (String)\"{\"; line: 1, column: 1])",
    );
    check("States.MathRandom(3, 3)", "null", "The start 3 must be less than the end 3");
    check("States.MathAdd('a', 3)", "null", "The first argument must be a number, but was string");
    check(
        "States.MathAdd(2147483648, 3)",
        "null",
        "The first argument must be between -2147483648 and 2147483647, but was 2147483648",
    );
    check(
        "States.MathAdd(2147483647, 1)",
        "null",
        "The sum must be between -2147483648 and 2147483647, but was 2147483648",
    );
    check(
        "States.Format('{} {}', 1)",
        "null",
        "The number of arguments does not match the occurrences of {}",
    );
    check(
        "States.Format('{}', 1, 2)",
        "null",
        "The number of arguments does not match the occurrences of {}",
    );
    check("States.Format(1)", "null", "The template must be a string, but was number");
    let long = format!("States.Base64Encode('{}')", "x".repeat(10_001));
    check(&long, "null", "The argument must not be longer than 10000 characters");

    // The innermost call is named.
    let failure = evaluate("States.Array(States.ArrayLength(1))", "null").unwrap_err();
    assert!(failure.cause().starts_with("The function 'States.ArrayLength(1)' had"), "{failure}");

    let failure = evaluate("States.Format('{}', $.x)", r#"{"a":[ 1 ]}"#).unwrap_err();
    assert_eq!(failure.error(), "States.Runtime");
    assert_eq!(
        failure.cause(),
        "The function 'States.Format('{}', $.x)' had the following error: \
         The JsonPath argument for the field '$.x' could not be found in the input '{\"a\":[1]}'"
    );
}

/// The last value inside each limit, and the first outside.
#[test]
fn limits_hold_where_aws_puts_them() {
    fn check(call: &str, input: &Json, reason: &str) {
        let scope = Scope { input, context: &Json::Null, variables: &(), work: &Work::default() };
        let result = Call::parse(call).unwrap().evaluate(&scope, &mut Counter(0));
        match (result, reason) {
            (Ok(_), "") => {}
            (Err(Failure::Intrinsic(cause)), reason) if !reason.is_empty() => {
                assert!(cause.ends_with(reason), "{call}: {cause}");
            }
            (result, _) => panic!("{call}: {result:?}"),
        }
    }
    let text = |length: usize| Json::from("x".repeat(length));
    // Characters are UTF-16 units, as in Java.
    let pairs = |length: usize| Json::from("🆗".repeat(length));
    const LONG: &str = "The argument must not be longer than 10000 characters";
    for call in ["States.Base64Encode($)", "States.Hash($, 'MD5')"] {
        check(call, &text(10_000), "");
        check(call, &text(10_001), LONG);
        check(call, &pairs(5_000), "");
        check(call, &pairs(5_001), LONG);
    }
    check("States.Base64Decode($)", &text(10_000), "");
    check("States.Base64Decode($)", &text(10_001), LONG);
    // The JSON text of an array of one text has four characters more.
    check("States.Hash($, 'MD5')", &Json::array([text(9_996)]), "");
    check("States.Hash($, 'MD5')", &Json::array([text(9_997)]), LONG);

    check("States.ArrayRange(1, 1000, 1)", &Json::Null, "");
    check("States.ArrayRange(1, 1001, 1)", &Json::Null, "no more than 1000 are allowed");
    check("States.ArrayRange(0, -1998, -2)", &Json::Null, "");
    check("States.ArrayRange(0, -2000, -2)", &Json::Null, "no more than 1000 are allowed");
    check("States.ArrayRange(-2147483648, 2147483647, 2147483647)", &Json::Null, "");
    check("States.ArrayRange(0, 2147483648, 2147483647)", &Json::Null, "but was 2147483648");

    check("States.ArrayPartition($, 1)", &Json::array([text(256 * 1024 - 4)]), "");
    check(
        "States.ArrayPartition($, 1)",
        &Json::array([text(256 * 1024 - 3)]),
        "The array must not be larger than 262144 bytes",
    );
    check("States.ArrayPartition($, 0.5)", &Json::array([1]), "");
    check("States.ArrayPartition($, 0.49)", &Json::array([1]), "must be a positive integer, but was 0");
    check("States.ArrayPartition($, 2147483648)", &Json::array([1]), "but was 2147483648");
    check(
        "States.ArrayGetItem($, 0.5)",
        &Json::array([1]),
        "The index 1 is out of bounds for an array of length 1",
    );
    check("States.ArrayGetItem($, 4e18)", &Json::array([1]), "but was 4000000000000000000");
    check("States.MathAdd(1e300, 0)", &Json::Null, "but was 9223372036854775807");
    check("States.MathAdd(-2147483648, -1)", &Json::Null, "but was -2147483649");
    check("States.MathAdd(2147483647.49, 0)", &Json::Null, "");
    check("States.MathAdd(2147483647.5, 0)", &Json::Null, "but was 2147483648");
    check("States.MathRandom(-2147483648, 2147483647)", &Json::Null, "");
    check("States.MathRandom(1.4, 1.49)", &Json::Null, "The start 1 must be less than the end 1");
    check("States.MathRandom(0, 2, 1e300)", &Json::Null, "");
}

/// Every function says what it was given instead of what it takes.
#[test]
fn arguments_of_the_wrong_type_are_named() {
    for (call, reason) in [
        ("States.ArrayPartition('a', 1)", "The argument must be an array, but was string"),
        ("States.ArrayPartition($, '1')", "The chunk size must be a number, but was string"),
        ("States.ArrayContains(1, 1)", "The argument must be an array, but was number"),
        ("States.ArrayRange('1', 2, 3)", "The start must be a number, but was string"),
        ("States.ArrayRange(1, null, 3)", "The end must be a number, but was null"),
        ("States.ArrayRange(1, 2, true)", "The step must be a number, but was boolean"),
        ("States.ArrayGetItem(null, 1)", "The argument must be an array, but was null"),
        ("States.ArrayGetItem($, $)", "The index must be a number, but was array"),
        ("States.ArrayLength('abc')", "The argument must be an array, but was string"),
        ("States.ArrayUnique(true)", "The argument must be an array, but was boolean"),
        ("States.Base64Encode($)", "The argument must be a string, but was array"),
        ("States.Base64Decode(null)", "The argument must be a string, but was null"),
        ("States.Base64Decode('QQ=')", "The argument is not valid Base64"),
        ("States.Base64Decode('QQ==QQ')", "The argument is not valid Base64"),
        ("States.Base64Decode('=')", "The argument is not valid Base64"),
        ("States.Hash('a', 1)", "The algorithm must be a string, but was number"),
        ("States.Hash('a', 'sha-1')", "but was 'sha-1'"),
        (
            "States.JsonMerge($, $, false)",
            "The first two arguments must be objects, but were array and array",
        ),
        ("States.StringToJson(1)", "The argument must be a string, but was number"),
        ("States.MathRandom('a', 1)", "The start must be a number, but was string"),
        ("States.MathRandom(1, $)", "The end must be a number, but was array"),
        ("States.MathRandom(1, 2, 'a')", "The seed must be a number, but was string"),
        ("States.MathAdd(1, true)", "The second argument must be a number, but was boolean"),
        ("States.StringSplit(1, ',')", "The first argument must be a string, but was number"),
        ("States.StringSplit('a', 1)", "The delimiters must be a string, but was number"),
        ("States.Format($, 1)", "The template must be a string, but was array"),
    ] {
        let failure = evaluate(call, "[]").expect_err(call);
        assert_eq!(failure.error(), "States.IntrinsicFailure");
        assert!(failure.cause().ends_with(reason), "{failure}");
    }
}

#[test]
fn hostile_arguments_are_refused_in_time() {
    let tower = || {
        let mut tower = Json::from("x");
        for _ in 0..60 {
            tower = Json::array([tower.clone(), tower]);
        }
        tower
    };
    // Two of them, so that nothing is equal only because it is the same.
    let input = Json::array([tower(), Json::array([tower()])]);
    for call in [
        "States.JsonToString($)",
        "States.Format('{}', $)",
        "States.Hash($, 'MD5')",
        "States.ArrayUnique($)",
        "States.ArrayContains($[1], $[0])",
    ] {
        let scope = Scope { input: &input, context: &Json::Null, variables: &(), work: &Work::default() };
        let failure = Call::parse(call).unwrap().evaluate(&scope, &mut Counter(0)).expect_err(call);
        assert_eq!(failure.error(), "States.IntrinsicFailure");
    }
}

/// Twenty thousand calls in one field, each of them harmless, took gigabytes.
#[test]
fn the_calls_of_a_field_share_a_bound() {
    let input = Json::from("x".repeat(250_000));
    let calls = vec!["States.JsonToString($)"; 5_000].join(", ");
    let scope = Scope { input: &input, context: &Json::Null, variables: &(), work: &Work::default() };
    let call = Call::parse(&format!("States.Array({calls})")).unwrap();
    let failure = call.evaluate(&scope, &mut Counter(0)).unwrap_err();
    assert_eq!(failure.error(), "States.IntrinsicFailure");
    assert!(failure.cause().ends_with("may look at 4000000 values, and these look at more"), "{failure}");
}

#[test]
fn texts_that_are_not_calls_are_refused() {
    fn check(call: &str, error: &str) {
        assert_eq!(Call::parse(call).expect_err(call).to_string(), error, "{call}");
    }
    check("", "'' is not an intrinsic function at character 1");
    check("hello", "'hello' is not an intrinsic function at character 6");
    check("States.Nope()", "'States.Nope' is not an intrinsic function at character 12");
    check("States.uuid()", "'States.uuid' is not an intrinsic function at character 12");
    check("States.UUID", "expected '(' after States.UUID at character 12");
    check(
        "States.UUID(",
        "expected a text in single quotes, a number, true, false, null, a path or a call at character 13",
    );
    check("States.UUID() x", "expected nothing after the call at character 14");
    check("States.UUID(1)", "States.UUID does not take 1 arguments at character 15");
    check("States.MathAdd(1)", "States.MathAdd does not take 1 arguments at character 18");
    check(
        "States.Array(1,)",
        "expected a text in single quotes, a number, true, false, null, a path or a call at character 16",
    );
    check(
        "States.Array(1 2)",
        "expected a text in single quotes, a number, true, false, null, a path or a call at character 17",
    );
    check("States.Array('a' 'b')", "expected ',' or ')' after an argument at character 18");
    check(
        "States.Array(\"a\")",
        "expected a text in single quotes, a number, true, false, null, a path or a call at character 17",
    );
    check("States.Array('a)", "expected ' to end the text at character 17");
    check(
        "States.Array($.)",
        "'$.' is not a path: a path must not end with '.' at character 3 at character 14",
    );
    // The recorded illegal escape, and a dangling one.
    check(
        r#"States.StringToJson('{"text":"An \"escaped double quote\" here"}')"#,
        r"expected one of ' { } \ after '\' at character 36",
    );
    check(r"States.Array('a\')", "expected ' to end the text at character 19");
    check(r"States.Array('a\", r"expected one of ' { } \ after '\' at character 17");
    let nested = |depth| format!("{}{}", "States.Array(".repeat(depth), ")".repeat(depth));
    assert!(Call::parse(&nested(10)).is_ok());
    check(&nested(11), "calls nest more than 10 deep at character 131");
}

#[test]
fn calls_list_their_paths() {
    let call = Call::parse("States.Array($.a, States.Format('{}', $v.b), 1, $$.c)").unwrap();
    let paths: Vec<&str> = call.paths().into_iter().map(Path::as_str).collect();
    assert_eq!(paths, ["$.a", "$v.b", "$$.c"]);
    assert_eq!((call.name(), call.to_string().len()), ("States.Array", 53));
}
