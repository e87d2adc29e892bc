//! The way into the logs: a bounded queue and the one thread that empties it.
//!
//! Whoever offers something never waits. What finds no room is dropped and counted, and the thread says so in the server's
//! own log. Rendering is the thread's work too.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::logs::Logs;

/// What may wait for the thread. A disk takes some ten thousand small writes in a second.
const QUEUE_MAX: usize = 16_384;
/// Bytes that may wait: what keeps a burst of large payloads from filling memory.
const QUEUE_BYTES_MAX: usize = 64 << 20;
/// How often the groups are looked through for what is too old.
const ROOM_EVERY: Duration = Duration::from_secs(60 * 60);

/// Events for one stream of a group.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The group's ARN.
    pub group_arn: String,
    /// What the stream's name begins with.
    pub prefix: String,
    /// Moments in milliseconds since the epoch, and messages.
    pub events: Vec<(i64, String)>,
}

/// Takes things and writes them to logs, in the order in which they came.
pub struct Recorder<T> {
    queue: SyncSender<Order<T>>,
    waiting: Arc<Waiting>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Order<T> {
    Write(T, usize),
    End,
}

#[derive(Default)]
struct Waiting {
    bytes: AtomicUsize,
    dropped: AtomicU64,
}

impl<T> fmt::Debug for Recorder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("dropped", &self.dropped()).finish_non_exhaustive()
    }
}

impl<T: Send + 'static> Recorder<T> {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives none.
    pub fn start(logs: Logs, render: impl Fn(T) -> Batch + Send + 'static) -> std::io::Result<Recorder<T>> {
        let (queue, orders) = sync_channel(QUEUE_MAX);
        let waiting = Arc::new(Waiting::default());
        let seen = waiting.clone();
        let work = move || write_all(&orders, &seen, &logs, render);
        let thread = thread::Builder::new().name("logs".into()).spawn(work)?;
        Ok(Recorder { queue, waiting, thread: Mutex::new(Some(thread)) })
    }

    /// Takes something of about so many bytes, or drops it.
    pub fn offer(&self, thing: T, bytes: usize) {
        let before = self.waiting.bytes.fetch_add(bytes, Ordering::Relaxed);
        let fits = before == 0 || before.saturating_add(bytes) <= QUEUE_BYTES_MAX;
        if !fits || self.queue.try_send(Order::Write(thing, bytes)).is_err_and(is_full) {
            self.waiting.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.waiting.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes what waits, and ends the thread. What is offered later is dropped.
    pub fn close(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        // An error says that it has ended already.
        let _ended = self.queue.send(Order::End);
        let _panicked = thread.join();
    }
}

impl<T> Recorder<T> {
    /// How many things found no room so far.
    pub fn dropped(&self) -> u64 {
        self.waiting.dropped.load(Ordering::Relaxed)
    }
}

/// Both a full queue and a thread that has ended mean that the thing is dropped.
fn is_full<T>(error: TrySendError<T>) -> bool {
    matches!(error, TrySendError::Full(_) | TrySendError::Disconnected(_))
}

fn write_all<T>(orders: &Receiver<Order<T>>, waiting: &Waiting, logs: &Logs, render: impl Fn(T) -> Batch) {
    let mut told = 0;
    let mut looked = Instant::now();
    loop {
        match orders.recv_timeout(ROOM_EVERY) {
            Ok(Order::Write(thing, bytes)) => {
                if let Err(error) = logs.append(render(thing)) {
                    waiting.dropped.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(%error, "a log cannot be written");
                }
                waiting.bytes.fetch_sub(bytes, Ordering::Relaxed);
            }
            Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let dropped = waiting.dropped.load(Ordering::Relaxed);
        if dropped > told {
            tracing::warn!(dropped = dropped - told, "logs came faster than they could be written");
            told = dropped;
        }
        if looked.elapsed() >= ROOM_EVERY {
            logs.make_room();
            looked = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::mpsc;

    use super::*;
    use crate::logs::Place;

    fn logs(root: &std::path::Path) -> Logs {
        let logs = Logs::open(root.into(), Place { region: "r".into(), account: "1".into() }).unwrap();
        logs.create("g".into(), BTreeMap::new()).unwrap();
        logs
    }

    #[test]
    fn what_was_taken_is_written_in_order_and_what_finds_no_room_is_counted() {
        let root = tempfile::tempdir().unwrap();
        let logs = logs(root.path());
        let (open, gate) = mpsc::channel::<()>();
        let arn = logs.arn("g");
        let recorder = Recorder::start(logs.clone(), move |number: i64| {
            let _closed = gate.recv();
            Batch { group_arn: arn.clone(), prefix: "p".into(), events: vec![(number, number.to_string())] }
        })
        .unwrap();
        // One is with the thread at most: the others wait, until there is no room.
        for number in 0..(QUEUE_MAX + 10) as i64 {
            recorder.offer(number, 1);
        }
        assert!((9..=10).contains(&recorder.dropped()), "{}", recorder.dropped());
        drop(open);
        recorder.close();
        let lines = logs.with("g", |group| group.streams[0].lines().unwrap()).unwrap();
        assert!(lines.len() >= QUEUE_MAX);
        assert!(lines.iter().enumerate().all(|(at, line)| line.at_ms == at as i64));
        let dropped = recorder.dropped();
        recorder.offer(0, 1);
        assert_eq!(recorder.dropped(), dropped + 1);
    }

    #[test]
    fn bytes_are_bounded_too() {
        let root = tempfile::tempdir().unwrap();
        let (open, gate) = mpsc::channel::<()>();
        let recorder = Recorder::start(logs(root.path()), move |()| {
            let _closed = gate.recv();
            Batch { group_arn: String::new(), prefix: String::new(), events: Vec::new() }
        })
        .unwrap();
        recorder.offer((), QUEUE_BYTES_MAX);
        assert_eq!(recorder.dropped(), 0, "one always fits");
        recorder.offer((), QUEUE_BYTES_MAX);
        assert_eq!(recorder.dropped(), 1);
        drop(open);
        recorder.close();
    }
}
