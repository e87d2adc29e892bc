//! The compute pool: a few threads for computations that may take long, so that neither the owner of a shard nor a
//! thread of the runtime stands still for them.
//!
//! ```text
//!   submit(line A, …) ──► A: ▪▪▪▪▪▪ ┐
//!   submit(line B, …) ──► B: ▪      ├─ the lines in turn ──► thread │ thread │ …
//!   submit(line C, …) ──► C: ▪▪     ┘
//! ```
//!
//! Work waits in lines, one for each definition, and the lines take turns: a thousand long decisions of one machine are
//! one neighbour to every other machine, not a thousand. Within a line the order is that of arrival. A panic ends the
//! work that it came from and not its thread.
//!
//! Lines have a pace, which is what their last work took. Brisk lines always find a thread that no other line may hold, so
//! that expressions that run into their bounds are not felt by those that do not; the others always have one too. A line that nobody knows yet goes before those
//! that are known to be slow.
//!
//! It refuses to know what is computed. The threads are its own and not the runtime's blocking ones: those are joined
//! when a runtime ends, so that one endless computation would hang the exit of the process; and these have a stack of a
//! size that is known here, which is what bounds a recursion.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// Threads at least: with a single one, one long computation would be all that happens.
const THREADS_MIN: usize = 2;
/// What may wait in one line: as many as an owner's inbox holds. Whoever comes after is told to slow down.
const WAITING_PER_LINE_MAX: usize = 1024;
/// What may wait in all lines: each holds an execution in memory.
const WAITING_MAX: usize = 4 * WAITING_PER_LINE_MAX;
/// The stack of a thread: eight times what the runtime's threads have, for values and expressions that are nested as
/// deeply as the language allows. Only what is used of it is ever real memory.
const STACK_BYTES: usize = 16 << 20;

/// A line is brisk while its last work took no longer than this: many such fit between two answers that a person sees.
const BRISK: Duration = Duration::from_millis(20);
/// Lines whose pace is remembered. When there are more, all begin anew.
const PACES_MAX: usize = 4096;

/// Computations up to this are cheaper to do at once than to hand over, in bytes of JSON that are read or written once:
/// at 4 to 7 ns for each (measured) it is under a millisecond, the pause that the neighbours in a shard may feel.
pub(crate) const COST_INLINE_MAX: usize = 128 * 1024;

/// Threads that compute. Dropped or closed, it drops what waits; what runs, runs to its end.
pub(crate) struct Pool {
    lines: Arc<Lines>,
}

/// Why work was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// Too much waits already.
    Full,
    /// The pool is closed.
    Closed,
}

/// Why work that was taken has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Undone {
    /// It panicked, with this message.
    Broken(String),
    /// There was no room for it, or none any more.
    NoRoom(NoRoom),
}

/// Work that was handed over.
pub(crate) struct Handed<T>(oneshot::Receiver<Result<T, Undone>>);

impl<T> Handed<T> {
    /// Comes back with the result.
    pub(crate) async fn done(self) -> Result<T, Undone> {
        self.0.await.unwrap_or(Err(Undone::NoRoom(NoRoom::Closed)))
    }
}

impl Pool {
    /// As many threads as the machine computes at a time.
    ///
    /// # Errors
    /// The system gives no threads.
    pub(crate) fn start() -> io::Result<Pool> {
        Pool::of(thread::available_parallelism().map_or(THREADS_MIN, |there| there.get().max(THREADS_MIN)))
    }

    fn of(threads: usize) -> io::Result<Pool> {
        let waiting = Waiting { slow_max: threads.saturating_sub(1).max(1), ..Waiting::default() };
        let pool = Pool { lines: Arc::new(Lines { waiting: Mutex::new(waiting), arrived: Condvar::new() }) };
        for _ in 0..threads {
            let lines = pool.lines.clone();
            thread::Builder::new().name("compute".into()).stack_size(STACK_BYTES).spawn(move || {
                while let Some(turn) = lines.next() {
                    let begun = Instant::now();
                    (turn.work)();
                    lines.done(turn.line, turn.pace, begun.elapsed());
                }
            })?;
        }
        Ok(pool)
    }

    /// Hands work over; without room, gives back what it was to be done on.
    pub(crate) fn submit<I: Send + 'static, T: Send + 'static>(
        &self,
        line: &Arc<str>,
        input: I,
        work: impl FnOnce(I) -> T + Send + 'static,
    ) -> Result<Handed<T>, (I, NoRoom)> {
        let mut waiting = self.lines.lock();
        if let Some(reason) = waiting.no_room(line) {
            return Err((input, reason));
        }
        let (sender, receiver) = oneshot::channel();
        waiting.push(
            line.clone(),
            Box::new(move || {
                let done = caught(|| work(input)).map_err(Undone::Broken);
                // Whoever asked may have gone.
                let _gone = sender.send(done);
            }),
        );
        drop(waiting);
        self.lines.arrived.notify_one();
        Ok(Handed(receiver))
    }

