//! The promises that the engine's own tests hold every run to, and their random machines: the same files, so that a
//! promise is written once.
#![expect(
    dead_code,
    reason = "traces and the like are for cases with an expectation, which inputs here have not"
)]

#[path = "../../crates/engine/tests/harness/dice.rs"]
pub(crate) mod dice;
#[path = "../../crates/engine/tests/harness/machines.rs"]
pub(crate) mod machines;
#[path = "../../crates/engine/tests/harness/mirror.rs"]
mod mirror;
#[path = "../../crates/engine/tests/harness/run.rs"]
pub(crate) mod run;
#[path = "../../crates/engine/tests/harness/show.rs"]
#[expect(
    dead_code,
    reason = "traces are for cases with an expectation; only the names of tasks are used here"
)]
mod show;

/// Chance that depends on bytes alone: the same input always does the same.
pub(crate) fn dice_of(bytes: &[u8]) -> dice::Dice {
    // FNV-1a: any hash would do, as long as it is the same on every machine and in every release.
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    dice::Dice::new(hash)
}
