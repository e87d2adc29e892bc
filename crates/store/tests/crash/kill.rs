//! SIGKILL at any moment.

use store::Durability;

use crate::Verdict;
use crate::workload::{self, Acknowledged, Moments, Victim, block_on, open};

const KILLS: usize = 12;

/// Enough that the engine flushes and compacts within the run, and is killed in the middle of that too.
const CHUNK_BYTES: usize = 60_000;

pub(crate) fn loses_nothing() -> Verdict {
    let folder = tempfile::tempdir().unwrap();
    let mut moments = Moments::new();
    let mut steps = 0;
    let mut acknowledged = Acknowledged::new();
    for kill in 0..KILLS {
        let victim = Victim::start(folder.path(), Durability::Sync, CHUNK_BYTES);
        // The first moments hit the opening itself.
        let work = if kill < 4 { moments.between(1, 60) } else { moments.between(60, 600) };
        acknowledged.extend(victim.kill_after(work));
        let found = block_on(async { workload::verify(&open(folder.path()), &acknowledged).await });
        assert!(found >= steps, "kill {kill}, seed {}", moments.seed);
        steps = found;
    }
    assert!(!acknowledged.is_empty(), "no run was long enough for a single step");
    Verdict::Held(format!("{KILLS} kills, {steps} steps, seed {}", moments.seed))
}