    /// Computes at once what costs little, and on the pool what does not; `cost` is in the unit of [`COST_INLINE_MAX`].
    pub(crate) async fn compute<T: Send + 'static>(
        &self,
        line: &Arc<str>,
        cost: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Undone> {
        if cost <= COST_INLINE_MAX {
            return caught(work).map_err(Undone::Broken);
        }
        match self.submit(line, (), |()| work()) {
            Ok(handed) => handed.done().await,
            Err(((), reason)) => Err(Undone::NoRoom(reason)),
        }
    }

    /// Drops what waits and takes nothing more.
    pub(crate) fn close(&self) {
        let mut waiting = self.lines.lock();
        let slow = waiting.slow;
        let closed = Waiting { closed: true, slow, slow_max: waiting.slow_max, ..Waiting::default() };
        let dropped = std::mem::replace(&mut *waiting, closed);
        // Dropping work may end things that come back here.
        drop(waiting);
        drop(dropped);
        self.lines.arrived.notify_all();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close();
    }
}

/// Does work whose panic is its own trouble; the error is the panic's message.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| message(&*panic))
}

/// What a panic says.
pub(crate) fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a text".into())
}

type Work = Box<dyn FnOnce() + Send>;

/// How long the last work of a line took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// At most [`BRISK`].
    Brisk,
    /// Nothing of it is known.
    Unknown,
    /// Longer.
    Slow,
}

/// Work whose turn it is.
struct Turn {
    line: Arc<str>,
    pace: Pace,
    work: Work,
}

/// What waits, and how the threads hear of it.
struct Lines {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it is held.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of what work took.
    fn done(&self, line: Arc<str>, pace: Pace, took: Duration) {
        self.lock().done(line, pace, took);
        // A place for a line that is not brisk may have become free.
        self.arrived.notify_one();
    }

