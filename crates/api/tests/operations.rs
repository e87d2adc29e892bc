//! The operations, by requests as clients send them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod support;

use api::Server;
use api::security::Security;
use serde_json::{Value, json};
use service::Quotas;
use support::{PASS, ROLE, Running, WAIT, post, service_with};

/// Machines may use exactly these as tasks.
#[tokio::test]
async fn the_operations_that_are_listed_are_performed() {
    let server = Running::start().await;
    for operation in api::operations() {
        let answer = server.call(operation, json!({})).await;
        assert!(!answer.body.contains("UnknownOperation"), "{operation}: {}", answer.body);
    }
}

#[tokio::test]
async fn the_life_of_a_machine() {
    let server = Running::start().await;
    let arn = server.machine("m", PASS).await;
    assert_eq!(arn, "arn:aws:states:us-east-1:000000000000:stateMachine:m");
    assert_eq!(server.machine("m", PASS).await, arn, "creating it again changes nothing");

    let mut described = server.ok("DescribeStateMachine", json!({"stateMachineArn": arn})).await;
    assert!(described["creationDate"].take().is_f64());
    assert_eq!(
        described,
        json!({
            "stateMachineArn": arn, "name": "m", "status": "ACTIVE", "definition": PASS, "roleArn": ROLE,
            "type": "STANDARD", "creationDate": null,
            "loggingConfiguration": {"level": "OFF", "includeExecutionData": false},
            "tracingConfiguration": {"enabled": false},
            "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
        })
    );
    let metadata = server
        .ok("DescribeStateMachine", json!({"stateMachineArn": arn, "includedData": "METADATA_ONLY"}))
        .await;
    assert_eq!(metadata["definition"], "{}");

    let update = json!({"stateMachineArn": arn, "definition": WAIT, "loggingConfiguration": {}});
    let updated = server.ok("UpdateStateMachine", update.clone()).await;
    assert!(updated["updateDate"].is_f64());
    let revision = updated["revisionId"].as_str().unwrap();
    assert_eq!(server.ok("UpdateStateMachine", update).await["revisionId"], revision);
    let described = server.ok("DescribeStateMachine", json!({"stateMachineArn": arn})).await;
    assert_eq!((&described["definition"], &described["revisionId"]), (&json!(WAIT), &json!(revision)));
    assert_eq!(described["loggingConfiguration"], json!({"level": "OFF", "includeExecutionData": false}));

    assert_eq!(server.ok("DeleteStateMachine", json!({"stateMachineArn": arn})).await, json!({}));
    assert_eq!(server.ok("DeleteStateMachine", json!({"stateMachineArn": arn})).await, json!({}));
}

#[tokio::test]
async fn the_life_of_an_execution() {
    let server = Running::start().await;
    let machine = server.machine("m", PASS).await;
    let input = r#"["Hello", "World"]"#;
    let execution = server.execution(&machine, input).await;
    let mut described = server.ended(&execution).await;
    let name = execution.rsplit(':').next().unwrap();
    for date in ["startDate", "stopDate"] {
        assert!(described[date].take().is_f64());
    }
    assert_eq!(
        described,
        json!({
            "executionArn": execution, "stateMachineArn": machine, "name": name, "status": "SUCCEEDED",
            "startDate": null, "stopDate": null, "input": input, "inputDetails": {"included": true},
            "output": input, "outputDetails": {"included": true}, "redriveCount": 0,
            "redriveStatus": "NOT_REDRIVABLE",
            "redriveStatusReason": "Execution is SUCCEEDED and cannot be redriven",
        })
    );
    let metadata = json!({"executionArn": execution, "includedData": "METADATA_ONLY"});
    let metadata = server.ok("DescribeExecution", metadata).await;
    assert!(metadata.get("input").is_none() && metadata.get("output").is_none(), "{metadata}");

    let of_execution = json!({"executionArn": execution});
    let definition = server.ok("DescribeStateMachineForExecution", of_execution).await;
    assert_eq!((&definition["definition"], &definition["name"]), (&json!(PASS), &json!("m")));

    let waiting = server.machine("w", WAIT).await;
    let execution = server.execution(&waiting, "{}").await;
    let stop = json!({"executionArn": execution, "error": "Enough", "cause": "no more"});
    assert!(server.ok("StopExecution", stop).await["stopDate"].is_f64());
    let described = server.ended(&execution).await;
    let shown = |member: &str| described[member].as_str();
    assert_eq!(shown("status"), Some("ABORTED"));
    assert_eq!((shown("error"), shown("cause")), (Some("Enough"), Some("no more")));
    assert_eq!(shown("redriveStatus"), Some("REDRIVABLE"));
    assert!(described.get("redriveStatusReason").is_none() && described.get("output").is_none());
}

