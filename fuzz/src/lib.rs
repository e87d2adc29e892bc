//! What must hold for every input whatever, as functions of bytes: a target panics when it does not.
//!
//! ```text
//!   fuzz_targets/NAME.rs ── with `--cfg fuzzing`: libFuzzer invents inputs, led by coverage
//!                       └── without:             replays the files that it is given
//!   tests/inputs.rs ────── plain tests: every seed, and every input that once broke something
//! ```
//!
//! The targets are plain functions, so that what a fuzzer once found is a test on every machine, without a fuzzer. They
//! use what the server uses, and the promises of the engine's own tests; they refuse to know what an input should mean:
//! that is the business of cases with an expectation.

mod harness;
pub mod mutate;
pub mod replay;
pub mod seeds;
#[cfg(fuzzing)]
pub mod stack;
pub mod targets;
mod words;

/// The server's own allocator: without it, expressions have no bound of memory.
#[global_allocator]
static ALLOCATOR: jsonata::Metered = jsonata::Metered::SYSTEM;

#[cfg(fuzzing)]
#[doc(hidden)]
pub use libfuzzer_sys;

/// The body of a file in `fuzz_targets/`: a fuzzer, or a program that replays files.
#[macro_export]
macro_rules! target {
    ($name:ident) => {
        #[cfg(fuzzing)]
        ::libfuzzer_sys::fuzz_target!(init: $crate::stack::watch(), |data: &[u8]| {
            $crate::targets::$name::run(data);
        });

        #[cfg(fuzzing)]
        ::libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            match $crate::mutate::mutated(&data[..size], max_size, seed, $crate::targets::$name::IS_JSON) {
                Some(made) => {
                    data[..made.len()].copy_from_slice(&made);
                    made.len()
                }
                None => ::libfuzzer_sys::fuzzer_mutate(data, size, max_size),
            }
        });

        #[cfg(not(fuzzing))]
        fn main() -> ::std::process::ExitCode {
            $crate::replay::main($crate::targets::$name::run)
        }
    };
}
