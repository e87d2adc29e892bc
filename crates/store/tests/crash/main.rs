//! What an acknowledgement is worth: the store is killed, loses its power and runs out of disk, and everything
//! that it acknowledged must be there afterwards, whole.
//!
//! The fault model. *Kill*: the process ends between any two instructions; what it gave to the operating system
//! stays. *Power cut*: what the operating system had not been made to write is gone. A loop device shows that
//! without a plug to pull: its backing file only gets what was written back, so a copy of the file is what the
//! disk would hold. *Full disk*: writes fail, in the foreground or in the engine's background work.
//!
//! Killing cannot show a missing sync, so the power cut has a negative control: the same run with syncing turned
//! off must be seen to lose what it acknowledged. If it does not, the test is worthless, and fails.
//!
//! Devices and mounts need root; without, those tests say that they are skipped, and why. This is a program
//! without the usual test harness because it starts itself again as the process to be killed, and because a
//! reason for skipping should be seen.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod full;
mod kill;
mod mount;
mod power;
mod workload;

use std::panic::catch_unwind;
use std::process::ExitCode;

/// How a test ended, if it did not panic.
enum Verdict {
    /// It held; with what was seen.
    Held(String),
    /// It could not run here; with the reason.
    Skipped(String),
}

type Test = fn() -> Verdict;

const TESTS: [(&str, Test); 5] = [
    ("kill_loses_nothing", kill::loses_nothing),
    ("power_cut_loses_nothing", power::cut_loses_nothing),
    ("power_cut_without_sync_loses", power::cut_without_sync_loses),
    ("disk_full_in_the_journal_loses_nothing", full::in_the_journal),
    ("disk_full_in_a_flush_loses_nothing", full::in_a_flush),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, rest @ ..] = &arguments[..]
        && word == workload::CHILD
    {
        return workload::child(rest);
    }
    // The part of the usual harness's command line that tools rely on.
    if arguments.iter().any(|argument| argument == "--list") {
        TESTS.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let exact = arguments.iter().any(|argument| argument == "--exact");
    let filters: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let chosen = |name: &str| {
        let matches = |filter: &&String| if exact { name == *filter } else { name.contains(filter.as_str()) };
        filters.is_empty() || filters.iter().any(matches)
    };
    let mut failed = false;
    for (name, test) in TESTS.iter().filter(|(name, _)| chosen(name)) {
        match catch_unwind(test) {
            Ok(Verdict::Held(seen)) => println!("test {name} ... ok ({seen})"),
            Ok(Verdict::Skipped(reason)) => println!("test {name} ... skipped: {reason}"),
            Err(_) => {
                println!("test {name} ... FAILED");
                failed = true;
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
