//! Chains of states without tasks, and a run of one through `engine::apply`, as the server runs it: one event, one step.
//!
//! Each shape does one thing with its data at every state, and what it hands on is its input again or its input with
//! a small member more: so that the last state of a long chain sees as much as the first.

use std::fmt::Write;
use std::sync::Arc;

use anyhow::{Result, anyhow, ensure};
use asl::jsonata::Jsonata;
use asl::machine::Machine;
use asl::{MachineType, parse};
use engine::{Event, Execution, Limits, Moment, Origin, Start, Status, TaskId, Transition, World, apply};
use jsonata::Evaluator;

/// What the states of a chain do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The name in the table.
    pub name: &'static str,
    /// The fields of each state, without `Next` and `End`; `{n}` is its number.
    fields: &'static str,
    /// Whether the state names its successor itself, as a Choice does in its rules.
    chooses: bool,
}

/// Nothing but passing on.
pub const PASS: Shape = Shape { name: "Pass", fields: r#""Type":"Pass""#, chooses: false };

/// Every shape that is measured.
pub const SHAPES: &[Shape] = &[
    PASS,
    Shape {
        name: "InputPath",
        fields: r#""Type":"Pass","InputPath":"$.customer","ResultPath":null"#,
        chooses: false,
    },
    Shape {
        name: "Parameters",
        fields: r#""Type":"Pass","Parameters":{"city.$":"$.customer.address.city"},"ResultPath":null"#,
        chooses: false,
    },
    Shape { name: "Assign", fields: r#""Type":"Pass","Assign":{"id.$":"$.order.id"}"#, chooses: false },
    Shape {
        name: "Choice",
        fields: r#""Type":"Choice","Choices":[{"Variable":"$.order.total","NumericGreaterThan":0,"Next":"{next}"}]"#,
        chooses: true,
    },
    Shape {
        name: "ResultPath",
        fields: r#""Type":"Pass","Result":{"seen":{n}},"ResultPath":"$.checks.c{n}""#,
        chooses: false,
    },
    Shape {
        name: "Query",
        fields: r#""QueryLanguage":"JSONata","Type":"Pass","Assign":{"id":"{% $states.input.order.id %}"}"#,
        chooses: false,
    },
    Shape {
        name: "Condition",
        fields: r#""QueryLanguage":"JSONata","Type":"Choice","Choices":[{"Condition":"{% $states.input.order.total > 0 %}","Next":"{next}"}]"#,
        chooses: true,
    },
    Shape {
        name: "OutputPath",
        fields: r#""Type":"Pass","Parameters":{"kept.$":"$"},"OutputPath":"$.kept""#,
        chooses: false,
    },
];

/// A chain of `states` states of one shape, and a Succeed at its end if they need somewhere to go.
///
/// # Errors
/// The definition is refused: the shape is wrong.
pub fn machine(shape: Shape, states: usize) -> Result<Machine> {
    let mut text = String::from(r#"{"StartAt":"S0","States":{"#);
    for number in 0..states {
        let next = format!("S{}", number + 1);
        let fields = shape.fields.replace("{n}", &number.to_string()).replace("{next}", &next);
        let way = if shape.chooses { String::new() } else { format!(r#","Next":"{next}""#) };
        write!(text, r#""S{number}":{{{fields}{way}}},"#)?;
    }
    write!(text, r#""S{states}":{{"Type":"Succeed"}}}}}}"#)?;
    let jsonata: Arc<dyn Jsonata> = Arc::new(Evaluator::default());
    parse(&text, MachineType::Standard, &jsonata).map_err(|diagnostics| {
        let lines: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
        anyhow!("the chain '{}' is refused: {}", shape.name, lines.join("; "))
    })
}

/// Surroundings for machines without tasks.
struct Nowhere;

impl World for Nowhere {
    fn token(&self, _task: TaskId) -> String {
        String::new()
    }

    fn has_activity(&self, _arn: &str) -> bool {
        false
    }
}

/// The start of an execution with this input. Made beforehand: the caller of the engine has it anyway.
pub fn start(input: Arc<str>) -> Event {
    Event::Start(Box::new(Start {
        arn: "arn:aws:states:us-east-1:000000000000:execution:chain:run".into(),
        name: "run".into(),
        machine_arn: "arn:aws:states:us-east-1:000000000000:stateMachine:chain".into(),
        machine_name: "chain".into(),
        role_arn: "arn:aws:iam::000000000000:role/runner".into(),
        region: "us-east-1".into(),
        input,
        trace_header: None,
        express: false,
        log: None,
        origin: Origin::default(),
        child: None,
    }))
}

/// One step from the start to the end of the chain.
///
/// # Errors
/// The execution did not succeed within one step.
pub fn run(machine: &Machine, start: Event) -> Result<(Execution, Transition)> {
    // Executions of a chain are bounded by no limit but that of payloads: their number of states is the caller's choice.
    let limits = Limits { step_transitions_max: u32::MAX, step_bytes_max: usize::MAX, ..Limits::STRICT };
    let mut execution = Execution::new();
    let at = Moment { now_ms: 0, seed: 0, world: &Nowhere };
    let decided = apply(machine, &mut execution, start, at, limits);
    let transition = decided.map_err(|rejected| anyhow!("the start was rejected: {rejected:?}"))?;
    ensure!(execution.status == Status::Succeeded, "the chain ended otherwise: {:?}", execution.failure);
    Ok((execution, transition))
}
