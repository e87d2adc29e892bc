//! The EventBridge operations through `handle`, as the server calls them: answers, refusals, deliveries, and what a
//! restart finds.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use events::s3_event::{S3Change, S3What, s3_event};
use events::{DeliveryError, EventStore, Events, Kind, MemoryStore, Place};
use serde_json::{Value, json};
use support::Notes;

const MACHINE: &str = "arn:aws:states:us-east-1:000000000000:stateMachine:m";

struct Service {
    events: Events,
    notes: Arc<Notes>,
    store: Arc<MemoryStore>,
}

impl Service {
    async fn new() -> Self {
        Self::over(Arc::new(MemoryStore::default()), Arc::new(Notes::default())).await
    }

    async fn over(store: Arc<MemoryStore>, notes: Arc<Notes>) -> Self {
        let place = Place { region: "us-east-1".into(), account: "000000000000".into() };
        let events = Events::open(place, store.clone(), notes.clone()).await.unwrap();
        Self { events, notes, store }
    }

    async fn ok(&self, operation: &str, body: Value) -> Value {
        let answer = self.events.handle(operation, body.to_string().as_bytes()).await;
        answer.unwrap_or_else(|e| panic!("{operation} {body}: {e}"))
    }

    /// The exception's name and text.
    async fn refused(&self, operation: &str, body: Value) -> (String, String) {
        let answer = self.events.handle(operation, body.to_string().as_bytes()).await;
        let error = answer.err().unwrap_or_else(|| panic!("{operation} {body} was accepted"));
        assert_eq!(error.status, 400);
        (error.code.to_owned(), error.message)
    }