#[tokio::test]
async fn histories_are_read_page_by_page() {
    let server = Running::start().await;
    let machine = server.machine("m", PASS).await;
    let execution = server.execution(&machine, r#"{"a": 1}"#).await;
    server.ended(&execution).await;
    let whole = server.ok("GetExecutionHistory", json!({"executionArn": execution})).await;
    assert!(whole.get("nextToken").is_none());
    let whole = whole["events"].as_array().unwrap().clone();
    let types: Vec<&str> = whole.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]);
    assert_eq!(
        whole[0]["executionStartedEventDetails"],
        json!({"input": "{\"a\": 1}", "inputDetails": {"truncated": false}, "roleArn": ROLE})
    );
    for reverse in [false, true] {
        let mut expected = whole.clone();
        if reverse {
            expected.reverse();
        }
        for size in 1..=4 {
            let ask = json!({"executionArn": execution, "maxResults": size, "reverseOrder": reverse});
            let events = pages(&server, "GetExecutionHistory", ask, "events").await;
            assert_eq!(events, expected, "reverse {reverse}, {size} a page");
        }
    }
    let bare = json!({"executionArn": execution, "includeExecutionData": false});
    let bare = server.ok("GetExecutionHistory", bare).await;
    assert_eq!(bare["events"][1]["stateEnteredEventDetails"], json!({"name": "P"}));
}

#[tokio::test]
async fn lists_are_read_page_by_page() {
    let server = Running::start().await;
    for name in ["c", "a", "b"] {
        server.machine(name, PASS).await;
        server.ok("CreateActivity", json!({"name": name})).await;
    }
    let machine = server.machine("m", PASS).await;
    for _ in 0..3 {
        server.ended(&server.execution(&machine, "{}").await).await;
    }
    let names = |entries: &[Value]| -> Vec<String> {
        entries.iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
    };
    for size in [1, 2, 100] {
        let machines =
            pages(&server, "ListStateMachines", json!({"maxResults": size}), "stateMachines").await;
        assert_eq!(names(&machines), ["a", "b", "c", "m"]);
        let activities = pages(&server, "ListActivities", json!({"maxResults": size}), "activities").await;
        assert_eq!(names(&activities), ["a", "b", "c"]);
        let of_machine = json!({"stateMachineArn": machine, "maxResults": size, "statusFilter": "SUCCEEDED"});
        let executions = pages(&server, "ListExecutions", of_machine, "executions").await;
        assert_eq!(executions.len(), 3);
        assert!(
            executions.iter().all(|one| one["redriveCount"] == 0 && one["stopDate"].is_f64()),
            "{executions:?}"
        );
    }
    let failed = json!({"stateMachineArn": machine, "statusFilter": "FAILED"});
    assert_eq!(server.ok("ListExecutions", failed).await, json!({"executions": []}));

    // A token goes on with its own list only.
    let first = server.ok("ListStateMachines", json!({"maxResults": 1})).await;
    let refused = server.call("ListActivities", json!({"nextToken": first["nextToken"]})).await;
    assert_eq!(
        refused.json(),
        json!({"__type": "InvalidToken", "message": "Invalid Token: 'Invalid token'"})
    );
}

