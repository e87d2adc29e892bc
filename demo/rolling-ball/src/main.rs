//! The program: a Lambda function where a runtime API is at hand, a command on files otherwise.
//!
//! ```text
//!   AWS_LAMBDA_RUNTIME_API set ──► function ──► request   what to do, from the event and the environment
//!                                     │  └────► bucket    bytes from S3 and back
//!                                     ▼
//!   otherwise ───────► command ───► rolling_ball          the library
//! ```

mod bucket;
mod command;
mod failure;
mod function;
mod request;

use std::process::ExitCode;

fn main() -> ExitCode {
    let ended = if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() {
        function::serve()
    } else {
        command::run(std::env::args_os())
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("rolling-ball: {message}");
            ExitCode::FAILURE
        }
    }
}
