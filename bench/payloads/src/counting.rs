//! The system's allocator, with a count for each thread of what was asked of it.
//!
//! Bytes are those asked for, and growing a buffer counts its whole new size, since it may move: so the count is an upper
//! bound of what was copied. Counts are per thread, for tests run side by side. A profiler such as DHAT was the road not
//! taken: it takes a backtrace for each allocation, which is what one needs to find a copy and too slow to time a run.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// What a thread allocated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How often memory was asked for.
    pub allocations: u64,
    /// How much of it.
    pub bytes: u64,
}

/// Runs something, and tells what it allocated on this thread.
pub fn count<T>(what: impl FnOnce() -> T) -> (T, Count) {
    let before = COUNT.get();
    let result = what();
    let after = COUNT.get();
    let count =
        Count { allocations: after.allocations - before.allocations, bytes: after.bytes - before.bytes };
    (result, count)
}

/// The allocator that counts.
pub struct Counting;

thread_local! {
    // Constant and without a destructor: reading it allocates nothing, at any time in a thread's life.
    static COUNT: Cell<Count> = const { Cell::new(Count { allocations: 0, bytes: 0 }) };
}

fn add(bytes: usize) {
    let Count { allocations, bytes: before } = COUNT.get();
    COUNT.set(Count { allocations: allocations + 1, bytes: before + bytes as u64 });
}

#[expect(
    unsafe_code,
    reason = "the trait of allocators is unsafe; each call goes on to the system's unchanged"
)]
// SAFETY: every method hands its arguments to `System` as they came and returns what it got.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        add(new_size);
        unsafe { System.realloc(pointer, layout, new_size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_counted() {
        let (kept, counted) = count(|| Vec::<u8>::with_capacity(1000));
        assert_eq!(counted, Count { allocations: 1, bytes: 1000 });
        let ((), counted) = count(|| drop(kept));
        assert_eq!(counted, Count::default());
        let (_, counted) = count(|| {
            let mut grown = Vec::<u8>::with_capacity(10);
            grown.reserve_exact(100);
            grown
        });
        assert_eq!(counted, Count { allocations: 2, bytes: 110 });
    }

    #[test]
    fn other_threads_are_not_counted() {
        let thread = std::thread::spawn(|| {
            let (_, counted) = count(|| vec![0_u8; 4096]);
            counted.bytes
        });
        assert_eq!(thread.join().expect("the thread does not panic"), 4096);
        let ((), counted) = count(|| ());
        assert_eq!(counted, Count::default());
    }
}
