//! A target without a fuzzer: runs it on the files that the command line names, for whoever mends what a fuzzer found.

use std::process::ExitCode;

/// Runs `target` on each file; a panic names the file before it ends the program.
pub fn main(target: fn(&[u8])) -> ExitCode {
    let files: Vec<_> = std::env::args_os().skip(1).collect();
    if files.is_empty() {
        eprintln!("usage: TARGET FILE…; to invent inputs: cargo xtask fuzz TARGET");
        return ExitCode::FAILURE;
    }
    for file in files {
        match std::fs::read(&file) {
            Ok(bytes) => {
                eprintln!("{}: {} bytes", file.display(), bytes.len());
                target(&bytes);
            }
            Err(error) => {
                eprintln!("{}: {error}", file.display());
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