/// Every entry of a list, page by page.
async fn pages(server: &Running, operation: &str, mut ask: Value, member: &str) -> Vec<Value> {
    let mut entries = Vec::new();
    loop {
        let page = server.ok(operation, ask.clone()).await;
        let page_entries = page[member].as_array().unwrap();
        assert!(page_entries.len() <= usize::try_from(ask["maxResults"].as_u64().unwrap()).unwrap());
        entries.extend(page_entries.iter().cloned());
        match page.get("nextToken") {
            Some(token) => ask["nextToken"] = token.clone(),
            None => return entries,
        }
    }
}

#[tokio::test]
async fn definitions_are_validated() {
    let server = Running::start().await;
    let cases = [
        (PASS.to_owned(), json!({"result": "OK", "diagnostics": [], "truncated": false})),
        (
            r#"{"States": {"S": {"Type": "Pass", "End": true}}}"#.to_owned(),
            json!({"result": "FAIL", "truncated": false, "diagnostics": [{
                "severity": "ERROR", "code": "SCHEMA_VALIDATION_FAILED", "location": "/",
                "message": "These fields are required: [StartAt]"}]}),
        ),
    ];
    for (definition, expected) in cases {
        for machine_type in ["STANDARD", "EXPRESS"] {
            let ask = json!({"definition": definition, "type": machine_type});
            assert_eq!(server.ok("ValidateStateMachineDefinition", ask).await, expected);
        }
    }
    let bad = server.ok("ValidateStateMachineDefinition", json!({"definition": "not a definition"})).await;
    assert_eq!(bad["diagnostics"][0]["code"], "INVALID_JSON_DESCRIPTION");
}

#[tokio::test]
async fn tags_are_kept() {
    let server = Running::start().await;
    let tags = json!([{"key": "a", "value": "1"}]);
    let create = json!({"name": "m", "definition": PASS, "roleArn": ROLE, "tags": tags});
    let machine = server.ok("CreateStateMachine", create).await["stateMachineArn"].clone();
    let activity =
        server.ok("CreateActivity", json!({"name": "x", "tags": tags})).await["activityArn"].clone();
    for arn in [machine, activity] {
        let list =
            async || server.ok("ListTagsForResource", json!({"resourceArn": arn})).await["tags"].clone();
        assert_eq!(list().await, tags);
        let more = json!([{"key": "a", "value": "2"}, {"key": "b", "value": ""}, {"key": "b", "value": ""}]);
        server.ok("TagResource", json!({"resourceArn": arn, "tags": more})).await;
        assert_eq!(list().await, json!([{"key": "a", "value": "2"}, {"key": "b", "value": ""}]));
        server.ok("UntagResource", json!({"resourceArn": arn, "tagKeys": ["a", "nonsense"]})).await;
        assert_eq!(list().await, json!([{"key": "b", "value": ""}]));
        let fifty: Vec<Value> = (0..50).map(|n| json!({"key": format!("k{n}"), "value": "v"})).collect();
        let refused = server.call("TagResource", json!({"resourceArn": arn, "tags": fifty})).await;
        assert_eq!(refused.error(), (400, "TooManyTags".into()));
    }
    let absent = "arn:aws:states:us-east-1:000000000000:stateMachine:absent";
    let refused = server.call("ListTagsForResource", json!({"resourceArn": absent})).await;
    let expected = json!({"__type": "ResourceNotFound", "message": format!("Resource not found: '{absent}'"),
        "resourceName": absent});
    assert_eq!(refused.json(), expected);
}

