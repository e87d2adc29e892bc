//! `loveless`: the one binary. It plugs the parts together and knows none of their rules.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod commands;
mod demo;
mod document;
mod logging;
mod rows;
mod server;
mod wiring;

/// Executions copy little, but allocate much: a thread-local allocator halves the server's time in malloc. Around it,
/// what bounds the memory of an expression.
#[global_allocator]
static ALLOCATOR: jsonata::Metered<mimalloc::MiMalloc> = jsonata::Metered::new(mimalloc::MiMalloc);

/// The vendor-neutral Step Functions.
#[derive(Parser)]
#[command(name = "loveless", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve Step Functions, Lambda, S3 and EventBridge on one port, over one data folder.
    Serve(Box<commands::serve::Serve>),
    /// Print the exports that point AWS clients at a server.
    Env(commands::env::Env),
    /// Check definitions without a server: what AWS would refuse, each problem under its source line.
    Validate(commands::validate::Validate),
    /// Run a machine against mocked responses, with time skipped; no server needed.
    Test(commands::test::Test),
    /// Tell the whole story on this machine: upload, Lambda, timeout, migration, runner, crashes.
    Demo(commands::demo::Demo),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // HTTP clients take the process's TLS provider; a second installation would be a mistake of ours and harmless.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let done = match arguments.command {
        Command::Serve(command) => command.run(),
        Command::Env(command) => command.run(),
        Command::Validate(command) => return command.run(),
        Command::Test(command) => return command.run(),
        Command::Demo(command) => command.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
