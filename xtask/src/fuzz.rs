//! `cargo xtask fuzz`: the fuzz targets of `fuzz/`, each for a bounded time, with nothing but a stable compiler.
//!
//! libFuzzer needs code that counts where it has been. The compiler's own name for that, `-Z sanitizer`, is for
//! nightly; but the pass itself is part of LLVM, and `-C passes` and `-C llvm-args` are stable: so the flags below are
//! those of cargo-fuzz without the address sanitizer, which safe Rust has little for. `--target` keeps them away from
//! build scripts. Panics, overflows of integers and of the stack, endless work and too much memory are all crashes.
//!
//! What a run found interesting stays under `target/xtask/fuzz`, and the next one begins with it. This file knows how to
//! build, bound and report; what must hold is written in the targets.

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, bail, ensure};

use crate::command::{heading, must};
use crate::system::{Install, apt_install, has_program};
use crate::tally::Tally;
use crate::workspace::Workspace;

/// Seconds for each target when nobody says: enough to walk away from.
const SECONDS: u32 = 60;
/// Seconds for each target in `cargo xtask test`: half a minute for all of them on two cores, which is less than the first
/// build of libFuzzer and the targets takes.
const SECONDS_IN_TEST: u32 = 10;
/// One input may take this long; inputs are small, and the slowest of the seeds take milliseconds.
const INPUT_SECONDS_MAX: u32 = 10;
/// Memory of a target; a payload of 256 KiB needs a hundredth of it.
const MEMORY_MIB_MAX: u32 = 1024;
/// Inputs up to this size: a definition is at most 1 MiB, and what recurses too deep does so well below this.
const INPUT_BYTES_MAX: u32 = 64 * 1024;
/// The stack of the thread that runs a target: as large as that of a server's thread.
const STACK_KIB: u32 = 2048;

/// What makes the compiler count where the code has been, in the way that libFuzzer reads.
const FLAGS: [&str; 16] = [
    "--cfg",
    "fuzzing",
    "-C",
    "passes=sancov-module",
    "-C",
    "llvm-args=-sanitizer-coverage-level=4",
    "-C",
    "llvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-C",
    "llvm-args=-sanitizer-coverage-pc-table",
    "-C",
    "llvm-args=-sanitizer-coverage-trace-compares",
    "-C",
    "debug-assertions",
    "-C",
    "codegen-units=1",
];

/// What was asked for on the command line.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    seconds: u32,
    /// Empty: all of them.
    targets: Vec<String>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self { seconds: SECONDS, targets: Vec::new() };
        let mut words = arguments.iter().map(String::as_str);
        while let Some(word) = words.next() {
            match word {
                "--seconds" => {
                    let number = words.next().unwrap_or("");
                    options.seconds = match number.parse() {
                        Ok(seconds) if seconds > 0 => seconds,
                        _ => bail!("--seconds needs a number from 1 on, not '{number}'"),
                    };
                }
                flag if flag.starts_with('-') => bail!("fuzz takes --seconds N and targets, not '{flag}'"),
                target => options.targets.push(target.to_owned()),
            }
        }
        Ok(options)
    }
}

/// The command by itself.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    let options = Options::parse(arguments)?;
    let mut tally = Tally::default();
    fuzz(workspace, &options, Install::from(false), &mut tally)?;
    Ok(tally.close())
}

/// Every target for a short time; each counts as one check.
pub(crate) fn check(workspace: &Workspace, install: Install, tally: &mut Tally) {
    let options = Options { seconds: SECONDS_IN_TEST, targets: Vec::new() };
    if let Err(error) = fuzz(workspace, &options, install, tally) {
        tally.fail(&format!("fuzz: {error:#}"));
    }
}

