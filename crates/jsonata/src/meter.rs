//! An allocator that counts what one evaluation holds, and raises a flag when that is too much.
//!
//! The evaluator bounds time and depth but not memory: doubling a string fills a gigabyte within its second. An
//! allocator sees every byte; what it may not do is fail (the process would abort) or panic. So it raises the flag that
//! the evaluator looks at between its steps, and the evaluation ends there. What a single step may allocate before the
//! next look is bounded elsewhere, before it happens.
//!
//! It refuses to know what is evaluated. Counting is per thread, because an evaluation stays on its thread; a value
//! freed on another thread is never taken off, which only values that outlive their evaluation are. A child process
//! with `setrlimit` for each evaluation was the road not taken: starting one costs more than most evaluations take.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use jsonata_core::evaluator::CancelToken;

/// The program's allocator, counting: `#[global_allocator] static ALLOCATOR: Metered = Metered::SYSTEM;`.
///
/// Where it is not installed, evaluations have no bound of memory but all the others.
#[derive(Debug)]
pub struct Metered<A = System>(A);

impl Metered<System> {
    /// Around the system's allocator.
    pub const SYSTEM: Metered<System> = Metered(System);
}

impl<A> Metered<A> {
    /// Around another allocator.
    pub const fn new(inner: A) -> Metered<A> {
        Metered(inner)
    }
}

thread_local! {
    /// Bytes held since the metering began; `None` while nothing is metered, which is all that other code pays.
    static HELD: Cell<Option<Held>> = const { Cell::new(None) };
    /// Raised once, when the bound is passed. Taking it out needs no borrow that a nested allocation could meet.
    static FLAG: Cell<Option<CancelToken>> = const { Cell::new(None) };
    /// What the metering before held at its height.
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

/// The most bytes that the last evaluation on this thread held at once; 0 where [`Metered`] is not installed.
pub fn peak_bytes() -> usize {
    PEAK.get()
}

#[derive(Clone, Copy, Debug, Default)]
struct Held {
    bytes: isize,
    peak: isize,
    bound: isize,
}

/// Metering on this thread, until it is dropped.
#[derive(Debug)]
pub(crate) struct Metering {
    /// Not to be sent to another thread, where dropping it would end another metering.
    _here: std::marker::PhantomData<*const ()>,
}

impl Metering {
    /// Counts from zero and raises `flag` when more than `bytes_max` are held.
    pub(crate) fn begin(bytes_max: usize, flag: CancelToken) -> Metering {
        FLAG.set(Some(flag));
        let bound = isize::try_from(bytes_max).unwrap_or(isize::MAX);
        HELD.set(Some(Held { bytes: 0, peak: 0, bound }));
        Metering { _here: std::marker::PhantomData }
    }
}

impl Drop for Metering {
    fn drop(&mut self) {
        let peak = HELD.take().map_or(0, |held| held.peak);
        PEAK.set(usize::try_from(peak).unwrap_or(0));
        FLAG.set(None);
    }
}

/// Counts a change of `bytes`. Neither allocates nor panics: past the life of its thread-locals it does nothing.
#[inline]
fn count(bytes: isize) {
    let passed = HELD.try_with(|cell| {
        let Some(mut held) = cell.get() else { return false };
        held.bytes = held.bytes.saturating_add(bytes);
        held.peak = held.peak.max(held.bytes);
        cell.set(Some(held));
        held.bytes > held.bound
    });
    if passed.unwrap_or(false) {
        raise();
    }
}

#[cold]
fn raise() {
    let flag = FLAG.try_with(Cell::take);
    if let Ok(Some(flag)) = flag {
        flag.cancel();
    }
}

/// Never negative in `isize`: a layout's size is at most `isize::MAX`.
fn size(layout: Layout) -> isize {
    layout.size() as isize
}

#[expect(unsafe_code, reason = "an allocator is an unsafe trait; every call is handed on unchanged")]
// SAFETY: the inner allocator keeps the contract, and gets every pointer and layout as they came. Counting touches no
// memory but this thread's cells, and neither allocates nor unwinds.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Metered<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(size(layout));
        // SAFETY: the caller's promise about `layout` is handed on.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(size(layout));
        // SAFETY: as above.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-size(layout));
        // SAFETY: the caller's promise that `pointer` came from here with `layout` holds for the inner allocator.
        unsafe { self.0.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count((new_size as isize).saturating_sub(size(layout)));
        // SAFETY: as above, and the promise about `new_size` is handed on.
        unsafe { self.0.realloc(pointer, layout, new_size) }
    }
}
