//! Tests of payload templates: what they give, what they share, and how they fail.

use super::*;
use crate::path::Work;

struct Ones;

impl Entropy for Ones {
    fn next_u64(&mut self) -> u64 {
        1
    }
}

fn evaluate(template: &str, input: &str) -> Result<Json, TemplateFailure> {
    let template = Template::parse(&Json::parse(template).unwrap(), "/States/S/Parameters").unwrap();
    let input = Json::parse(input).unwrap();
    let context = Json::object([("Execution", Json::object([("Id", "arn")]))]);
    let variables = Object::from_iter([("v".into(), Json::array([1]))]);
    template.evaluate(
        &Scope { input: &input, context: &context, variables: &variables, work: &Work::default() },
        &mut Ones,
    )
}

#[test]
fn templates_give_values() {
    fn check(template: &str, input: &str, expected: &str) {
        let value = evaluate(template, input).unwrap_or_else(|failure| panic!("{template}: {failure}"));
        assert_eq!(value.to_text(), expected, "{template}");
    }
    check(r#"{"a.$":"$.x","b":"$.x"}"#, r#"{"x":[1]}"#, r#"{"a":[1],"b":"$.x"}"#);
    check(r#"{"a":{"b":[1,{"c.$":"$"}]},"d":"k"}"#, "7", r#"{"a":{"b":[1,{"c":7}]},"d":"k"}"#);
    check(
        r#"{"i.$":"$$.Execution.Id","v.$":"$v[0]","u.$":"States.Array($v, 2)"}"#,
        "{}",
        r#"{"i":"arn","v":1,"u":[[1],2]}"#,
    );
    check(r#"{"item.$":"$.item.items[1:5].itemValue"}"#, "{}", r#"{"item":[]}"#);
    check(r#"{"item.$":"$[*]"}"#, "{}", r#"{"item":[]}"#);
    check(
        r#"{"FromInput.$":"$.users[?(@.status == 0)]"}"#,
        r#"{"users":[{"year":1997,"status":0},{"year":1998,"status":1}]}"#,
        r#"{"FromInput":[{"year":1997,"status":0}]}"#,
    );
    check(
        r#"{"unicode_double_quote":"\"u\"","a$":1,"$":2,".":3}"#,
        "{}",
        r#"{"unicode_double_quote":"\"u\"","a$":1,"$":2,".":3}"#,
    );
    check("\"$.x\"", "{}", "\"$.x\"");
    check("[{\"a.$\":\"$.x\"}]", r#"{"x":null}"#, r#"[{"a":null}]"#);
    check("{}", "{}", "{}");
}

#[test]
fn failures_show_the_whole_input() {
    fn check(template: &str, input: &str, error: &str, cause: &str) {
        let failure = evaluate(template, input).expect_err(template);
        assert_eq!((failure.error(), failure.cause()), (error, cause));
    }
    check(
        r#"{"value.$":"$.no_such_jsonpath"}"#,
        r#"{ "int-literal": 0 }"#,
        "States.Runtime",
        r#"The JSONPath '$.no_such_jsonpath' specified for the field 'value.$' could not be found in the input '{"int-literal":0}'"#,
    );
    check(
        r#"{"a":{"value.$":"$$.Nope"}}"#,
        "{}",
        "States.Runtime",
        r#"The JSONPath '$$.Nope' specified for the field 'value.$' could not be found in the input '{"Execution":{"Id":"arn"}}'"#,
    );
    check(
        r#"{"value.$":"$w"}"#,
        "[]",
        "States.Runtime",
        "The JSONPath '$w' specified for the field 'value.$' could not be found in the input '[]'",
    );
    check(
        r#"{"value.$":"States.ArrayLength($)"}"#,
        "1",
        "States.IntrinsicFailure",
        "The function 'States.ArrayLength($)' had the following error: The argument must be an array, but was number",
    );
}

#[test]
fn invalid_templates_are_refused_with_every_fault() {
    fn check(template: &str, expected: &[(&str, &str)]) {
        let errors =
            Template::parse(&Json::parse(template).unwrap(), "/States/S/Parameters").expect_err(template);
        let errors: Vec<(&str, &str)> =
            errors.iter().map(|error| (&*error.location, &*error.message)).collect();
        assert_eq!(errors, expected, "{template}");
    }
    const AT: &str = "/States/S/Parameters";
    const X: &str =
        "The value for the field 'x.$' must be a valid JSONPath or a valid intrinsic function call";
    check(r#"{"x.$":"hello"}"#, &[(AT, X)]);
    check(r#"{"x.$":1}"#, &[(AT, X)]);
    check(r#"{"x.$":"$.a["}"#, &[(AT, X)]);
    check(r#"{"x.$":"States.Nope()"}"#, &[(AT, X)]);
    check(r#"{"x.$":{"y":1}}"#, &[(AT, X)]);
    check(
        r#"{"x.$":"States.StringToJson('{\"text\":\"An \\\"escaped double quote\\\" here\"}')"}"#,
        &[(AT, X)],
    );
    check(r#"{"a":[0,{"b":{"x.$":""}}],"x.$":""}"#, &[("/States/S/Parameters/a[1]/b", X), (AT, X)]);
    check(
        r#"{"x":1,"x.$":"$"}"#,
        &[(AT, "The fields 'x' and 'x.$' cannot be used together: both give the value of 'x'")],
    );
}

/// Two thousand paths in one template, each of them harmless, took gigabytes. What does too much is not called absent.
#[test]
fn the_paths_of_a_template_share_a_bound() {
    let members: Vec<String> = (0..2_000).map(|n| format!(r#""k{n}.$": "$[*]""#)).collect();
    let input = Json::array(std::iter::repeat_n(Json::from(1), 100_000)).to_text();
    let failure = evaluate(&format!("{{{}}}", members.join(",")), &input).unwrap_err();
    assert_eq!(failure.error(), "States.Runtime");
    let cause = "Invalid path '$[*]' : The paths of a field may visit 4000000 values, and these visit more; \
                 select less of the document";
    assert_eq!(failure.cause(), cause);
}

#[test]
fn literals_are_shared_and_expressions_listed() {
    let source =
        Json::parse(r#"{"deep":{"list":[1,2]},"m":{"a.$":"$v.x","b.$":"States.Array($.y, $w)"}}"#).unwrap();
    let template = Template::parse(&source, "/").unwrap();
    assert!(template.literal().is_none());
    let texts: Vec<&str> = template.paths().into_iter().map(Path::as_str).collect();
    assert_eq!(texts, ["$v.x", "$.y", "$w"]);

    let constant = Template::parse(&source["deep"], "/").unwrap();
    let scope = Scope { input: &Json::Null, context: &Json::Null, variables: &(), work: &Work::default() };
    let value = constant.evaluate(&scope, &mut Ones).unwrap();
    let list = |json: &Json| json["list"].as_array().map(<[Json]>::as_ptr);
    assert_eq!(list(&value), list(&source["deep"]), "the literal is the definition's own node");
    assert_eq!(constant.literal(), Some(&source["deep"]));
}
