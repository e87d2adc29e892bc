//! aws-sdk-sfn from create to delete, with a worker of an activity; prints what it saw as one JSON document.
//!
//! It is configured as every user's program: from the environment.

use std::error::Error;

use aws_sdk_sfn::Client;
use aws_sdk_sfn::error::ProvideErrorMetadata;
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, name, role] = arguments.as_slice() else { return Err("NAME ROLE".into()) };
    let client = Client::new(&aws_config::load_from_env().await);
    let activity = client.create_activity().name(name).send().await?.activity_arn;
    let definition = json!({
        "StartAt": "Work",
        "States": {
            "Work": {
                "Type": "Task", "Resource": activity, "HeartbeatSeconds": 30, "End": true,
                "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 1}],
            },
        },
    });
    let create = client.create_state_machine().name(name).role_arn(role);
    let machine = create.definition(definition.to_string()).send().await?.state_machine_arn;
    let start = client.start_execution().state_machine_arn(&machine).input(r#"{"name": "you"}"#);
    let execution = start.send().await?.execution_arn;

    let poll = || client.get_activity_task().activity_arn(&activity).worker_name("rust");
    let first = poll().send().await?;
    let token = first.task_token.ok_or("a task")?;
    client.send_task_failure().task_token(token).error("Busy").cause("try again").send().await?;
    let second = poll().send().await?;
    let token = second.task_token.ok_or("a second task")?;
    client.send_task_heartbeat().task_token(&token).send().await?;
    client.send_task_success().task_token(&token).output(second.input.unwrap_or_default()).send().await?;

    let described = loop {
        let described = client.describe_execution().execution_arn(&execution).send().await?;
        if described.status != ExecutionStatus::Running {
            break described;
        }
    };
    let mut types = Vec::new();
    let history = client.get_execution_history().execution_arn(&execution).max_results(3).into_paginator();
    let mut pages = history.send();
    while let Some(page) = pages.next().await {
        types.extend(page?.events.iter().map(|event| event.r#type.as_str().to_owned()));
    }

    let wrong = client.create_state_machine().name(format!("{name}-wrong")).role_arn(role).definition("{}");
    let refused = wrong.send().await.err().ok_or("a refusal")?.into_service_error();
    let late = client.send_task_success().task_token(&token).output("{}").send().await;
    let late = late.err().ok_or("a refusal")?.into_service_error();
    client.delete_state_machine().state_machine_arn(&machine).send().await?;
    client.delete_activity().activity_arn(&activity).send().await?;
    let seen = json!({
        "stateMachineArn": machine,
        "status": described.status.as_str(),
        "output": described.output,
        "types": types,
        "refused": {"known": refused.is_invalid_definition(), "message": refused.message()},
        "late": {"known": late.is_task_timed_out(), "code": late.code()},
        "dates": described.stop_date >= Some(described.start_date),
    });
    println!("{seen}");
    Ok(())
}