    /// Waits for work; `None` when the pool is closed.
    fn next(&self) -> Option<Turn> {
        let mut waiting = self.lock();
        loop {
            if let Some(turn) = waiting.pop() {
                return Some(turn);
            }
            if waiting.closed {
                return None;
            }
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The lines; each that is there has something in it and stands once among the turns.
#[derive(Default)]
struct Waiting {
    lines: HashMap<Arc<str>, VecDeque<Work>>,
    /// By pace: brisk, unknown, slow.
    turns: [VecDeque<Arc<str>>; 3],
    paces: HashMap<Arc<str>, Pace>,
    /// Threads that work for lines that are not brisk, and how many may.
    slow: usize,
    slow_max: usize,
    total: usize,
    closed: bool,
}

impl Waiting {
    fn no_room(&self, line: &Arc<str>) -> Option<NoRoom> {
        if self.closed {
            return Some(NoRoom::Closed);
        }
        let before = self.lines.get(line).map_or(0, VecDeque::len);
        (before >= WAITING_PER_LINE_MAX || self.total >= WAITING_MAX).then_some(NoRoom::Full)
    }

    fn pace(&self, line: &Arc<str>) -> Pace {
        self.paces.get(line).copied().unwrap_or(Pace::Unknown)
    }

    fn push(&mut self, line: Arc<str>, work: Work) {
        self.total += 1;
        let queue = self.lines.entry(line.clone()).or_default();
        queue.push_back(work);
        if queue.len() == 1 {
            let pace = self.pace(&line);
            self.turns[pace as usize].push_back(line);
        }
    }

    /// Whose turn it is: one thread is for the lines that are not brisk, one for those that are, the rest for whoever
    /// comes.
    fn pop(&mut self) -> Option<Turn> {
        let others = [Pace::Unknown, Pace::Slow];
        let paces = match self.slow {
            0 => vec![Pace::Unknown, Pace::Slow, Pace::Brisk],
            slow if slow < self.slow_max => [&[Pace::Brisk], &others[..]].concat(),
            _ => vec![Pace::Brisk],
        };
        let (pace, line) =
            paces.into_iter().find_map(|pace| Some((pace, self.turns[pace as usize].pop_front()?)))?;
        let queue = self.lines.get_mut(&line)?;
        let work = queue.pop_front()?;
        if queue.is_empty() {
            self.lines.remove(&line);
        } else {
            let pace = self.pace(&line);
            self.turns[pace as usize].push_back(line.clone());
        }
        self.total -= 1;
        self.slow += usize::from(pace != Pace::Brisk);
        Some(Turn { line, pace, work })
    }

    fn done(&mut self, line: Arc<str>, pace: Pace, took: Duration) {
        self.slow -= usize::from(pace != Pace::Brisk);
        if self.paces.len() >= PACES_MAX {
            self.paces.clear();
        }
        self.paces.insert(line, if took <= BRISK { Pace::Brisk } else { Pace::Slow });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Gate;

    impl Waiting {
        /// A line whose pace is known.
        fn done_before(&mut self, line: &str, pace: Pace) {
            self.paces.insert(line.into(), pace);
        }
    }

    /// A pool of one thread that is held at a gate, so that what is submitted waits.
    async fn held() -> (Pool, Arc<Gate>, Handed<()>) {
        let pool = Pool::of(1).unwrap();
        let gate = Arc::new(Gate::default());
        let Ok(holds) = pool.submit(&"held".into(), gate.clone(), |gate| gate.pass()) else {
            panic!("an empty pool has room")
        };
        gate.reached().await;
        (pool, gate, holds)
    }

    #[tokio::test]
    async fn lines_take_turns_and_keep_their_order() {
        let (pool, gate, _holds) = held().await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut handed = Vec::new();
        for name in ["a1", "a2", "a3", "b1", "b2", "c1"] {
            let order = order.clone();
            let Ok(work) = pool.submit(&name[..1].into(), name, move |name| order.lock().unwrap().push(name))
            else {
                panic!("there is room")
            };
            handed.push(work);
        }
        gate.open();
        for work in handed {
            work.done().await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), ["a1", "b1", "c1", "a2", "b2", "a3"]);
    }

    #[test]
    fn slow_lines_leave_a_thread_to_brisk_ones() {
        let mut waiting = Waiting { slow_max: 1, ..Waiting::default() };
        let push = |waiting: &mut Waiting, line: &str| waiting.push(line.into(), Box::new(|| ()));
        let next = |waiting: &mut Waiting| waiting.pop().map(|turn| (turn.line.to_string(), turn.pace));
        waiting.done_before("brisk", Pace::Brisk);
        waiting.done_before("slow", Pace::Slow);
        for line in ["slow", "slow", "brisk", "new", "brisk"] {
            push(&mut waiting, line);
        }
        assert_eq!(
            next(&mut waiting),
            Some(("new".into(), Pace::Unknown)),
            "who may be brisk goes before who is not"
        );
        assert_eq!(next(&mut waiting), Some(("brisk".into(), Pace::Brisk)));
        assert_eq!(next(&mut waiting), Some(("brisk".into(), Pace::Brisk)));
        assert_eq!(next(&mut waiting), None, "the thread that is left is not for slow lines");
        waiting.done("new".into(), Pace::Unknown, BRISK * 2);
        assert_eq!(next(&mut waiting), Some(("slow".into(), Pace::Slow)));
        push(&mut waiting, "brisk");
        push(&mut waiting, "new");
        waiting.done("slow".into(), Pace::Slow, BRISK);
        assert_eq!(next(&mut waiting), Some(("slow".into(), Pace::Slow)), "it stands where it stood");
        assert_eq!(next(&mut waiting), Some(("brisk".into(), Pace::Brisk)));
        waiting.done("slow".into(), Pace::Slow, BRISK);
        push(&mut waiting, "slow");
        assert_eq!(
            next(&mut waiting),
            Some(("new".into(), Pace::Slow)),
            "slow lines have a thread of theirs too"
        );
        assert_eq!(next(&mut waiting), Some(("slow".into(), Pace::Brisk)), "and can become brisk again");
    }

    #[tokio::test]
    async fn a_full_line_leaves_room_in_the_others() {
        let (pool, gate, _holds) = held().await;
        let (full, other) = (Arc::from("full"), Arc::from("other"));
        let mut last = None;
        for _ in 0..WAITING_PER_LINE_MAX {
            last = pool.submit(&full, (), |()| ()).ok();
        }
        let refused = pool.submit(&full, "input", |_| ()).err();
        assert_eq!(refused, Some(("input", NoRoom::Full)), "the input comes back");
        let other = pool.submit(&other, (), |()| ()).expect("another line has room");
        gate.open();
        other.done().await.unwrap();
        last.expect("the last one was taken").done().await.unwrap();
    }

    #[tokio::test]
    async fn a_panic_is_a_result_and_its_thread_goes_on() {
        let pool = Pool::of(1).unwrap();
        let line = Arc::from("line");
        for cost in [0, COST_INLINE_MAX + 1] {
            let broken = pool.compute(&line, cost, move || panic!("at {cost}")).await;
            assert_eq!(broken.map(|(): ()| ()), Err(Undone::Broken(format!("at {cost}"))));
            assert_eq!(pool.compute(&line, cost, || 1).await, Ok(1));
        }
    }

    #[tokio::test]
    async fn closing_drops_what_waits_and_not_what_runs() {
        let (pool, gate, holds) = held().await;
        let line = Arc::from("line");
        let waits = pool.submit(&line, (), |()| ()).expect("there is room");
        pool.close();
        assert_eq!(waits.done().await, Err(Undone::NoRoom(NoRoom::Closed)));
        assert_eq!(pool.submit(&line, 1, |_| ()).err(), Some((1, NoRoom::Closed)));
        gate.open();
        assert_eq!(holds.done().await, Ok(()));
    }
}
