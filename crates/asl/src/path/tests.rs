//! Tests of paths: tables of what each selects, what is refused, and how misses read.

use super::*;
use crate::json::Object;

const STORE: &str = r#"{
    "items": [{"id": 1, "keep": true, "tag": "a"}, {"id": 2, "keep": false}, {"id": 3, "keep": null, "tag": "c"}],
    "delivery-partner": "UQS", "a b": {"c.d": 5}, "née": 6, "numbers": [4, 1.0, 3, "2"], "none": null, "empty": [],
    "nested": {"id": 10, "deep": [{"id": 11}, [{"id": 12}]]}, "limit": 2, "0": "zero"
}"#;

fn select(path: &str, document: &str) -> Result<Json, PathMiss> {
    let path = Path::parse(path).unwrap_or_else(|failure| panic!("{path}: {failure}"));
    path.select_in(&Json::parse(document).unwrap(), &Work::default())
}

#[test]
fn paths_select() {
    fn check(path: &str, expected: &str) {
        let value = select(path, STORE).unwrap_or_else(|miss| panic!("{path}: {miss}"));
        assert_eq!(value.to_text(), expected, "{path}");
    }
    // Names and indices.
    check("$.limit", "2");
    check("$['limit']", "2");
    check("$[\"limit\"]", "2");
    check("$.['limit']", "2");
    check(" $.limit ", "2");
    check("$.delivery-partner", "\"UQS\"");
    check("$['a b']['c.d']", "5");
    check("$.née", "6");
    check("$['n\\u00e9e']", "6");
    check("$.0", "\"zero\"");
    check("$.none", "null");
    check("$.items[0].id", "1");
    check("$.items[-1].id", "3");
    check("$.items[ 1 ].id", "2");
    check("$.nested.deep[1][0].id", "12");
    check("$['limit','nowhere','0']", r#"{"limit":2,"0":"zero"}"#);
    // Several.
    check("$.items[0,2].id", "[1,3]");
    check("$.items[0,7,-1].id", "[1,3]");
    check("$['items','numbers'][0]", r#"[{"id":1,"keep":true,"tag":"a"},4]"#);
    check("$.items[*].id", "[1,2,3]");
    check("$.items.*.id", "[1,2,3]");
    check("$.nested.*", r#"[10,[{"id":11},[{"id":12}]]]"#);
    check("$.items[*].tag", r#"["a","c"]"#);
    check("$.items[*].nowhere", "[]");
    // Slices, with the rules of the library AWS uses.
    check("$.numbers[1:]", r#"[1.0,3,"2"]"#);
    check("$.numbers[:1]", "[4]");
    check("$.numbers[1:3]", "[1.0,3]");
    check("$.numbers[-2:]", r#"[3,"2"]"#);
    check("$.numbers[:-1]", "[4,1.0,3]");
    check("$.numbers[-1:1]", r#"["2",4]"#);
    check("$.numbers[0:-1]", "[]");
    check("$.numbers[1:99]", r#"[1.0,3,"2"]"#);
    check("$.numbers[9:]", "[]");
    check("$.numbers[0:3:2]", "[4,1.0,3]");
    // Everything below.
    check("$..id", "[1,2,3,10,11,12]");
    check("$.nested..id", "[10,11,12]");
    check("$..deep[0].id", "[11]");
    check("$.nested..[0]", r#"[{"id":11},{"id":12}]"#);
    check("$.nested..*", r#"[10,[{"id":11},[{"id":12}]],{"id":11},[{"id":12}],11,{"id":12},12]"#);
    check("$..[?(@.id > 10)].id", "[11,12]");
    // Nothing below something missing.
    check("$.nowhere[*]", "[]");
    check("$.nowhere.items[1:5].itemValue", "[]");
    check("$.limit[0:1]", "[]");
    check("$.none[*].x", "[]");
    // Functions.
    check("$.items.length()", "3");
    check("$.nested.keys()", r#"["id","deep"]"#);
    check("$.numbers.sum()", "8.0");
    check("$.numbers.min()", "1.0");
    check("$.numbers.max()", "4.0");
    check("$..id.avg()", "6.5");
    check("$.avg($.items[*].id, 6)", "3.0");
    check("$..items.length()", "3");
    check("$.items[*].length()", "[3,2,3]");
    check("$.limit.length()", "null");
    check("$.numbers.first()", "4");
    check("$.numbers.last()", "\"2\"");
    check("$.empty.append($.limit, {'a': [1]})", r#"[2,{"a":[1]}]"#);
    check("$..tag.concat()", "\"ac\"");
    check("$.concat($..tag, \"-\", $.limit)", "\"ac-2\"");
}

#[test]
fn filters_choose() {
    fn check(filter: &str, expected: &str) {
        let value = select(&format!("$.items[?({filter})].id"), STORE).unwrap();
        assert_eq!(value.to_text(), expected, "{filter}");
    }
    check("@.id == 1", "[1]");
    check("@.id==1.0", "[1]");
    check("@['id'] != 1", "[2,3]");
    check("1 == @.id", "[1]");
    check("@.id == '1'", "[1]");
    check("'1' == @.id", "[1]");
    check("@.id === '1'", "[]");
    check("@.id !== '1'", "[1,2,3]");
    check("@.id < 2", "[1]");
    check("@.id <= 2", "[1,2]");
    check("@.id > $.limit", "[3]");
    check("@.id >= $['limit']", "[2,3]");
    check("@.tag == 'a'", "[1]");
    check("@.tag == \"c\"", "[3]");
    check("@.tag < 'b'", "[1]");
    check("@.tag > 1", "[]");
    // Absent equals nothing and is unequal to everything.
    check("@.tag == null", "[]");
    check("@.tag != 'a'", "[2,3]");
    check("@.keep == null", "[3]");
    check("@.keep == false", "[2]");
    // A bare path asks for a value other than false.
    check("@.tag", "[1,3]");
    check("@.keep", "[1,3]");
    check("!@.tag", "[2]");
    check("!(@.tag)", "[2]");
    check("@", "[1,2,3]");
    check("@..id", "[1,2,3]");
    check("@.nowhere[*]", "[]");
    // Together.
    check("@.id > 1 && @.tag", "[3]");
    check("@.id>1&&@.tag", "[3]");
    check("@.id == 1 || @.id == 2 && @.keep == true", "[1]");
    check("(@.id == 1 || @.id == 2) && @.keep == true", "[1]");
    check("!(@.id == 1) && !(@.id == 2)", "[3]");
    // Sets.
    check("@.tag in ['a', 'b']", "[1]");
    check("@.tag nin ['a', 'b']", "[2,3]");
    check("@.id in $.numbers", "[1,2,3]");
    check("@.id in [ 2, 3 ]", "[2,3]");
    check("@.tag size 1", "[1,3]");
    check("@.tag empty false", "[1,3]");
    check("@.tag contains 'c'", "[3]");
    check("$.numbers contains @.id", "[1,2,3]");
    check("$.numbers size 4", "[1,2,3]");
    check("$.empty empty true", "[1,2,3]");
    check("[1] subsetof $.numbers", "[1,2,3]");
    check("[1,9] subsetof $.numbers", "[]");
    check("[1,9] anyof $.numbers", "[1,2,3]");
    check("[8,9] noneof $.numbers", "[1,2,3]");
    check("[9] noneof $.nowhere", "[]");
    check("@.nowhere nin $.numbers", "[1,2,3]");
    check("@.tag IN [a, b]", "[1]");
    check("@.tag =~ /[A-B]/i", "[1]");
    check("@ == {'id': 2, 'keep': false}", "[2]");
    check("{'id': 2, 'keep': false} == @", "[]");
    // What can make nothing of its sides makes the whole filter false.
    check("@.id in 1", "[]");
    check("!(@.id in 1)", "[]");
    check("@.id == 1 || @.id in 1", "[1]");
    check("$.numbers all [4]", "[]");
    // A test for existence starts from the element, and '!' before a comparison means nothing.
    check("$.limit", "[]");
    check("!@.id == 1", "[1]");
}

#[test]
fn a_filter_behind_an_object_tests_the_object() {
    assert_eq!(select("$.nested[?(@.id == 10)].id", STORE), Ok(Json::array([10])));
    assert_eq!(select("$.nested[?(@.id == 1)].id", STORE), Ok(Json::array::<i64>([])));
}

#[test]
fn misses_read_as_on_aws() {
    fn check(path: &str, cause: &str) {
        let miss = select(path, STORE).expect_err(path);
        assert_eq!(miss.cause(&Path::parse(path).unwrap()), cause);
    }
    check(
        "$.NoSuchInputPath",
        "Invalid path '$.NoSuchInputPath' : No results for path: $['NoSuchInputPath']",
    );
    check("$.no.such.result.path", "Invalid path '$.no.such.result.path' : Missing property in path $['no']");
    check("$.nested.a.b", "Invalid path '$.nested.a.b' : Missing property in path $['nested']['a']");
    check("$.items[9]", "Invalid path '$.items[9]' : No results for path: $['items'][9]");
    check("$.items[-4].id", "Invalid path '$.items[-4].id' : No results for path: $['items'][-4]['id']");
    check("$.none[0]", "Invalid path '$.none[0]' : The path $['none'] is null");
    check(
        "$.nested[0]",
        "Invalid path '$.nested[0]' : Filter: [0] can only be applied to arrays. \
         Current context is: {id=10, deep=[{id=11}, [{id=12}]]}",
    );
    check(
        "$.limit.x",
        "Invalid path '$.limit.x' : Expected to find an object with property ['x'] in path $['limit'] but found \
         'java.lang.Integer'. This is not a json object according to the JsonProvider: \
         'com.jayway.jsonpath.spi.json.JacksonJsonProvider'.",
    );
    check("$$.x.y", "Invalid path '$.x.y' : Missing property in path $['x']");
    check("$var['x']", "Invalid path '$['x']' : No results for path: $['x']");
    check(
        "$.empty.sum()",
        "Invalid path '$.empty.sum()' : Aggregation function attempted to calculate value using empty array",
    );
    check(
        "$.limit[?(@.x)].y",
        "Invalid path '$.limit[?(@.x)].y' : \
         Filter: [?]['y'] can not be applied to primitives. Current context is: 2",
    );
    check(
        "$.items[?(@.id in $.items)]",
        "Invalid path '$.items[?(@.id in $.items)]' : Could not determine value type",
    );
    check("$[\"no\"]", "Invalid path '$[\"no\"]' : No results for path: $[\"no\"]");
    check("$[\"no\"].x", "Invalid path '$[\"no\"].x' : Missing property in path $['no']");
}

#[test]
fn texts_that_are_not_paths_are_refused() {
    fn check(path: &str, error: &str) {
        let failure = Path::parse(path).map(|path| format!("{path:?}")).expect_err(path);
        assert_eq!(failure.to_string(), error, "{path}");
    }
    check("", "a path must start with '$' at character 1");
    check("  ", "a path must start with '$' at character 1");
    check("a.b", "a path must start with '$' at character 1");
    check("$.", "a path must not end with '.' at character 3");
    check("$..", "a path must not end with '.' at character 4");
    check("$...a", "expected a name after '.' at character 4");
    check("$.a..", "a path must not end with '.' at character 6");
    check("$.a b", "a name with blanks must stand in brackets and quotes: ['my name'] at character 4");
    check("$-a", "expected '.' or '[' at character 2");
    check("$1a", "a variable's name must not start with a digit at character 2");
    check("$.a[", "expected a quoted name, an index, a slice, '*' or '?(' after '[' at character 5");
    check("$.a[x]", "expected a quoted name, an index, a slice, '*' or '?(' after '[' at character 5");
    check("$.a[]", "expected a quoted name, an index, a slice, '*' or '?(' after '[' at character 5");
    check("$.a['b", "expected ' to end the text at character 7");
    check("$.a[1", "expected ']' at character 6");
    check("$.a[:]", "a slice needs at least one end at character 6");
    check("$.a[1-2]", "'1-2' is neither an index nor a slice at character 8");
    check("$.a[99999999999]", "'99999999999' is neither an index nor a slice at character 16");
    check("$.a[?@.b]", "a filter must stand in brackets: [?(…)] at character 6");
    check(
        "$.a[?(@.b == )]",
        "expected a path, a quoted text, a number, true, false, null, a list or a regular expression at character 14",
    );
    check("$.a[?(1)]", "expected a comparison behind the literal at character 8");
    check("$.a[?(@.b", "expected '&&', '||', a comparison or ')' at character 10");
    check("$.a[?(@.b =~ /x)]", "expected '/' to end the regular expression at character 15");
    check("$.a[?(@.b =~ /x/q)]", "there is no flag 'q' for regular expressions at character 18");
    check("$.a[?(@.b in['x'])]", "expected '&&', '||', a comparison or ')' at character 11");
    check("$.a[?(@.b in ['x' 2])]", "expected ',' or ']' at character 19");
    check("$..a.concat(1)", "a function of what '..' finds takes no arguments at character 15");
    check("$.a['b',\"c\"]", "expected a name in ' at character 9");
    check("$.a[1 : 2]", "'1 : 2' is neither an index nor a slice at character 10");
    check("$.a.nope()", "there is no function 'nope' at character 10");
    check("$.a.length(1)", "length() takes no arguments at character 14");
    check("$..length()", "a function cannot follow '..' at character 12");
    check(
        "$.concat('a')",
        "expected a path, a number, an object or a text in double quotes as an argument at character 10",
    );
    check("$.a.length().b", "a function must be the last step of a path at character 15");
    check(
        &format!("$.a[?({}@{})]", "(".repeat(100), ")".repeat(100)),
        "filters nest too deep at character 38",
    );
    check(&format!("${}", ".a".repeat(300)), "the path has too many steps at character 516");
}

#[test]
fn paths_know_what_they_are() {
    fn check(path: &str, root: Root, definite: bool, reference: bool) {
        let parsed = Path::parse(path).unwrap();
        assert_eq!(
            (parsed.root(), parsed.is_definite(), parsed.is_reference()),
            (&root, definite, reference),
            "{path}"
        );
        assert_eq!(parsed.to_string(), path);
    }
    let variable = || Root::Variable("name".into());
    check("$", Root::Input, true, true);
    check("$.a['b'][0]", Root::Input, true, true);
    check("$$", Root::Context, true, true);
    check("$$.Execution.Id", Root::Context, true, true);
    check("$name", variable(), true, true);
    check("$name.a[0]", variable(), true, true);
    check("$name[*]", variable(), false, false);
    check("$['a','b']", Root::Input, true, false);
    check("$['a','b'].c", Root::Input, false, false);
    check("$.a[0,1]", Root::Input, false, false);
    check("$.a[1:]", Root::Input, false, false);
    check("$..a", Root::Input, false, false);
    check("$.a[?(@.b)]", Root::Input, false, false);
    check("$.a.length()", Root::Input, true, false);
    assert!(Path::parse("$$").unwrap().is_whole() && !Path::parse("$.a").unwrap().is_whole());
}

#[test]
fn a_scope_serves_input_context_and_variables() {
    let input = Json::object([("a", 1)]);
    let built = std::cell::Cell::new(0);
    let context = std::cell::LazyCell::new(|| {
        built.set(built.get() + 1);
        Json::object([("State", Json::object([("Name", "S")]))])
    });
    let variables = Object::from_iter([("v".into(), Json::array([7, 8]))]);
    let scope = Scope { input: &input, context: &context, variables: &variables, work: &Work::default() };
    let select = |path| Path::parse(path).unwrap().select(&scope);
    assert_eq!(select("$.a"), Ok(Json::from(1)));
    assert_eq!(select("$v[1]"), Ok(Json::from(8)));
    assert_eq!(built.get(), 0);
    assert_eq!(select("$$.State.Name"), Ok(Json::from("S")));
    assert_eq!(select("$$.State.Name"), Ok(Json::from("S")));
    assert_eq!(built.get(), 1);
    let miss = select("$w.x").unwrap_err();
    assert_eq!(
        miss.cause(&Path::parse("$w.x").unwrap()),
        "Invalid path '$w.x' : The variable '$w' is not defined"
    );
}

/// A comparison of lists and objects counts what it compares: tens of thousands of items, each compared with all of them,
/// went on for twenty seconds.
#[test]
fn comparisons_are_counted_by_what_they_compare() {
    let items = |count: i64| Json::array((0..count).map(|n| Json::array([n])));
    let document = Json::object([("a", Json::array((0..3_000).map(|_| items(3_000)))), ("b", items(3_000))]);
    let select = |path: &str| Path::parse(path).unwrap().select_in(&document, &Work::default());
    for path in ["$.a[?(@ == $.b)]", "$.a[?(@ != $.b)]", "$.a[?(!(@ === $.b))]"] {
        assert_eq!(select(path), Err(PathMiss::TooMuchWork), "{path}");
    }
    // A node is equal to itself without a look.
    assert_eq!(
        select("$.b[?($.b == $.b)]").map(|found| found.as_array().map(<[Json]>::len)),
        Ok(Some(3_000))
    );
}

#[test]
fn hostile_paths_stop_within_the_budget() {
    let mut document = Json::from(1);
    for _ in 0..100 {
        document = Json::array([document.clone(), document]);
    }
    for path in ["$..*", "$..[*]..[*]", "$..[?(@ != 1)]", "$[?(@ in $..*)]"] {
        assert_eq!(
            Path::parse(path).unwrap().select_in(&document, &Work::default()),
            Err(PathMiss::TooMuchWork),
            "{path}"
        );
    }
}

#[test]
fn writes_make_parents_and_share_the_rest() {
    fn check(path: &str, root: &str, expected: Result<&str, &str>) {
        let path = ReferencePath::parse(path).unwrap();
        let before = Json::parse(root).unwrap();
        let after = path.set(&before, Json::from("new"));
        assert_eq!(before.to_text(), root, "the original stays");
        match (after, expected) {
            (Ok(after), Ok(expected)) => assert_eq!(after.to_text(), expected, "{path}"),
            (Err(failure), Err(expected)) => assert_eq!(failure.to_string(), expected),
            (after, _) => panic!("{path} in {root}: {after:?}"),
        }
    }
    check("$", "1", Ok("\"new\""));
    check("$.a", "{}", Ok(r#"{"a":"new"}"#));
    check("$.a", r#"{"a":1,"b":2}"#, Ok(r#"{"a":"new","b":2}"#));
    check("$['a.b']", r#"{"a":1}"#, Ok(r#"{"a":1,"a.b":"new"}"#));
    check("$['a,b']['c\\'?']", "{}", Ok(r#"{"a,b":{"c'?":"new"}}"#));
    check("$.a.b.c", r#"{"x":1}"#, Ok(r#"{"x":1,"a":{"b":{"c":"new"}}}"#));
    check("$.a.b", r#"{"a":null}"#, Ok(r#"{"a":{"b":"new"}}"#));
    check("$.a[1]", r#"{"a":[1,2,3]}"#, Ok(r#"{"a":[1,"new",3]}"#));
    check("$.a[0].b", r#"{"a":[{"c":1}]}"#, Ok(r#"{"a":[{"c":1,"b":"new"}]}"#));
    check("$.a[3]", r#"{"a":[1]}"#, Err(r#"Unable to apply ReferencePath $.a[3] to input {"a":[1]}"#));
    check("$.a[0]", "{}", Err("Unable to apply ReferencePath $.a[0] to input {}"));
    check("$.a", "\"text\"", Err("Unable to apply ReferencePath $.a to input \"text\""));
    check("$.a", "[1]", Err("Unable to apply ReferencePath $.a to input [1]"));
    check("$.a.b", r#"{"a":1}"#, Err(r#"Unable to apply ReferencePath $.a.b to input {"a":1}"#));

    for refused in [
        "$$.a",
        "$v.a",
        "$.a[*]",
        "$..a",
        "$.a[1:]",
        "$['a','b']",
        "$.a[0,1]",
        "$.a[?(@.b)]",
        "$.a.length()",
        "$.a,b",
        "$.a:b",
        "$.a?",
        "$.a@",
    ] {
        assert!(ReferencePath::parse(refused).is_err(), "{refused}");
    }

    let before = Json::parse(r#"{"kept":[1,2],"changed":{"x":1}}"#).unwrap();
    let after = ReferencePath::parse("$.changed.y").unwrap().set(&before, Json::Null).unwrap();
    let kept = |json: &Json| json["kept"].as_array().map(<[Json]>::as_ptr);
    assert_eq!(kept(&before), kept(&after), "untouched members are the same nodes");
}

/// A path of `length` random names and indices, mostly of those that the value has.
fn random_reference(value: &Json, length: u64, roll: &mut dyn FnMut(u64) -> u64) -> String {
    let mut text = String::from("$");
    let mut value = value.clone();
    for _ in 0..length {
        let stray = roll(8) == 0;
        value = match &value {
            Json::Array(items) if !items.is_empty() && !stray => {
                let position = roll(items.len() as u64) as usize;
                let index = position as i64 - if roll(2) == 0 { items.len() as i64 } else { 0 };
                text += &format!("[{index}]");
                items[position].clone()
            }
            Json::Object(members) if !members.is_empty() && !stray => {
                let (name, member) = members.get_index(roll(members.len() as u64) as usize).unwrap();
                let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !name.is_empty();
                text += &match (plain, roll(2)) {
                    (true, 0) => format!(".{name}"),
                    _ => format!("['{}']", name.replace('\\', r"\\").replace('\'', r"\'")),
                };
                member.clone()
            }
            _ if roll(2) == 0 => {
                text += &format!("[{}]", roll(4) as i64 - 2);
                Json::Null
            }
            _ => {
                text += ".stray";
                Json::Null
            }
        };
    }
    text
}

#[test]
fn what_a_reference_path_selects_can_be_set_and_put_back() {
    let mut state = 1_u64;
    let mut roll = |sides: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % sides
    };
    fn value(depth: u64, roll: &mut dyn FnMut(u64) -> u64) -> Json {
        const NAMES: [&str; 8] = ["a", "b2", "", "c d", "it's", "é.🆗", "x\\y", "[0]"];
        match roll(if depth == 0 { 3 } else { 6 }) {
            0 => Json::Null,
            1 => Json::from(roll(100) as i64),
            2 => Json::from(NAMES[roll(8) as usize]),
            3 => Json::array((0..roll(4)).map(|_| value(depth - 1, roll)).collect::<Vec<_>>()),
            _ => Json::object(
                (0..roll(5)).map(|_| (NAMES[roll(8) as usize], value(depth - 1, roll))).collect::<Vec<_>>(),
            ),
        }
    }
    let mut selected = 0;
    for round in 0..3000 {
        let document = value(4, &mut roll);
        let length = roll(5);
        let text = random_reference(&document, length, &mut roll);
        let reference = ReferencePath::parse(&text).unwrap_or_else(|failure| panic!("{text}: {failure}"));
        let found = Path::parse(&text).unwrap().select_in(&document, &Work::default());
        assert_eq!(reference.get(&document), found.clone().ok(), "round {round}: {text} in {document}");
        let Ok(old) = found else { continue };
        selected += 1;
        let marker = Json::from("new");
        let changed = reference.set(&document, marker.clone()).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(reference.get(&changed), Some(marker), "round {round}: {text} in {document}");
        // Put back, nothing else is seen to have changed, not even the order of members.
        let back = reference.set(&changed, old).unwrap();
        assert_eq!(back.to_text(), document.to_text(), "round {round}: {text}");
    }
    assert!(selected > 500, "{selected} selected");
}

#[test]
fn what_is_written_reads_back_and_nothing_else_changes() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut roll = |sides: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % sides
    };
    let mut document = Json::empty_object();
    for round in 0..2000_i64 {
        let names: Vec<String> =
            (0..=roll(4)).map(|_| format!("['{}']", ["a", "b c", "d.e", "é"][roll(4) as usize])).collect();
        let text = format!("${}", names.concat());
        let path = ReferencePath::parse(&text).unwrap();
        let Ok(changed) = path.set(&document, Json::from(round)) else {
            // Only a number on the way can be in it.
            assert!((1..names.len()).any(|length| {
                let parent = ReferencePath::parse(&format!("${}", names[..length].concat())).unwrap();
                parent.get(&document).is_some_and(|value| value.as_i64().is_some())
            }));
            // Start over now and then, so that paths of every length find room.
            document = Json::empty_object();
            continue;
        };
        assert_eq!(path.get(&changed), Some(Json::from(round)), "round {round}: {text}");
        assert_eq!(
            Path::parse(&text).unwrap().select_in(&changed, &Work::default()),
            Ok(Json::from(round)),
            "round {round}: {text}"
        );
        let undone = match path.get(&document) {
            Some(old) => path.set(&changed, old).unwrap(),
            None => changed.clone(),
        };
        if path.get(&document).is_some() {
            assert_eq!(undone, document, "round {round}: {text}");
        }
        document = changed;
    }
}