fn fuzz(workspace: &Workspace, options: &Options, install: Install, tally: &mut Tally) -> Result<()> {
    heading(&format!("fuzzing, {} seconds for each target", options.seconds));
    let known = targets(workspace)?;
    if let Some(unknown) = options.targets.iter().find(|target| !known.contains(target)) {
        bail!("no target is called '{unknown}'; there are {}", known.join(", "));
    }
    if !["c++", "g++", "clang++"].into_iter().any(has_program)
        && let Err(error) = apt_install(&["g++"], install)
    {
        match install {
            // With leave to install, nothing excuses its absence.
            Install::Allowed => tally.fail(&format!("fuzz: {error:#}")),
            Install::Refused => tally.skip("fuzz", &format!("libFuzzer needs a C++ compiler: {error:#}")),
        }
        return Ok(());
    }
    let folder = workspace.scratch("fuzz");
    let seeds = folder.join("seeds");
    let write = ["run", "--quiet", "--package", "loveless-fuzz", "--example", "seeds", "--"];
    must(workspace.cargo(&write).arg(&seeds))?;
    let wanted = if options.targets.is_empty() { &known } else { &options.targets };
    let programs = build(workspace, &folder, wanted)?;
    // A fuzzer is one thread: as many of them at once as the machine runs.
    let at_once = thread::available_parallelism().map_or(1, NonZero::get);
    for some in wanted.chunks(at_once) {
        let ended: Vec<Result<bool>> = thread::scope(|scope| {
            let (folder, programs) = (&folder, &programs);
            let begun = some
                .iter()
                .map(|target| scope.spawn(move || one(workspace, folder, programs, target, options.seconds)));
            let running: Vec<_> = begun.collect();
            running.into_iter().map(|run| run.join().expect("it returns its errors")).collect()
        });
        for (target, sound) in some.iter().zip(ended) {
            tally.check(&format!("fuzz: {target}"), sound?);
        }
    }
    Ok(())
}

/// The targets are the files in the folder that cargo-fuzz prescribes.
fn targets(workspace: &Workspace) -> Result<Vec<String>> {
    let folder = workspace.path("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut targets = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            targets.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    targets.sort();
    Ok(targets)
}

/// Builds the targets, in a folder of their own: other flags would make cargo build everything again, each time.
fn build(workspace: &Workspace, folder: &Path, targets: &[String]) -> Result<PathBuf> {
    let host = host()?;
    let built = folder.join("build");
    let mut command = workspace.cargo(&["build", "--quiet", "--release", "--package", "loveless-fuzz"]);
    command.args(["--target", &host]).arg("--target-dir").arg(&built);
    for target in targets {
        command.args(["--bin", target]);
    }
    command.env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}")).env_remove("RUSTFLAGS");
    must(&mut command)?;
    Ok(built.join(host).join("release"))
}

/// The name of the machine that compiles.
fn host() -> Result<String> {
    let output =
        Command::new("rustc").args(["--print", "host-tuple"]).output().context("cannot run rustc")?;
    ensure!(output.status.success(), "rustc does not tell the name of this machine");
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs one target; says whether it found nothing.
fn one(workspace: &Workspace, folder: &Path, programs: &Path, target: &str, seconds: u32) -> Result<bool> {
    let (corpus, found, logs) =
        (folder.join("corpus").join(target), folder.join("found"), folder.join("logs"));
    for folder in [&corpus, &found, &logs] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let log = logs.join(target);
    // The bound on the stack is the shell's to set; libFuzzer says much, which is for whoever looks into a find.
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -s {STACK_KIB} && exec \"$0\" \"$@\" 2> '{}'", log.display())]);
    command.arg(programs.join(target));
    command.args([
        &format!("-max_total_time={seconds}"),
        &format!("-timeout={INPUT_SECONDS_MAX}"),
        &format!("-rss_limit_mb={MEMORY_MIB_MAX}"),
        &format!("-max_len={INPUT_BYTES_MAX}"),
        // Long inputs from the start: a short run would never come to them.
        "-len_control=0",
        "-verbosity=0",
        "-print_final_stats=1",
        &format!("-artifact_prefix={}/{target}-", found.display()),
    ]);
    command.arg(&corpus).arg(folder.join("seeds").join(target));
    let regressions = workspace.path("fuzz/corpus-regressions").join(target);
    command.args(regressions.is_dir().then_some(regressions));
    let sound = command.status().with_context(|| format!("cannot run {target}"))?.success();
    let said = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
    let said = String::from_utf8_lossy(&said);
    let mut told =
        format!("{target}: {} inputs tried; more in {}", tried(&said).unwrap_or("no"), log.display());
    if !sound {
        told.push_str(&find(target, &said));
    }
    println!("{told}");
    Ok(sound)
}

