//! Lambda itself is outside: become the function's command, with everything as Lambda set it. Knows nothing else.

use std::{os::unix::process::CommandExt, process::Command};

/// Replaces this process by the command; returns only why that failed.
pub(crate) fn exec(command: &[String]) -> String {
    let [program, args @ ..] = command else { return "no command to run".to_owned() };
    let error = Command::new(program).args(args).exec();
    format!("cannot run {program}: {error}")
}
