//! Random machines with random events, sensible and senseless, under the checks of `run.rs`. No outcome is expected:
//! only what must hold for every run.
//!
//! A seed reproduces a run. `SEEDS=1000..2000 cargo test -p engine --test cases random` tries others, or a single one.

use std::ops::Range;
use std::sync::Arc;

use asl::json::Json;
use asl::machine::Machine;
use asl::{MachineType, parse};
use engine::{Event, Failure, Limits, Origin, Redrive, Restart, TaskId, TimerId};

use super::dice::Dice;
use super::machines::{DELETED_ACTIVITY, machine, value};
use super::run::{Run, Surroundings, start};
use super::timeless::jsonata;

/// Runs of an ordinary test: a few seconds of work.
const SEEDS: Range<u64> = 0..2500;
const EVENTS_MAX: usize = 40;

#[test]
fn random_runs_keep_every_promise() {
    let seeds = match std::env::var("SEEDS") {
        Ok(text) => range(&text),
        Err(_) => SEEDS,
    };
    let mut ended = 0;
    let mut redrives = 0;
    for seed in seeds.clone() {
        match std::panic::catch_unwind(|| play(seed)) {
            Ok(Ok((over, redriven))) => {
                ended += u64::from(over);
                redrives += redriven;
            }
            Ok(Err(problem)) => panic!("seed {seed}: {problem}\n{}", machine(&mut Dice::new(seed))),
            Err(_) => panic!("seed {seed} panicked\n{}", machine(&mut Dice::new(seed))),
        }
    }
    // The scripts must get somewhere, or the promises are kept for want of trying.
    let few = seeds.end - seeds.start < 100;
    assert!(ended * 4 > seeds.end - seeds.start || few, "only {ended} runs ended");
    assert!(redrives * 4 > seeds.end - seeds.start || few, "only {redrives} redrives");
}

fn range(text: &str) -> Range<u64> {
    let number = |text: &str| text.parse::<u64>().expect("SEEDS is a number or 'from..to'");
    match text.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => number(text)..number(text) + 1,
    }
}

/// One run; tells whether the execution ended by itself, and how often it was redriven.
fn play(seed: u64) -> Result<(bool, u64), String> {
    let mut dice = Dice::new(seed);
    let definition = machine(&mut dice);
    let parsed = |definition: &Json| {
        let text = definition.to_text();
        let machine = parse(&text, MachineType::Standard, &jsonata());
        machine.map(Arc::new).map_err(|problems| format!("{problems:?}"))
    };
    let machine = parsed(&definition)?;
    let corrected = parsed(&with_another_state(&definition))?;
    let limits = Limits {
        payload_bytes_max: *dice.pick(&[300, 262_144, 262_144]),
        variables_bytes_max: *dice.pick(&[300, 10_485_760, 10_485_760]),
        history_events_max: *dice.pick(&[5, 40, 400, 400]),
        step_transitions_max: *dice.pick(&[1, 2, 512, 512]),
        step_bytes_max: *dice.pick(&[1, 500, 4_194_304, 4_194_304]),
        waited_second_ms: *dice.pick(&[1, 1000, 1000]),
        ..Limits::STRICT
    };
    let surroundings = Surroundings { deleted_activities: vec![DELETED_ACTIVITY.into()] };
    let mut run = Run::new(machine, limits, seed, &surroundings);
    let input = value(&mut dice).to_text().into();
    let express = dice.chance(25);
    run.apply(start(input, express, some_origin(&mut dice)))?
        .map_err(|rejected| format!("the start was rejected: {rejected:?}"))?;
    for _ in 0..EVENTS_MAX {
        run.now_ms += dice.below(3000) as i64;
        let event = match run.ended() {
            true if dice.chance(40) => break,
            true if dice.chance(80) => redrive(&mut run, &corrected, &mut dice),
            _ => event(&mut run, &corrected, &mut dice),
        };
        _ = run.apply(event)?;
    }
    let done = (run.ended(), run.redrives);
    run.finish()?;
    Ok(done)
}

