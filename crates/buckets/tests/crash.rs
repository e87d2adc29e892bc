//! `kill -9` in the middle of uploads: every object that was acknowledged is there with its bytes, and its event has been
//! told at least once.
//!
//! The test starts itself as a child process, which uploads from eight tasks and prints a line for every acknowledged
//! upload. After a number of lines the child is killed, the store is opened again, and the books are compared. Keys are
//! overwritten all the time, so that blobs, rows, events and the removal of old blobs are each cut somewhere.
//!
//! What a kill cannot show is a missing sync: the page cache outlives the process. That takes a power cut.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use buckets::{Buckets, Change, ObjectChange, ObjectEvents};
use futures::future::BoxFuture;
use support::Changes;

const CHILD: &str = "LOVELESS_CRASH_CHILD";
const WRITERS: usize = 8;
/// How many acknowledged uploads each life of the child is given.
const LIVES: [usize; 4] = [1, 40, 150, 260];

#[test]
fn nothing_acknowledged_is_lost() {
    if let Ok(dir) = std::env::var(CHILD) {
        return runtime().block_on(upload_for_ever(Path::new(&dir)));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut books = Books::default();
    for (life, uploads) in LIVES.into_iter().enumerate() {
        let acknowledged = run_and_kill(dir.path(), life, uploads);
        assert!(acknowledged.len() >= uploads);
        books.add(acknowledged, &told_file(dir.path()));
        runtime().block_on(books.check(dir.path()));
    }
}

/// The child: tells its parent of every upload that was acknowledged.
async fn upload_for_ever(dir: &Path) {
    let receiver = Arc::new(TellsFile { path: told_file(dir) });
    let buckets = Buckets::open(dir.join("store"), receiver).await.unwrap();
    if buckets.create_bucket("bkt").await.is_ok() {
        buckets.set_event_bridge("bkt", true).await.unwrap();
    }
    let life = std::env::var("LOVELESS_CRASH_LIFE").unwrap();
    let writers = (0..WRITERS).map(|writer| {
        let (buckets, life) = (buckets.clone(), life.clone());
        tokio::spawn(async move {
            for round in 0_usize.. {
                // Three keys of each writer's own, over and over.
                let key = format!("writer-{writer}/{}", round % 3);
                let body = body(&format!("{life}-{writer}-{round}"), round);
                let put = buckets.put("bkt", &key, body.into(), None, "test").await.unwrap();
                let mut out = std::io::stdout().lock();
                writeln!(out, "acknowledged {key} {} {life}-{writer}-{round} {round}", put.etag).unwrap();
                out.flush().unwrap();
            }
        })
    });
    futures::future::join_all(writers).await;
}

/// From 0 to some 600 KB, so that small and chunked writes are both cut.
fn body(name: &str, round: usize) -> Vec<u8> {
    let size = [10, 5_000, 600_000, 0][round % 4];
    name.bytes().cycle().take(size).collect()
}

struct Acknowledged {
    key: String,
    etag: String,
    name: String,
    round: usize,
}

fn run_and_kill(dir: &Path, life: usize, uploads: usize) -> Vec<Acknowledged> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "nothing_acknowledged_is_lost", "--nocapture"])
        .env(CHILD, dir)
        .env("LOVELESS_CRASH_LIFE", life.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    while acknowledged.len() < uploads {
        let line = lines.next().expect("the child writes until it is killed").unwrap();
        acknowledged.extend(parse(&line));
    }
    // SIGKILL; whatever it printed before that counts as well.
    child.kill().unwrap();
    acknowledged.extend(lines.map_while(Result::ok).filter_map(|line| parse(&line)));
    child.wait().unwrap();
    acknowledged
}

/// Only a whole line counts; the last one may be cut.
fn parse(line: &str) -> Option<Acknowledged> {
    let words: Vec<&str> = line.split(' ').collect();
    let ["acknowledged", key, etag, name, round] = words[..] else { return None };
    let (key, etag, name) = (key.to_owned(), etag.to_owned(), name.to_owned());
    Some(Acknowledged { key, etag, name, round: round.parse().ok()? })
}

/// What must hold, over all lives so far.
#[derive(Default)]
struct Books {
    acknowledged: Vec<Acknowledged>,
    /// (key, ETag) of every event that a receiver took.
    told: HashSet<(String, String)>,
}

impl Books {
    fn add(&mut self, acknowledged: Vec<Acknowledged>, told: &Path) {
        self.acknowledged.extend(acknowledged);
        let text = std::fs::read_to_string(told).unwrap_or_default();
        // A cut last line was not taken: its event comes again.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        self.told
            .extend(whole.lines().filter_map(|line| line.split_once(' ')).map(|(k, e)| (k.into(), e.into())));
    }

    async fn check(&mut self, dir: &Path) {
        let changes = Arc::new(Changes::default());
        let buckets = Buckets::open(dir.join("store"), changes.clone()).await.unwrap();
        let mut latest: HashMap<&str, &Acknowledged> = HashMap::new();
        for one in &self.acknowledged {
            latest.insert(&one.key, one);
        }
        for (key, last) in latest {
            let (found, bytes) = buckets.get("bkt", key).await.unwrap();
            if found.etag == last.etag {
                assert_eq!(bytes, body(&last.name, last.round), "{key}");
            } else {
                // A later upload was committed and its line lost with the child: then it is a whole one of the same
                // writer, made after the last that was acknowledged.
                let (life, writer) = last.name.rsplit_once('-').unwrap().0.split_once('-').unwrap();
                let later = (last.round + 1..last.round + 8)
                    .find(|round| bytes == body(&format!("{life}-{writer}-{round}"), *round));
                assert!(later.is_some(), "{key} is neither what was acknowledged nor a later upload");
            }
        }
        let owed: HashSet<(String, String)> =
            self.acknowledged.iter().map(|a| (a.key.clone(), a.etag.clone())).collect();
        let mut count = 0;
        while !owed.is_subset(&self.told) {
            // What is missing is in the outbox and comes now, or is lost.
            count += 1;
            let told = changes.wait_for(count).await;
            self.told.extend(told.into_iter().map(pair));
        }
        buckets.close().await;
    }
}

fn pair(change: ObjectChange) -> (String, String) {
    match change.what {
        Change::Created { etag, .. } => (change.key, etag),
        Change::Deleted => (change.key, String::new()),
    }
}

fn told_file(dir: &Path) -> std::path::PathBuf {
    dir.join("told")
}

/// Writes every change that it takes into a file.
struct TellsFile {
    path: std::path::PathBuf,
}

impl ObjectEvents for TellsFile {
    fn deliver(&self, change: ObjectChange) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let (key, etag) = pair(change);
            let file = std::fs::OpenOptions::new().create(true).append(true).open(&self.path);
            file.and_then(|mut file| file.write_all(format!("{key} {etag}\n").as_bytes()))
                .map_err(|e| e.to_string())
        })
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}
