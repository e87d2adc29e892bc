//! Definitions: reading one never panics, a refusal says why and where, and a machine that was accepted keeps every
//! promise of the engine over a script of events, above all that its journal rebuilds it at every step.
//!
//! The input is the definition's text alone, so that what was found reads as what it is. The script is drawn from a
//! hash of it.

use std::sync::Arc;

use asl::diagnostic::Diagnostic;
use asl::jsonata::Jsonata;
use asl::machine::Machine;
use asl::{MachineType, parse, parse_state, references};
use engine::{Event, Limits, Origin, TaskId, TimerId};

use super::jsonata::Timeless;
use crate::harness::dice::Dice;
use crate::harness::dice_of;
use crate::harness::machines::{DELETED_ACTIVITY, value};
use crate::harness::run::{Run, Surroundings, start};

/// Inputs are JSON: they are changed as trees, too.
pub const IS_JSON: bool = true;

/// Events of one script: enough for retries, small enough for hundreds of runs in a second.
const EVENTS_MAX: usize = 12;

/// Runs the target.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let jsonata: Arc<dyn Jsonata> = Arc::new(Timeless::new());
    if let Err(diagnostics) = parse_state(text, &jsonata) {
        assert!(!diagnostics.is_empty(), "refused without a reason");
    }
    for machine_type in [MachineType::Express, MachineType::Standard] {
        match machine(text, machine_type) {
            Ok(machine) => {
                let machine = Arc::new(machine);
                references(&machine);
                check_ids(&machine);
                if machine_type == MachineType::Standard
                    && let Err(problem) = play(&machine, &mut dice_of(data))
                    && !Timeless::met_bound()
                {
                    panic!("{problem}");
                }
            }
            Err(diagnostics) => {
                assert!(!diagnostics.is_empty(), "refused without a reason");
                for diagnostic in diagnostics {
                    assert!(!diagnostic.message.is_empty(), "a reason without words: {diagnostic}");
                }
            }
        }
    }
}

/// The machine of a definition.
///
/// # Errors
/// Everything that is wrong with it.
pub fn machine(text: &str, machine_type: MachineType) -> Result<Machine, Vec<Diagnostic>> {
    let jsonata: Arc<dyn Jsonata> = Arc::new(Timeless::new());
    parse(text, machine_type, &jsonata)
}

/// Names and ids lead to each other.
fn check_ids(machine: &Machine) {
    for state in &machine.states {
        let id = machine.find(&state.name).expect("every state is found by its name");
        assert_eq!(machine.state(id).name, state.name, "names are unique");
        let container = machine.container(state.container);
        assert_eq!(container.states.get(&state.name), Some(&id), "a state is in its container");
    }
}

fn play(machine: &Arc<Machine>, dice: &mut Dice) -> Result<(), String> {
    let limits = Limits {
        payload_bytes_max: *dice.pick(&[300, 262_144]),
        variables_bytes_max: *dice.pick(&[300, 10_485_760]),
        history_events_max: *dice.pick(&[5, 40, 200]),
        step_transitions_max: *dice.pick(&[1, 2, 64]),
        step_bytes_max: *dice.pick(&[1, 500, 4_194_304]),
        waited_second_ms: *dice.pick(&[0, 1, 1000]),
        ..Limits::STRICT
    };
    let surroundings = Surroundings { deleted_activities: vec![DELETED_ACTIVITY.into()] };
    let mut run = Run::new(machine.clone(), limits, dice.next(), &surroundings);
    let input = value(dice).to_text().into();
    run.apply(start(input, false, Origin::default()))?
        .map_err(|rejected| format!("the start was rejected: {rejected:?}"))?;
    for _ in 0..EVENTS_MAX {
        if run.ended() && dice.chance(50) {
            break;
        }
        run.now_ms += dice.below(3000) as i64;
        let event = if run.ended() { Event::Redrive(Box::default()) } else { event(&mut run, dice) };
        _ = run.apply(event)?;
    }
    run.finish()
}

/// Mostly what makes an execution go on: a task's end, the timer that is due.
fn event(run: &mut Run<'_>, dice: &mut Dice) -> Event {
    let task = match run.tasks.len() {
        0 => TaskId(dice.next()),
        count => run.tasks[dice.below(count)],
    };
    let text = |dice: &mut Dice| dice.pick(&[None, Some("E1"), Some("States.Timeout")]).map(Into::into);
    match dice.below(12) {
        0 => Event::Heartbeat(task),
        1 => Event::TaskTaken { task, worker: text(dice) },
        2 => Event::TaskDelivered(task),
        3 => Event::TaskReturned(task),
        4 => Event::TaskSubmitted { task, output: value(dice).to_text().into() },
        5 | 6 => Event::TaskFailed { task, error: text(dice), cause: text(dice) },
        7 | 8 => Event::TaskSucceeded { task, output: value(dice).to_text().into() },
        _ => match run.next_timer() {
            Some((timer, due_ms)) => {
                run.now_ms = run.now_ms.max(due_ms);
                Event::Timer(timer)
            }
            None if run.tasks.is_empty() => Event::Timer(TimerId(dice.next())),
            None => Event::TaskSucceeded { task, output: value(dice).to_text().into() },
        },
    }
}