/// Mostly what makes an execution go on.
fn event(run: &mut Run<'_>, corrected: &Arc<Machine>, dice: &mut Dice) -> Event {
    let due = run.next_timer();
    match dice.below(20) {
        0 => Event::Timer(any_timer(run, dice)),
        1 if dice.chance(20) => Event::Stop { error: text(dice), cause: text(dice) },
        1 if dice.chance(20) => start("{}".into(), false, some_origin(dice)),
        1 if dice.chance(10) => redrive(run, corrected, dice),
        1 if dice.chance(10) => Event::Expired,
        2 => Event::Heartbeat(task(run, dice)),
        3 if dice.chance(50) => Event::TaskDelivered(task(run, dice)),
        3 => Event::TaskReturned(task(run, dice)),
        4 => Event::TaskSubmitted { task: task(run, dice), output: value(dice).to_text().into() },
        5..=7 => Event::TaskTaken { task: task(run, dice), worker: text(dice) },
        8..=9 => {
            let (task, failure) = (task(run, dice), Failure { error: text(dice), cause: text(dice) });
            match run.live.map_run(task) {
                Some(_) => Event::MapRunFailed { task, failure },
                None => Event::TaskFailed { task, error: failure.error, cause: failure.cause },
            }
        }
        10..=13 => match due {
            Some((timer, due_ms)) => {
                run.now_ms = run.now_ms.max(due_ms);
                Event::Timer(timer)
            }
            None => Event::Timer(any_timer(run, dice)),
        },
        _ => {
            let (task, output) = (task(run, dice), value(dice).to_text().into());
            match run.live.map_run(task) {
                Some(_) => Event::MapRunSucceeded { task, output },
                None => Event::TaskSucceeded { task, output },
            }
        }
    }
}

/// The same machine, but every state has another number.
fn with_another_state(definition: &Json) -> Json {
    let states = definition["States"].as_object().into_iter().flatten();
    let other = Json::object([("Type", Json::from("Pass")), ("Next", definition["StartAt"].clone())]);
    let states = std::iter::once(("Other".into(), other))
        .chain(states.map(|(name, state)| (name.clone(), state.clone())));
    let members = definition.as_object().into_iter().flatten();
    let others = members.filter(|(name, _)| !["StartAt", "States"].contains(&&***name));
    let others = others.map(|(name, value)| (name.clone(), value.clone()));
    let own = [("StartAt".into(), Json::from("Other")), ("States".into(), Json::object(states))];
    Json::object(own.into_iter().chain(others))
}

/// Mostly as it ended; now and then from some state, or onto the other definition.
fn redrive(run: &mut Run<'_>, corrected: &Arc<Machine>, dice: &mut Dice) -> Event {
    let token = text(dice);
    let restart = dice.chance(30).then(|| Restart {
        state: format!("S{}", dice.below(6)).into(),
        input: dice.chance(70).then(|| value(dice).to_text().into()),
    });
    let onto = dice.chance(50).then(|| corrected.clone());
    let graft = dice.chance(40).then(|| run.graft(onto, restart).ok()).flatten();
    Event::Redrive(Box::new(Redrive { token, graft }))
}

/// How it came to its machine.
fn some_origin(dice: &mut Dice) -> Origin {
    let mut text = || dice.chance(30).then(|| format!("arn:{}", dice.below(9)));
    Origin { version_arn: text(), alias_arn: text(), revision_id: text(), revised_ms: 7 }
}

/// A timer that was set once, or never.
fn any_timer(run: &Run<'_>, dice: &mut Dice) -> TimerId {
    match run.timers_seen.len() {
        0 => TimerId(dice.next()),
        count => run.timers_seen[dice.below(count)],
    }
}

/// A task that is open, was open once, or never was.
fn task(run: &Run<'_>, dice: &mut Dice) -> TaskId {
    let open: Vec<TaskId> = run.tasks.iter().copied().filter(|task| run.live.task(*task).is_some()).collect();
    match (open.len(), run.tasks.len()) {
        (0, 0) => TaskId(dice.next()),
        (0, count) => run.tasks[dice.below(count)],
        (count, _) if dice.chance(90) => open[dice.below(count)],
        (_, count) => run.tasks[dice.below(count)],
    }
}

fn text(dice: &mut Dice) -> Option<Arc<str>> {
    dice.pick(&[None, Some("E1"), Some("E2"), Some("")]).map(Arc::from)
}