    /// A rule on `source: my.app` with one target.
    async fn rule_and_target(&self, target: Value) {
        self.ok("PutRule", json!({"Name": "r", "EventPattern": r#"{"source":["my.app"]}"#})).await;
        let mut whole = json!({"Id": "t", "Arn": MACHINE, "RoleArn": "arn:aws:iam::000000000000:role/r"});
        if let (Value::Object(whole), Value::Object(more)) = (&mut whole, target) {
            whole.extend(more);
        }
        self.ok("PutTargets", json!({"Rule": "r", "Targets": [whole]})).await;
    }

    async fn put_event(&self) -> String {
        let entry = json!({"Source": "my.app", "DetailType": "d", "Detail": r#"{"n":5}"#, "Resources": ["x"],
            "Time": 1_767_323_045});
        let answer = self.ok("PutEvents", json!({"Entries": [entry]})).await;
        assert_eq!(answer["FailedEntryCount"], 0);
        answer["Entries"][0]["EventId"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_rules_life() {
    let it = Service::new().await;
    let arn = "arn:aws:events:us-east-1:000000000000:rule/r";
    let pattern = r#"{"source":["aws.s3"]}"#;
    let rule = json!({"Name": "r", "EventPattern": pattern, "Description": "d", "Tags": [{"Key": "k", "Value": "v"}]});
    assert_eq!(it.ok("PutRule", rule).await, json!({"RuleArn": arn}));
    let described = it.ok("DescribeRule", json!({"Name": "r"})).await;
    let expected = json!({"Name": "r", "Arn": arn, "EventPattern": pattern, "State": "ENABLED", "Description": "d",
        "EventBusName": "default", "CreatedBy": "000000000000"});
    assert_eq!(described, expected);
    it.ok("DisableRule", json!({"Name": "r"})).await;
    assert_eq!(it.ok("DescribeRule", json!({"Name": "r"})).await["State"], "DISABLED");
    it.ok("EnableRule", json!({"Name": "r"})).await;
    assert_eq!(it.ok("ListRules", json!({"NamePrefix": "r"})).await["Rules"][0]["State"], "ENABLED");
    assert_eq!(it.ok("ListRules", json!({"NamePrefix": "x"})).await["Rules"], json!([]));
    let tags = it.ok("ListTagsForResource", json!({"ResourceARN": arn})).await;
    assert_eq!(tags, json!({"Tags": [{"Key": "k", "Value": "v"}]}));

    it.ok("PutTargets", json!({"Rule": "r", "Targets": [{"Id": "t", "Arn": MACHINE, "Input": "{}"}]})).await;
    // Putting the rule again keeps its targets.
    it.ok("PutRule", json!({"Name": "r", "EventPattern": pattern})).await;
    let targets = it.ok("ListTargetsByRule", json!({"Rule": "r"})).await;
    assert_eq!(targets, json!({"Targets": [{"Id": "t", "Arn": MACHINE, "Input": "{}"}]}));
    let names = it.ok("ListRuleNamesByTarget", json!({"TargetArn": MACHINE})).await;
    assert_eq!(names, json!({"RuleNames": ["r"]}));
    let (code, text) = it.refused("DeleteRule", json!({"Name": "r"})).await;
    assert_eq!(
        (code.as_str(), text.as_str()),
        ("ValidationException", "Rule can't be deleted since it has targets.")
    );

    // A restart finds all of it.
    let it = Service::over(it.store, it.notes).await;
    assert_eq!(it.ok("ListTargetsByRule", json!({"Rule": "r"})).await, targets);
    let removed = it.ok("RemoveTargets", json!({"Rule": "r", "Ids": ["t"]})).await;
    assert_eq!(removed, json!({"FailedEntryCount": 0, "FailedEntries": []}));
    it.ok("DeleteRule", json!({"Name": "r"})).await;
    let (code, text) = it.refused("DescribeRule", json!({"Name": "r"})).await;
    assert_eq!(code, "ResourceNotFoundException");
    assert_eq!(text, "Rule r does not exist on EventBus default.");
    // Deleting what is gone succeeds.
    it.ok("DeleteRule", json!({"Name": "r"})).await;
}

#[tokio::test]
async fn refusals() {
    let it = Service::new().await;
    it.ok("PutRule", json!({"Name": "r", "EventPattern": r#"{"source":["a"]}"#})).await;
    let target = |more: Value| {
        let mut target = json!({"Id": "t", "Arn": MACHINE});
        if let (Value::Object(target), Value::Object(more)) = (&mut target, more) {
            target.extend(more);
        }
        json!({"Rule": "r", "Targets": [target]})
    };
    let six: Vec<Value> = (0..6).map(|n| json!({"Id": n.to_string(), "Arn": MACHINE})).collect();
    let eleven: Vec<Value> = (0..11).map(|_| json!({"Source": "a"})).collect();
    let cases = [
        ("PutRule", json!({"Name": "a b", "EventPattern": "{}"}), "ValidationException", "'name'"),
        (
            "PutRule",
            json!({"Name": "r"}),
            "ValidationException",
            "EventPattern or ScheduleExpression must be specified",
        ),
        (
            "PutRule",
            json!({"Name": "r", "ScheduleExpression": "rate(1 minute)"}),
            "ValidationException",
            "schedules are not implemented here",
        ),
        (
            "PutRule",
            json!({"Name": "r", "EventPattern": "{\"source\": \"a\"}"}),
            "InvalidEventPatternException",
            "Event pattern is not valid. Reason: \"source\" must be an object or an array",
        ),
        (
            "PutRule",
            json!({"Name": "r", "EventPattern": r#"{"source":["a"]}"#, "State": "ON"}),
            "ValidationException",
            "'state'",
        ),
        (
            "PutRule",
            json!({"Name": "r", "EventPattern": r#"{"source":["a"]}"#, "EventBusName": "none"}),
            "ResourceNotFoundException",
            "Event bus none does not exist.",
        ),
        (
            "EnableRule",
            json!({"Name": "x"}),
            "ResourceNotFoundException",
            "Rule x does not exist on EventBus default.",
        ),
        ("PutTargets", json!({"Rule": "x", "Targets": []}), "ResourceNotFoundException", "Rule x"),
        (
            "PutTargets",
            json!({"Rule": "r", "Targets": six}),
            "LimitExceededException",
            "maximum number allowed",
        ),
        ("PutTargets", target(json!({"Arn": "m"})), "ValidationException", "Arn is not in correct format"),
        (
            "PutTargets",
            target(json!({"Arn": "arn:aws:sqs:r:1:q"})),
            "ValidationException",
            "only state machines",
        ),
        (
            "PutTargets",
            target(json!({"Input": "{"})),
            "ValidationException",
            "JSON syntax error in input for target t",
        ),
        ("PutTargets", target(json!({"EcsParameters": {}})), "ValidationException", "EcsParameters"),
        ("PutTargets", json!({"Targets": []}), "SerializationException", "Rule"),
        ("PutEvents", json!({"Entries": eleven}), "ValidationException", "less than or equal to 10"),
        ("ListRules", json!({"Limit": 0}), "ValidationException", "'limit'"),
        (
            "CreateEventBus",
            json!({"Name": "default"}),
            "ResourceAlreadyExistsException",
            "Event bus default already exists.",
        ),
        (
            "DeleteEventBus",
            json!({"Name": "default"}),
            "ValidationException",
            "Cannot delete event bus default.",
        ),
        (
            "DescribeEventBus",
            json!({"Name": "none"}),
            "ResourceNotFoundException",
            "Event bus none does not exist.",
        ),
        ("Nonsense", json!({}), "UnknownOperationException", "Nonsense"),
    ];
    for (operation, body, code, text) in cases {
        let (found_code, found_text) = it.refused(operation, body.clone()).await;
        assert_eq!(found_code, code, "{operation} {body}: {found_text}");
        assert!(found_text.contains(text), "{operation} {body}: {found_text}");
    }
}

#[tokio::test]
async fn patterns_can_be_tried() {
    let it = Service::new().await;
    let event =
        r#"{"id":"1","account":"a","source":"s","time":"t","region":"r","resources":[],"detail-type":"d"}"#;
    for (pattern, expected) in [(r#"{"source":["s"]}"#, true), (r#"{"source":["x"]}"#, false)] {
        let answer = it.ok("TestEventPattern", json!({"EventPattern": pattern, "Event": event})).await;
        assert_eq!(answer, json!({"Result": expected}));
    }
    let (code, _) = it.refused("TestEventPattern", json!({"EventPattern": "{", "Event": event})).await;
    assert_eq!(code, "InvalidEventPatternException");
    let body = json!({"EventPattern": r#"{"source":["s"]}"#, "Event": r#"{"id":"1"}"#});
    assert!(it.refused("TestEventPattern", body).await.1.contains("account"));
}

#[tokio::test]
async fn an_event_reaches_the_targets_of_matching_rules() {
    let it = Service::new().await;
    let transformer = json!({"InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": r#"{"number": <n>}"#});
    it.rule_and_target(json!({"InputTransformer": transformer})).await;
    it.ok("PutRule", json!({"Name": "off", "EventPattern": r#"{"source":["my.app"]}"#, "State": "DISABLED"}))
        .await;
    it.ok("PutTargets", json!({"Rule": "off", "Targets": [{"Id": "t", "Arn": MACHINE}]})).await;
    let id = it.put_event().await;
    let taken = it.notes.wait_for(1).await;
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].input, r#"{"number": 5}"#);
    assert_eq!(taken[0].target_arn, MACHINE);
    assert_eq!(taken[0].event_id, id);
    assert!(taken[0].name.starts_with(&id));

    // Without input settings the target gets the whole event.
    it.rule_and_target(json!({})).await;
    let id = it.put_event().await;
    let taken = it.notes.wait_for(2).await;
    let event: Value = serde_json::from_str(&taken[1].input).unwrap();
    let expected = json!({"version": "0", "id": id, "detail-type": "d", "source": "my.app", "account": "000000000000",
        "time": "2026-01-02T03:04:05Z", "region": "us-east-1", "resources": ["x"], "detail": {"n": 5}});
    assert_eq!(event, expected);
}

#[tokio::test]
async fn entries_are_refused_one_by_one() {
    let it = Service::new().await;
    let entry = |source: &str, detail: &str| json!({"Source": source, "DetailType": "d", "Detail": detail});
    let entries =
        [entry("a", "{}"), entry("aws.s3", "{}"), entry("a", "[1]"), entry("a", "{"), json!({"Source": "a"})];
    let answer = it.ok("PutEvents", json!({"Entries": entries})).await;
    assert_eq!(answer["FailedEntryCount"], 4);
    let codes: Vec<&Value> = answer["Entries"].as_array().unwrap().iter().map(|e| &e["ErrorCode"]).collect();
    let expected = [
        Value::Null,
        "NotAuthorizedForSourceException".into(),
        "MalformedDetail".into(),
        "MalformedDetail".into(),
        "InvalidArgument".into(),
    ];
    assert_eq!(codes, expected.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_target_that_is_not_ready_is_tried_again_under_the_same_name() {
    let it = Service::new().await;
    it.rule_and_target(json!({})).await;
    it.notes
        .refusals
        .lock()
        .unwrap()
        .extend([DeliveryError::Retry("a".into()), DeliveryError::Retry("b".into())]);
    it.put_event().await;
    it.notes.wait_for(1).await;
    assert!(it.notes.refusals.lock().unwrap().is_empty());

    // A refusal for good is the end of it, and nothing stays written down.
    it.notes.refusals.lock().unwrap().push(DeliveryError::Refused("gone".into()));
    it.put_event().await;
    while !it.store.load(Kind::Pending).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(it.notes.taken.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_owed_survives_a_restart() {
    let it = Service::new().await;
    it.rule_and_target(json!({})).await;
    it.notes.refusals.lock().unwrap().extend((0..50).map(|_| DeliveryError::Retry("down".into())));
    let id = it.put_event().await;
    assert_eq!(it.store.load(Kind::Pending).await.unwrap().len(), 1);
    let store = it.store.clone();
    drop(it);
    let it = Service::over(store, Arc::new(Notes::default())).await;
    let taken = it.notes.wait_for(1).await;
    assert_eq!(taken[0].event_id, id);
    while !it.store.load(Kind::Pending).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_upload_told_twice_has_one_name() {
    let it = Service::new().await;
    let pattern =
        r#"{"source":["aws.s3"],"detail-type":["Object Created"],"detail":{"bucket":{"name":["in"]}}}"#;
    it.ok("PutRule", json!({"Name": "r", "EventPattern": pattern})).await;
    it.ok(
        "PutTargets",
        json!({"Rule": "r", "Targets": [{"Id": "t", "Arn": MACHINE, "InputPath": "$.detail.object"}]}),
    )
    .await;
    let change = S3Change {
        id: "17793124-05d4-b198-2fde-7ededc63b103",
        time_ms: 1,
        bucket: "in",
        key: "k",
        sequencer: "1",
        what: S3What::Created { size: 3, etag: "e" },
        reason: "PutObject",
        request_id: "q",
        requester: "000000000000",
        source_ip: "127.0.0.1",
    };
    let event = s3_event(&change, "000000000000", "us-east-1");
    it.events.publish(&event).await.unwrap();
    it.events.publish(&event).await.unwrap();
    let taken = it.notes.wait_for(2).await;
    assert_eq!(taken[0], taken[1]);
    assert_eq!(taken[0].input, r#"{"key":"k","size":3,"etag":"e","sequencer":"1"}"#);
}

#[tokio::test]
async fn buses_are_apart() {
    let it = Service::new().await;
    it.ok("CreateEventBus", json!({"Name": "b"})).await;
    let on_bus = json!({"Name": "r", "EventBusName": "b", "EventPattern": r#"{"source":["a"]}"#});
    let arn = it.ok("PutRule", on_bus).await;
    assert_eq!(arn["RuleArn"], "arn:aws:events:us-east-1:000000000000:rule/b/r");
    it.ok("PutTargets", json!({"Rule": "r", "EventBusName": "b", "Targets": [{"Id": "t", "Arn": MACHINE}]}))
        .await;
    let entry = |bus: &str| json!({"Source": "a", "DetailType": "d", "Detail": "{}", "EventBusName": bus});
    it.ok("PutEvents", json!({"Entries": [entry("default"), entry("b")]})).await;
    assert_eq!(it.notes.wait_for(1).await.len(), 1);
    assert_eq!(it.ok("ListEventBuses", json!({})).await["EventBuses"].as_array().unwrap().len(), 2);
    let (_, text) = it.refused("DeleteEventBus", json!({"Name": "b"})).await;
    assert!(text.contains("still has rules"), "{text}");
    let it = Service::over(it.store, it.notes).await;
    it.ok("RemoveTargets", json!({"Rule": "r", "EventBusName": "b", "Ids": ["t"]})).await;
    it.ok("DeleteRule", json!({"Name": "r", "EventBusName": "b"})).await;
    it.ok("DeleteEventBus", json!({"Name": "b"})).await;
    assert_eq!(it.ok("ListEventBuses", json!({})).await["EventBuses"].as_array().unwrap().len(), 1);
}
