//! Runs a command, showing its output line by line while it runs and handing each line to the caller.
//!
//! Refuses to know what the lines mean. Output is piped rather than inherited because the counts of passed and
//! failed tests are read from it; the price is that the children see no terminal and print no colours.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use anyhow::{Context, Result, ensure};

/// Lines that may wait to be shown. A child that prints faster than we do waits in its write.
const LINES_WAITING_MAX: usize = 1024;

/// Runs the command to its end and says whether it succeeded. `on_line` sees every line of both streams.
pub(crate) fn watch(command: &mut Command, on_line: impl FnMut(&str)) -> Result<bool> {
    watch_behind("", command, on_line)
}

/// The same with something before every line shown, so that a line which looks like our own summary is not taken for it.
pub(crate) fn watch_behind(mark: &str, command: &mut Command, mut on_line: impl FnMut(&str)) -> Result<bool> {
    show(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", describe(command)))?;
    let (sender, lines) = sync_channel(LINES_WAITING_MAX);
    let readers = [
        child.stdout.take().map(|stream| forward(stream, sender.clone())),
        child.stderr.take().map(|stream| forward(stream, sender)),
    ];
    let mut out = std::io::stdout();
    for line in lines {
        // A closed standard output must not end the run: its exit code still tells.
        let _ = writeln!(out, "{mark}{line}");
        on_line(&line);
    }
    for reader in readers.into_iter().flatten() {
        let _ = reader.join();
    }
    Ok(child.wait().with_context(|| format!("cannot wait for {}", describe(command)))?.success())
}

/// Runs the command, showing its output; a failure is an error.
pub(crate) fn must(command: &mut Command) -> Result<()> {
    let succeeded = watch(command, |_| ())?;
    ensure!(succeeded, "{} failed", describe(command));
    Ok(())
}

/// Whether the command can be run and succeeds; its output is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// A heading that says what begins.
pub(crate) fn heading(text: &str) {
    println!("\n== {text}");
}

fn show(command: &Command) {
    println!("$ {}", describe(command));
}

fn describe(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|argument| argument.to_string_lossy().into_owned()));
    words.join(" ")
}

fn forward(stream: impl Read + Send + 'static, sender: SyncSender<String>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|length| length > 0) {
            let line = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned();
            bytes.clear();
            if sender.send(line).is_err() {
                return;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_both_streams_is_seen() {
        let mut lines = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two >&2; printf three"]);
        assert!(watch(&mut command, |line| lines.push(line.to_owned())).expect("sh runs"));
        lines.sort();
        assert_eq!(lines, ["one", "three", "two"]);
    }

    #[test]
    fn a_failure_is_told() {
        assert!(!watch(Command::new("sh").args(["-c", "exit 3"]), |_| ()).expect("sh runs"));
        let error = must(Command::new("sh").args(["-c", "exit 3"])).expect_err("must fails");
        assert_eq!(error.to_string(), "sh -c exit 3 failed");
    }

    #[test]
    fn a_missing_program_is_an_error_and_not_a_success() {
        assert!(watch(&mut Command::new("/no/such/program"), |_| ()).is_err());
        assert!(!succeeds(&mut Command::new("/no/such/program")));
    }
}