/// How many inputs libFuzzer says it tried.
fn tried(said: &str) -> Option<&str> {
    said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:")).map(str::trim)
}

/// The file that libFuzzer says it wrote the input to.
fn reproducer(said: &str) -> Option<&str> {
    let (_, file) = said.lines().find_map(|line| line.split_once("Test unit written to "))?;
    Some(file.trim())
}

/// What the target said before it died: its panic, if there was one.
fn reason(said: &str) -> Option<&str> {
    let begin = said.find(" panicked at ").map(|at| said[..at].rfind('\n').map_or(0, |at| at + 1));
    let begin = begin.or_else(|| said.find("ERROR: libFuzzer"))?;
    let end = said[begin..].find("stack backtrace:").map_or(said.len(), |length| begin + length);
    Some(said[begin..end].trim_end())
}

/// Lines of a panic that are worth showing at once.
const REASON_LINES_MAX: usize = 12;
/// And as much of each: a message may quote all of its input.
const LINE_BYTES_MAX: usize = 400;

/// What was found, and what to do with it.
fn find(target: &str, said: &str) -> String {
    let mut told = String::new();
    for line in reason(said).unwrap_or(said).lines().take(REASON_LINES_MAX) {
        told.extend(["\n    "].into_iter().chain(line.get(..LINE_BYTES_MAX).or(Some(line))));
    }
    let Some(file) = reproducer(said) else {
        return told + "\n    it died, and left no input behind: run it again";
    };
    told + &format!(
        "\n    found {file}\
         \n    again, without a fuzzer: cargo run -p loveless-fuzz --bin {target} -- {file}\
         \n    once it is mended: move it to fuzz/corpus-regressions/{target}/, named for what it is about"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options> {
        Options::parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn targets_and_seconds_are_told_apart() {
        let options = parse(&["path", "--seconds", "5", "input"]).expect("known words");
        assert_eq!(options, Options { seconds: 5, targets: vec!["path".into(), "input".into()] });
        assert_eq!(parse(&[]).expect("nothing is fine").seconds, SECONDS);
    }

    #[test]
    fn what_is_no_number_and_unknown_flags_are_refused() {
        for words in [&["--seconds"][..], &["--seconds", "0"], &["--seconds", "x"], &["--fast"]] {
            assert!(parse(words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn what_libfuzzer_says_is_read() {
        let said = "INFO: seed corpus: files: 12\n\nthread '<unnamed>' (1) panicked at a.rs:1:1:\nwhy\nstack backtrace:\n\
                    artifact_prefix='found/path-'; Test unit written to found/path-crash-da39a3\n\
                    stat::number_of_executed_units: 65159\n";
        assert_eq!(reproducer(said), Some("found/path-crash-da39a3"));
        assert_eq!(reason(said), Some("thread '<unnamed>' (1) panicked at a.rs:1:1:\nwhy"));
        assert_eq!(tried(said), Some("65159"));
        assert_eq!((reproducer("INFO"), reason("INFO"), tried("INFO")), (None, None, None));
        assert_eq!(reason("==1== ERROR: libFuzzer: timeout"), Some("ERROR: libFuzzer: timeout"));
    }
}