/// Under extended quotas a payload may be as long as they say, in a body that is longer than AWS takes.
#[tokio::test]
async fn longer_payloads_where_they_are_allowed() {
    let mut quotas = Quotas::EXTENDED;
    quotas.set("payload-bytes", 2_000_000).unwrap();
    let server = Running::of(Server::new(service_with(quotas).await, Security::default())).await;
    let machine = server.machine("m", PASS).await;
    let input = format!("\"{}\"", "x".repeat(1_999_998));
    let ended = server.ended(&server.execution(&machine, &input).await).await;
    assert_eq!((ended["status"].as_str(), ended["output"].as_str()), (Some("SUCCEEDED"), Some(&*input)));
    let ask = json!({"stateMachineArn": machine, "input": format!("{input} ")});
    let answer = server.call("StartExecution", ask).await;
    assert_eq!(answer.error(), (400, "ValidationException".into()));
    assert!(answer.body.contains("Member must have length less than or equal to 2000000"), "{}", answer.body);
}

/// What the store holds, by an operation that AWS does not have.
#[tokio::test]
async fn storage_is_described() {
    let server = Running::start().await;
    let machine = server.machine("m", PASS).await;
    server.ended(&server.execution(&machine, "{}").await).await;
    let headers = "X-Amz-Target: Loveless.DescribeStorage\r\nContent-Type: application/x-amz-json-1.0\r\n";
    let storage = server.ask(&post(headers, "{}")).await.json();
    assert!(storage["bytes"].as_u64().unwrap() > 0);
    let shown =
        ["openExecutions", "closedExecutions", "retentionDays", "purgedSinceStart", "expiredSinceStart"];
    assert_eq!(shown.map(|name| storage[name].as_f64()), [0.0, 1.0, 90.0, 0.0, 0.0].map(Some));
}

