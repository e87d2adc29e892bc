//! Values against outputs: the recorded sentences, each kind of shape, and that the data can be read.

use asl::json::Json;

use super::{Checker, Mismatch, Strictness};
use crate::model::{Operation, Service, service};

fn operation(service_name: &str, name: &str) -> Operation {
    match service(service_name) {
        Some(Service::Modelled(model)) => model.operation(name).expect("the service has the operation"),
        other => panic!("{service_name}: {other:?}"),
    }
}

fn told(place: (&str, &str), value: &str, strictness: Strictness) -> String {
    let value = Json::parse(value).expect("the value is JSON");
    let (service, name) = place;
    let checked = operation(service, name).check(&value, strictness, &[]);
    checked.map_or_else(|mismatch| mismatch.to_string(), |()| "fits".into())
}

#[test]
fn what_does_not_fit_is_told_as_recorded() {
    let encrypt = ("kms", "encrypt");
    let function = ("lambda", "getFunction");
    let start = ("sfn", "startExecution");
    let long = format!(r#"{{"SecretString": "{}"}}"#, "s".repeat(65_537));
    for (place, value, want) in [
        (encrypt, r#"{"CiphertextBlob": ""}"#, "Field 'CiphertextBlob' is smaller than the minimum length"),
        (encrypt, r#"{"CiphertextBlob": 123}"#, "Field 'CiphertextBlob' must be a string"),
        (
            encrypt,
            r#"{"EncryptionAlgorithm": "ROT13"}"#,
            "Field 'EncryptionAlgorithm' is not an expected value",
        ),
        (
            function,
            r#"{"Configuration": {"MemorySize": 127}}"#,
            "Field 'MemorySize' is less than the minimum value",
        ),
        (
            function,
            r#"{"Configuration": {"MemorySize": 10241}}"#,
            "Field 'MemorySize' exceeds the maximum value",
        ),
        (function, r#"{"Tags": {"a": 1}}"#, "Field 'Tags' must be a string"),
        (function, r#"{"Tags": []}"#, "Field 'Tags' must be an object"),
        (("s3", "getObject"), r#"{"ContentLength": "9000"}"#, "Field 'ContentLength' must be a number"),
        (("s3", "getObject"), r#"{"DeleteMarker": "true"}"#, "Field 'DeleteMarker' must be a boolean"),
        (
            ("dynamodb", "putItem"),
            r#"{"ConsumedCapacity": {"CapacityUnits": "123.45"}}"#,
            "Field 'CapacityUnits' must be a number",
        ),
        (("eventbridge", "putEvents"), r#"{"Entries": "none"}"#, "Field 'Entries' must be an array"),
        (
            ("eventbridge", "putEvents"),
            r#"{"Entries": [{"EventId": "a"}, {"EventId": ["b"]}]}"#,
            "Field 'EventId' must be a string",
        ),
        (("eventbridge", "putEvents"), r#"{"Entries": ["a"]}"#, "Field 'Entries' must be an object"),
        (start, r#"{"executionArn": "a", "startDate": "b"}"#, "Required field 'ExecutionArn' is missing"),
        (start, r#"{"ExecutionArn": 1}"#, "Required field 'StartDate' is missing"),
        (start, r#"{"ExecutionArn": "a", "StartDate": true}"#, "Field 'StartDate' must be a string"),
        (("secretsmanager", "getSecretValue"), &long, "Field 'SecretString' exceeds the maximum length"),
    ] {
        let want = format!("Mock result schema validation error: {want}");
        assert_eq!(told(place, value, Strictness::Whole), want, "{value}");
    }
}

#[test]
fn what_fits_passes() {
    for (place, value) in [
        (("eventbridge", "putEvents"), r#"{"random": "json"}"#),
        (("sfn", "startExecution"), r#"{"ExecutionArn": "a", "StartDate": "2026-11-22T07:25:04.364320"}"#),
        (("dynamodb", "getItem"), r#"{"Item": {"a": {"M": {"b": {"L": [{"N": "1"}]}}}}}"#),
        (("kms", "deleteAlias"), r#"{"anything": 1}"#),
    ] {
        assert_eq!(told(place, value, Strictness::Whole), "fits", "{value}");
    }
}

#[test]
fn less_is_asked_of_what_is_only_there_in_part() {
    let start = ("sfn", "startExecution");
    for value in ["{}", r#"{"executionArn": "a"}"#, r#"{"ExecutionArn": null}"#] {
        assert_eq!(told(start, value, Strictness::Present), "fits", "{value}");
    }
    let number = told(start, r#"{"ExecutionArn": 1764103483}"#, Strictness::Present);
    assert_eq!(number, "Mock result schema validation error: Field 'ExecutionArn' must be a string");
}

#[test]
fn a_member_may_be_set_free() {
    let invoke = operation("lambda", "invoke");
    let value = Json::parse(r#"{"Payload": {"a": 1}}"#).expect("JSON");
    assert_eq!(invoke.check(&value, Strictness::Whole, &["Payload"]), Ok(()));
    let broken = Err(Mismatch::Broken("Payload".into(), "must be a string"));
    assert_eq!(invoke.check(&value, Strictness::Whole, &[]), broken);
    assert_eq!(invoke.check(&Json::from(1), Strictness::Whole, &[]), Err(Mismatch::NotAnObject));
}

/// Every type of every shape is a number that exists, or a letter that a check knows.
#[test]
fn the_data_can_be_read() {
    let mut kinds = 0;
    for name in include_str!("../../data/services.txt").lines() {
        let Some(Service::Modelled(model)) = service(name) else { continue };
        let any = model.operation_names().next().expect("a service has operations");
        let shapes = model.operation(any).expect("the operation is there").shapes();
        let known = |kind: &str| match kind.parse::<usize>() {
            Ok(number) => number < shapes.len(),
            Err(_) => kind.starts_with(['t', 'b', 'n', 'f', 'd', 'a']),
        };
        for shape in &shapes {
            let mut parts = shape.split(' ');
            let kind = parts.next().unwrap_or_default();
            let named: Vec<&str> = match kind {
                "s" => parts.filter_map(|member| member.split_once(':').map(|(_, kind)| kind)).collect(),
                "l" => parts.take(1).collect(),
                "m" => parts.take(2).collect(),
                "e" => Vec::new(),
                other => panic!("{name}: {other}"),
            };
            kinds += named.len();
            assert!(named.iter().all(|kind| known(kind)), "{name}: {shape}");
        }
    }
    assert!(kinds > 10_000, "{kinds} types were read");
}

#[test]
fn what_refers_to_itself_ends_where_the_value_ends() {
    let checker = Checker { shapes: vec!["s Child:0 Name:t..2"], strictness: Strictness::Whole };
    let deep = Json::parse(r#"{"Child": {"Child": {"Name": "long"}}}"#).expect("JSON");
    let broken = Err(Mismatch::Broken("Name".into(), "exceeds the maximum length"));
    assert_eq!(checker.check("0", "", &deep), broken);
}
