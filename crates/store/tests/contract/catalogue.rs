//! The catalogue: conditional writes of named rows.

use store::{Catalogue, DeleteOutcome, Expect, PutOutcome, Row, StoreError};

use crate::backend::{Backend, bytes};

fn row(version: u64, body: &str) -> Row {
    Row { version, body: bytes(body) }
}

pub(crate) async fn writes_are_conditional(backend: &Backend) {
    let store = backend.open();
    assert_eq!(Catalogue::get(&store, "machine", "m").await.unwrap(), None);
    let put = async |expect, body: &str| store.put("machine", "m", expect, bytes(body)).await.unwrap();
    assert_eq!(put(Expect::Version(1), "x").await, PutOutcome::Conflict { actual: None });
    assert_eq!(put(Expect::Absent, "one").await, PutOutcome::Stored { version: 1 });
    assert_eq!(put(Expect::Absent, "x").await, PutOutcome::Conflict { actual: Some(1) });
    assert_eq!(put(Expect::Version(1), "two").await, PutOutcome::Stored { version: 2 });
    assert_eq!(put(Expect::Version(1), "x").await, PutOutcome::Conflict { actual: Some(2) });
    assert_eq!(store.get("machine", "m").await.unwrap(), Some(row(2, "two")));
}

pub(crate) async fn deletes_may_be_conditional(backend: &Backend) {
    let store = backend.open();
    let delete = async |version| store.delete("rule", "r", version).await.unwrap();
    assert_eq!(delete(None).await, DeleteOutcome::Absent);
    store.put("rule", "r", Expect::Absent, bytes("1")).await.unwrap();
    assert_eq!(delete(Some(2)).await, DeleteOutcome::Conflict { actual: 1 });
    assert_eq!(delete(Some(1)).await, DeleteOutcome::Deleted);
    assert_eq!(delete(Some(1)).await, DeleteOutcome::Absent);
    assert_eq!(
        store.put("rule", "r", Expect::Absent, bytes("2")).await.unwrap(),
        PutOutcome::Stored { version: 1 }
    );
    assert_eq!(delete(None).await, DeleteOutcome::Deleted);
    assert_eq!(store.get("rule", "r").await.unwrap(), None);
}

pub(crate) async fn kinds_and_keys_do_not_mix(backend: &Backend) {
    let store = backend.open();
    let rows = [("a", "z"), ("a", ""), ("a", "é"), ("a", "b"), ("ab", "b"), ("", "a"), ("b", "a\0b")];
    for (kind, key) in rows {
        store.put(kind, key, Expect::Absent, bytes(format!("{kind}/{key}"))).await.unwrap();
    }
    let list = async |kind, after, limit| {
        let rows = Catalogue::list(&store, kind, after, limit).await.unwrap();
        for (key, found) in &rows {
            assert_eq!(*found, row(1, &format!("{kind}/{key}")));
        }
        rows.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(list("a", None, 100).await, ["", "b", "z", "é"]);
    assert_eq!(list("a", None, 2).await, ["", "b"]);
    assert_eq!(list("a", Some("b"), 100).await, ["z", "é"]);
    assert_eq!(list("a", Some("c"), 1).await, ["z"]);
    assert_eq!(list("a", Some("é"), 100).await, [""; 0]);
    assert_eq!(list("ab", None, 100).await, ["b"]);
    assert_eq!(list("", None, 100).await, ["a"]);
    assert_eq!(list("b", None, 100).await, ["a\0b"]);
    assert_eq!(list("c", None, 100).await, [""; 0]);
}

pub(crate) async fn keys_that_cannot_be_written_are_refused(backend: &Backend) {
    let store = backend.open();
    let long = "k".repeat(40_000);
    for (kind, key) in [("a\0b", "key"), ("kind", long.as_str())] {
        let refused = store.put(kind, key, Expect::Absent, bytes("x")).await;
        assert!(matches!(refused, Err(StoreError::BadRow(_))), "{refused:?}");
        assert!(matches!(store.delete(kind, key, None).await, Err(StoreError::BadRow(_))));
    }
    store.put("kind", "key", Expect::Absent, bytes("x")).await.unwrap();
}

pub(crate) async fn rows_survive_reopening(backend: &Backend) {
    backend.open().put("machine", "m", Expect::Absent, bytes("one")).await.unwrap();
    let store = backend.open();
    assert_eq!(store.get("machine", "m").await.unwrap(), Some(row(1, "one")));
    let put = store.put("machine", "m", Expect::Version(1), bytes("two")).await.unwrap();
    assert_eq!(put, PutOutcome::Stored { version: 2 });
}
