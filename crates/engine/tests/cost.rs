//! What a step costs in the journal follows what it changed, also when a large Map fails and is redriven.

use std::sync::Arc;

use asl::jsonata::Jsonata;
use asl::machine::Machine;
use engine::{Event, Execution, Limits, Moment, Origin, Start, Status, TaskId, World, apply};

/// Enough that their results are several times what one step may cost.
const ITEMS: usize = 20_000;
/// A few events with their names and texts.
const CHUNK_BYTES_MAX: usize = 4096;

struct Nothing;

impl World for Nothing {
    fn token(&self, _: TaskId) -> String {
        String::new()
    }

    fn has_activity(&self, _: &str) -> bool {
        true
    }
}

/// One event; the bytes of its chunk.
fn step(machine: &Machine, execution: &mut Execution, event: Event, limits: Limits) -> usize {
    let at = Moment { now_ms: 0, seed: 1, world: &Nothing };
    apply(machine, execution, event, at, limits).expect("the event fits").encode().len()
}

#[test]
fn a_large_map_fails_and_is_redriven_at_the_price_of_one_iteration() {
    let definition = r#"{"StartAt": "M", "States": {"M": {"Type": "Map", "MaxConcurrency": 1, "End": true,
        "ItemProcessor": {"StartAt": "Last", "States": {
            "Last": {"Type": "Choice", "Default": "Yes",
                "Choices": [{"Variable": "$", "NumericEquals": -1, "Next": "No"}]},
            "Yes": {"Type": "Pass", "End": true},
            "No": {"Type": "Fail"}}}}}}"#;
    let jsonata: Arc<dyn Jsonata> = Arc::new(jsonata::Evaluator::new(jsonata::Limits::STRICT));
    let machine = asl::parse(definition, asl::MachineType::Standard, &jsonata).expect("it is valid");
    let mut items = vec!["0"; ITEMS - 1];
    items.push("-1");
    let limits = Limits { step_transitions_max: 4, history_events_max: u64::MAX, ..Limits::STRICT };
    let start = Start {
        arn: "arn:aws:states:us-east-1:000000000000:execution:m:run".into(),
        name: "run".into(),
        machine_arn: "arn:aws:states:us-east-1:000000000000:stateMachine:m".into(),
        machine_name: "m".into(),
        role_arn: "arn:aws:iam::000000000000:role/runner".into(),
        region: "us-east-1".into(),
        input: format!("[{}]", items.join(",")).into(),
        trace_header: None,
        express: false,
        log: None,
        origin: Origin::default(),
        child: None,
    };
    let mut execution = Execution::new();
    step(&machine, &mut execution, Event::Start(Box::new(start)), limits);
    let mut last = 0;
    while execution.status == Status::Running {
        let timer = execution.timers().first().expect("a bounded step goes on by its timer").id;
        last = step(&machine, &mut execution, Event::Timer(timer), limits);
    }
    assert_eq!(execution.status, Status::Failed);
    assert!(execution.checkpoint().len() > 4 * CHUNK_BYTES_MAX, "the results are kept");
    assert!(last < CHUNK_BYTES_MAX, "the failure took {last} bytes");
    for _ in 0..2 {
        let redriven = step(&machine, &mut execution, Event::Redrive(Box::default()), limits);
        assert_eq!(execution.status, Status::Failed);
        assert!(redriven < CHUNK_BYTES_MAX, "the redrive took {redriven} bytes");
    }
}