#[tokio::test]
async fn requests_that_cannot_be_carried_out() {
    let server = Running::start().await;
    let machine = server.machine("m", PASS).await;
    let create = |more: Value| {
        let mut ask = json!({"name": "x", "definition": PASS, "roleArn": ROLE});
        ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ask
    };
    let absent = "arn:aws:states:us-east-1:000000000000:execution:m:absent";
    #[rustfmt::skip]
    let cases = [
        ("CreateStateMachine", create(json!({"name": "a b"})), "InvalidName", "Invalid Name: 'a b'"),
        ("CreateStateMachine", create(json!({"roleArn": "role"})), "InvalidArn", "Invalid Role Arn: 'role'"),
        ("CreateStateMachine", create(json!({"name": "m", "definition": WAIT})), "StateMachineAlreadyExists", "State Machine Already Exists: '"),
        ("CreateStateMachine", create(json!({"definition": "{}"})), "InvalidDefinition", "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED"),
        ("CreateStateMachine", create(json!({"loggingConfiguration": {"level": "ALL"}})), "InvalidLoggingConfiguration", "Invalid Logging Configuration: Must specify exactly one Log Destination."),
        ("CreateStateMachine", create(json!({"versionDescription": "v"})), "ValidationException", "Version description can only be set when publish is true"),
        ("CreateStateMachine", create(json!({"publish": false, "versionDescription": "v"})), "ValidationException", "Version description can only be set when publish is true"),
        ("CreateStateMachine", create(json!({"tags": [{"key": "a<b", "value": ""}]})), "ValidationException", "Tag keys and values may contain"),
        ("CreateStateMachine", create(json!({"tags": [{"value": "v"}]})), "ValidationException", "A tag must have a key"),
        ("UpdateStateMachine", json!({"stateMachineArn": format!("{machine}/label"), "roleArn": ROLE}), "ValidationException", "The operation does not support labeled ARNs: '"),
        ("UpdateStateMachine", json!({"stateMachineArn": format!("{machine}:1"), "roleArn": ROLE}), "StateMachineDoesNotExist", "State Machine Does Not Exist: '"),
        ("StartExecution", json!({"stateMachineArn": format!("{machine}/label")}), "ValidationException", "The operation does not support labeled ARNs: '"),
        ("StartExecution", json!({"stateMachineArn": format!("{machine}:1")}), "StateMachineDoesNotExist", "State Machine Does Not Exist: '"),
        ("StartExecution", json!({"stateMachineArn": format!("{machine}:live")}), "StateMachineDoesNotExist", "State Machine Does Not Exist: '"),
        ("PublishStateMachineVersion", json!({"stateMachineArn": machine, "revisionId": "r"}), "ConflictException", "Failed to publish the State Machine version for revision r. The current State Machine revision is INITIAL."),
        ("PublishStateMachineVersion", json!({"stateMachineArn": machine, "description": "x".repeat(257)}), "ValidationException", "1 validation error detected: Value at 'description' failed to satisfy constraint: Member must have length less than or equal to 256"),
        ("DeleteStateMachineVersion", json!({"stateMachineVersionArn": machine}), "InvalidArn", "Invalid Arn: 'Invalid ARN: "),
        ("ListStateMachineVersions", json!({"stateMachineArn": format!("{machine}-not")}), "InvalidArn", "Invalid Arn: '"),
        ("ListStateMachineVersions", json!({"stateMachineArn": machine, "nextToken": "x"}), "InvalidToken", "Invalid Token: 'Invalid token'"),
        ("ListStateMachineAliases", json!({"stateMachineArn": machine, "maxResults": 1001}), "ValidationException", "1 validation error detected: Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000"),
        ("ListStateMachineAliases", json!({"stateMachineArn": format!("{machine}-not")}), "StateMachineDoesNotExist", ""),
        ("CreateStateMachineAlias", json!({"name": "live", "routingConfiguration": []}), "ValidationException", "1 validation error detected: Value '[]' at 'routingConfiguration' failed to satisfy constraint: Member must have length greater than or equal to 1"),
        ("CreateStateMachineAlias", json!({"name": "live", "routingConfiguration": [{"stateMachineVersionArn": "a", "weight": 1}, {"stateMachineVersionArn": "b", "weight": 1}, {"stateMachineVersionArn": "c", "weight": 98}]}), "ValidationException", "1 validation error detected: Value '[RoutingConfigurationListItem(stateMachineVersionArn=a, weight=1), RoutingConfigurationListItem(stateMachineVersionArn=b, weight=1), RoutingConfigurationListItem(stateMachineVersionArn=c, weight=98)]' at 'routingConfiguration' failed to satisfy constraint: Member must have length less than or equal to 2"),
        ("CreateStateMachineAlias", json!({"name": "live", "routingConfiguration": [{"stateMachineVersionArn": "a", "weight": 101}]}), "ValidationException", "1 validation error detected: Value '101' at 'routingConfiguration.1.member.weight' failed to satisfy constraint: Member must have value less than or equal to 100"),
        ("CreateStateMachineAlias", json!({"name": "12", "routingConfiguration": [{"stateMachineVersionArn": "a", "weight": 100}]}), "ValidationException", "1 validation error detected: Value '12' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\\-\\.])[a-zA-Z0-9_\\-\\.]+$"),
        ("CreateStateMachineAlias", json!({"name": "live", "routingConfiguration": [{"stateMachineVersionArn": machine, "weight": 100}]}), "ValidationException", "Routing configuration must contain state machine version ARNs. Received: ["),
        ("CreateStateMachineAlias", json!({"name": "live", "routingConfiguration": [{"stateMachineVersionArn": format!("{machine}:9"), "weight": 100}]}), "ResourceNotFound", "Request references a resource that does not exist."),
        ("UpdateStateMachineAlias", json!({"stateMachineAliasArn": format!("{machine}:live")}), "ValidationException", "Either the description or the routing configuration must be specified"),
        ("UpdateStateMachineAlias", json!({"stateMachineAliasArn": format!("{machine}:live"), "description": "d"}), "ResourceNotFound", "Request references a resource that does not exist."),
        ("DescribeStateMachineAlias", json!({"stateMachineAliasArn": format!("{machine}:1")}), "InvalidArn", ""),
        ("TagResource", json!({"resourceArn": format!("{machine}:1"), "tags": [{"key": "k"}]}), "ResourceNotFound", "Resource not found: '"),
        ("TagResource", json!({"resourceArn": machine, "tags": [{"key": "k", "value": "a%b"}]}), "ValidationException", "Tag keys and values may contain"),
        ("TagResource", json!({"resourceArn": machine, "tags": (0..51).map(|n| json!({"key": n.to_string()})).collect::<Vec<_>>()}), "TooManyTags", "A resource may have at most 50 tags: '"),
        ("CreateStateMachine", create(json!({"encryptionConfiguration": {"type": "CUSTOMER_MANAGED_KMS_KEY"}})), "InvalidEncryptionConfiguration", ""),
        ("UpdateStateMachine", json!({"stateMachineArn": machine}), "MissingRequiredParameter", "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified"),
        ("DescribeStateMachine", json!({"stateMachineArn": "not_a_valid_arn"}), "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: not_a_valid_arn'"),
        ("DescribeStateMachine", json!({"stateMachineArn": absent}), "InvalidArn", ""),
        ("StartExecution", json!({"stateMachineArn": machine, "input": "not some json"}), "InvalidExecutionInput", "Invalid State Machine Execution Input: 'Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')'"),
        ("StartExecution", json!({"stateMachineArn": machine, "input": ""}), "InvalidExecutionInput", "Invalid State Machine Execution Input: 'Invalid execution input.'"),
        ("StartExecution", json!({"stateMachineArn": machine, "input": "x".repeat(262_145)}), "ValidationException", "1 validation error detected: Value at 'input' failed to satisfy constraint: Member must have length less than or equal to 262144"),
        ("StartExecution", json!({}), "ValidationException", "1 validation error detected: Value null at 'stateMachineArn' failed to satisfy constraint: Member must not be null"),
        ("DescribeExecution", json!({"executionArn": absent}), "ExecutionDoesNotExist", "Execution Does Not Exist: '"),
        ("GetExecutionHistory", json!({"executionArn": absent}), "ExecutionDoesNotExist", ""),
        ("GetExecutionHistory", json!({"executionArn": absent, "nextToken": "x"}), "InvalidToken", "Invalid Token: 'Invalid token'"),
        ("ListExecutions", json!({"stateMachineArn": machine, "statusFilter": "succeeded"}), "ValidationException", "1 validation error detected: Value 'succeeded' at 'statusFilter' failed to satisfy constraint: Member must satisfy enum value set: [SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING]"),
        ("ListExecutions", json!({"stateMachineArn": machine, "nextToken": "x".repeat(3097)}), "ValidationException", ""),
        ("ListExecutions", json!({}), "ValidationException", ""),
        ("SendTaskSuccess", json!({"taskToken": "x", "output": "{}"}), "InvalidToken", "Invalid Token: 'Invalid token'"),
        ("SendTaskHeartbeat", json!({"taskToken": "x"}), "InvalidToken", ""),
        ("DescribeActivity", json!({"activityArn": "x"}), "InvalidArn", ""),
        ("RedriveExecution", json!({"executionArn": absent}), "ExecutionDoesNotExist", "Execution Does Not Exist: '"),
        ("RedriveExecution", json!({"executionArn": absent, "clientToken": "a b"}), "ValidationException", "1 validation error detected: Value 'a b' at 'clientToken' failed to satisfy constraint: Member must satisfy regular expression pattern: [!-~]+"),
        ("Nonsense", json!({}), "UnknownOperationException", "Step Functions has no operation 'Nonsense'"),
    ];
    for (operation, ask, code, message) in cases {
        let answer = server.call(operation, ask).await;
        assert_eq!(answer.error(), (400, code.into()), "{operation}: {}", answer.body);
        let told = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(told.starts_with(message), "{operation}: {told}");
        assert_eq!(answer.header("x-amzn-errortype"), Some(code));
    }
}
