//! `loveless-runner`: runs a Lambda function's own command wherever its image is started.
//!
//! ```text
//!   AWS_LAMBDA_RUNTIME_API set ──► exec the command: Lambda itself is outside           (exec)
//!   ACTIVITY_ARN set           ──► poll the activity, run each task, send its result    (worker)
//!   neither                    ──► POST …/invocations on port 8080, as AWS's emulator   (emulator)
//! ```
//!
//! So one image is a Lambda function, an activity's worker, and a thing to try with curl, and only its environment
//! says which. It refuses to know who serves the activity: it speaks the public Step Functions API, to AWS or to any
//! endpoint of the same API. It keeps nothing on disk.
//!
//! SIGTERM or SIGINT: takes no new task and drains the running ones; a second signal ends at once.

mod credentials;
mod emulator;
mod exec;
mod options;
mod report;
mod runtime;
mod shutdown;
mod step_functions;
mod task;
mod worker;

use std::process::ExitCode;

use clap::Parser;
use options::{Mode, Options};

fn main() -> ExitCode {
    let options = Options::parse();
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("loveless-runner: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<(), String> {
    let mode = options.mode()?;
    if let Mode::Exec = mode {
        return Err(exec::exec(&options.command));
    }
    let filter = std::env::var("LOVELESS_LOG").unwrap_or_else(|_| "info".to_owned());
    // Standard error: the function's own output shares standard output with nobody.
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    let tokio = tokio::runtime::Builder::new_multi_thread()
        // Two threads carry hundreds of slots: the work is in the functions' processes.
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| format!("no threads: {error}"))?;
    tokio.block_on(async {
        let shutdown = shutdown::Shutdown::on_signals(options.drain())?;
        let stages = shutdown.stages();
        let work = async {
            match mode {
                Mode::Exec => Ok(()),
                Mode::Worker(activity) => worker::run(&options, activity, stages).await,
                Mode::Emulator => emulator::run(&options, stages).await,
            }
        };
        tokio::select! {
            done = work => done,
            () = shutdown.at_once() => Err("ended by a second signal".to_owned()),
        }
    })
}
