//! Panics of the evaluator that are caught and told as failures, without a report on the console.
//!
//! The process has one panic hook. Ours is put around whatever is there, once, and is silent only on a thread that is
//! inside [`caught`]; every other panic reaches the hook that was there.

use std::cell::Cell;
use std::panic::{set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// Runs `work`, which catches its own panics, without their reports.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> T {
    HOOK.call_once(|| {
        let loud = take_hook();
        set_hook(Box::new(move |panic| {
            if !CAUGHT.try_with(Cell::get).unwrap_or(false) {
                loud(panic);
            }
        }));
    });
    let before = CAUGHT.replace(true);
    let result = work();
    CAUGHT.set(before);
    result
}
