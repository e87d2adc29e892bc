//! A disk that fills up: the store stops and says why, and loses nothing.

use std::sync::{Arc, Mutex};

use store::{Store, StoreError};

use crate::Verdict;
use crate::mount::Mount;
use crate::workload::{self, Acknowledged, block_on, open, open_after_failure};

/// Room for the engine to go on with after the disk has been found full.
const ROOM_KILOBYTES: u64 = 512 << 10;

/// So little that the journal meets the end of the disk first.
pub(crate) fn in_the_journal() -> Verdict {
    fill(6 << 10)
}

/// So much that the engine begins to flush its tables, and meets the end of the disk there.
pub(crate) fn in_a_flush() -> Verdict {
    fill(26 << 10)
}

fn fill(kilobytes: u64) -> Verdict {
    /// Large, so that the disk is full soon.
    const CHUNK_BYTES: usize = 60_000;
    let mount = match Mount::memory(kilobytes) {
        Ok(mount) => mount,
        Err(reason) => return Verdict::Skipped(reason),
    };
    let acknowledged = Arc::new(Mutex::new(Acknowledged::new()));
    let failure = block_on(async {
        let store = Arc::new(open(&mount.folder()));
        let noted = Arc::clone(&acknowledged);
        let failure = workload::work(Arc::clone(&store), CHUNK_BYTES, move |execution, version| {
            noted.lock().unwrap().insert(execution, version);
        });
        let failure = failure.await;
        let later = store.due(store::Shards::ALL, 0, 1).await.unwrap_err();
        assert!(matches!(later, StoreError::Poisoned { .. }), "{later}");
        assert!(later.is_disk_full(), "{later}");
        failure
    });
    assert!(failure.is_disk_full(), "{failure}");
    let acknowledged = acknowledged.lock().unwrap();
    assert!(!acknowledged.is_empty(), "the disk was full before the first step");
    mount.resize(ROOM_KILOBYTES);
    let steps =
        block_on(async { workload::verify(&open_after_failure(&mount.folder()), &acknowledged).await });
    Verdict::Held(format!("{steps} steps, then: {failure}"))
}
