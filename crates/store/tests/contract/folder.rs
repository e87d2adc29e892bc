//! The data folder: format, lock, and what is not ours.

use std::fs;
use std::path::{Path, PathBuf};

use store::{EmbeddedStore, FORMAT_VERSION, OpenOptions, Store, StoreError};

use crate::backend::{done, id, next, start};

fn open(folder: &Path) -> Result<EmbeddedStore, StoreError> {
    EmbeddedStore::open(folder, OpenOptions::default())
}

#[tokio::test]
async fn a_new_folder_is_made_with_its_format() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("a/b");
    drop(open(&folder).unwrap());
    assert_eq!(fs::read_to_string(folder.join("FORMAT")).unwrap(), format!("{FORMAT_VERSION}\n"));
    drop(open(&folder).unwrap());
}

#[tokio::test]
async fn a_second_opening_is_refused_while_the_first_lives() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let refused = open(folder.path()).unwrap_err();
    assert_eq!(refused, StoreError::Locked(folder.path().to_owned()));
    assert!(refused.to_string().contains(&folder.path().display().to_string()));
    drop(store);
    drop(open(folder.path()).unwrap());
}

#[tokio::test]
async fn other_formats_are_refused_and_left_alone() {
    let (older, newer) = ((FORMAT_VERSION - 1).to_string(), (FORMAT_VERSION + 1).to_string());
    for found in [&older, &newer, "99", "", "one"] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("FORMAT"), format!("{found}\n")).unwrap();
        let refused = open(folder.path()).unwrap_err();
        let expected = StoreError::UnknownFormat {
            folder: folder.path().to_owned(),
            found: found.into(),
            known: FORMAT_VERSION,
        };
        assert_eq!(refused, expected);
        assert!(!folder.path().join("rows").exists());
    }
}

#[tokio::test]
async fn a_foreign_folder_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.doc"), "mine").unwrap();
    let refused = open(folder.path()).unwrap_err();
    let expected = StoreError::ForeignFolder { folder: folder.path().to_owned(), found: "thesis.doc".into() };
    assert_eq!(refused, expected);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_path_that_is_a_file_is_refused_with_its_name() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let refused = open(file.path()).unwrap_err();
    assert!(refused.to_string().contains(&file.path().display().to_string()), "{refused}");
}

/// A crash during the very first start leaves parts; the next start begins anew, since nothing can have been
/// acknowledged.
#[tokio::test]
async fn a_half_made_folder_is_finished() {
    let format = &*format!("{FORMAT_VERSION}\n");
    let cases: [&[(&str, &str)]; 4] = [
        &[("LOCK", "")],
        &[("LOCK", ""), ("FORMAT.new", "")],
        &[("LOCK", ""), ("FORMAT", format)],
        &[("LOCK", ""), ("FORMAT", format), ("rows.new/0.jnl", ""), ("rows.new/keyspaces/0/half", "")],
    ];
    for files in cases {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let store = open(folder.path()).unwrap();
        done(&store, start(id("a"))).await;
        drop(store);
        assert!(open(folder.path()).unwrap().load(id("a")).await.unwrap().is_some());
    }
}

/// Power cuts can persist the end of the last batch without its middle. That batch was not acknowledged: the
/// store opens without it, keeps what was before it, and goes on.
#[tokio::test]
async fn a_torn_last_batch_is_cut_off() {
    let (folder, batches) = written_in_batches().await;
    blank(&journal(folder.path()), batches[3] - LARGE / 2);
    {
        let store = open(folder.path()).unwrap();
        assert_eq!(store.load(id("a")).await.unwrap().unwrap().version, 2);
        done(&store, next(id("a"), 2)).await;
    }
    assert_eq!(open(folder.path()).unwrap().load(id("a")).await.unwrap().unwrap().version, 3);
}

/// Damage before the last batch is damage to something acknowledged: the store must not open as if nothing had
/// happened, and must not touch the evidence.
#[tokio::test]
async fn damage_before_the_last_batch_is_refused_and_left_alone() {
    let (folder, batches) = written_in_batches().await;
    let journal = journal(folder.path());
    blank(&journal, batches[2] - LARGE / 2);
    let evidence = fs::read(&journal).unwrap();
    for _ in 0..2 {
        let refused = open(folder.path()).unwrap_err();
        assert!(matches!(refused, StoreError::Corrupt(_)), "{refused}");
        assert!(fs::read(&journal).unwrap() == evidence);
    }
}

const LARGE: usize = 20_000;

/// A folder with three steps in three batches, and where in the journal each ended (after the opening's own).
async fn written_in_batches() -> (tempfile::TempDir, Vec<usize>) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let journal_len =
        || fs::read(journal(folder.path())).unwrap().iter().rposition(|byte| *byte != 0).unwrap();
    let mut ends = vec![journal_len()];
    for version in 0..3 {
        let mut step = if version == 0 { start(id("a")) } else { next(id("a"), version) };
        step.chunk = vec![b'x'; LARGE].into();
        done(&store, step).await;
        ends.push(journal_len());
    }
    drop(store);
    (folder, ends)
}

fn journal(folder: &Path) -> PathBuf {
    let files = fs::read_dir(folder.join("rows")).unwrap().map(|entry| entry.unwrap().path());
    let journals: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "jnl")).collect();
    let [journal] = &journals[..] else { panic!("one journal was expected: {journals:?}") };
    journal.clone()
}

/// What a page that was never written reads as.
fn blank(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    let page = at / 4096 * 4096;
    bytes[page..page + 4096].fill(0);
    fs::write(file, bytes).unwrap();
}
