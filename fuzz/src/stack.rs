//! Makes an overflow of the stack a crash like any other: without a second stack for its handler, libFuzzer dies with
//! the process and the input that did it is lost. Rust's own main would set one up; under libFuzzer there is none.

use std::mem::MaybeUninit;
use std::ptr;

/// Room for libFuzzer to write the input to a file.
const SIGNAL_STACK_BYTES: usize = 1024 * 1024;

/// Called once, on the thread that runs the target, before libFuzzer installs its handlers: it keeps the flag that says
/// where they run.
#[expect(
    unsafe_code,
    reason = "signals have no safe interface, and a crate for two calls would be more to trust"
)]
pub fn watch() {
    let stack = Box::leak(vec![0_u8; SIGNAL_STACK_BYTES].into_boxed_slice());
    let stack = libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: stack.len() };
    // SAFETY: the stack lives as long as the process; the action is zeroed, which is a valid one, and asks for what the
    // system does anyway. Both calls only read what they are given.
    unsafe {
        assert_eq!(libc::sigaltstack(&raw const stack, ptr::null_mut()), 0, "a stack for signals");
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        action.sa_sigaction = libc::SIG_DFL;
        action.sa_flags = libc::SA_ONSTACK;
        assert_eq!(libc::sigaction(libc::SIGSEGV, &raw const action, ptr::null_mut()), 0, "a handler");
    }
}
