//! Power cuts: what was not written back is gone.

use std::path::Path;
use std::time::Duration;

use store::{Durability, EmbeddedStore, OpenOptions};

use crate::Verdict;
use crate::mount::{Mount, run};
use crate::workload::{self, Acknowledged, Moments, Victim, block_on, open};

const CUTS: usize = 5;
const MEGABYTES: u64 = 768;
const CHUNK_BYTES: usize = 8_000;

pub(crate) fn cut_loses_nothing() -> Verdict {
    let mut moments = Moments::new();
    let mut steps = 0;
    for cut in 0..CUTS {
        // The first moments hit the making of the folder.
        let work = if cut == 0 { moments.between(5, 60) } else { moments.between(100, 900) };
        let remains = match work_and_cut(Durability::Sync, |victim| victim.kill_after(work)) {
            Ok(remains) => remains,
            Err(reason) => return Verdict::Skipped(reason),
        };
        steps +=
            block_on(async { workload::verify(&open(&remains.after.folder()), &remains.acknowledged).await });
    }
    assert!(steps > 0, "no run was long enough for a single step");
    Verdict::Held(format!("{CUTS} cuts, {steps} steps, seed {}", moments.seed))
}

/// The negative control: without syncs the same cut must be seen to lose something.
pub(crate) fn cut_without_sync_loses() -> Verdict {
    let work = |victim: Victim| {
        victim.wait_for_work();
        victim.kill_after(Duration::from_millis(600))
    };
    let remains = match work_and_cut(Durability::None, work) {
        Ok(remains) => remains,
        Err(reason) => return Verdict::Skipped(reason),
    };
    let acknowledged: u64 = remains.acknowledged.values().sum();
    let found: u64 = match EmbeddedStore::open(&remains.after.folder(), OpenOptions::default()) {
        Ok(store) => block_on(async { workload::versions(&store).await }).values().sum(),
        Err(error) => return Verdict::Held(format!("{acknowledged} acknowledged, then: {error}")),
    };
    assert!(found < acknowledged, "nothing was lost without syncs: this test cannot see what it is for");
    Verdict::Held(format!("{acknowledged} acknowledged, {found} found"))
}

/// What a power cut leaves. Fields drop in order: mounts before the files below them.
struct Remains {
    after: Mount,
    _before: Mount,
    acknowledged: Acknowledged,
    _files: tempfile::TempDir,
}

fn work_and_cut(
    durability: Durability,
    work: impl FnOnce(Victim) -> Acknowledged,
) -> Result<Remains, String> {
    let files = tempfile::tempdir().map_err(|error| error.to_string())?;
    let (image, copy) = (files.path().join("image"), files.path().join("copy"));
    let before = Mount::new_ext4(&image, MEGABYTES)?;
    let acknowledged = work(Victim::start(&before.folder(), durability, CHUNK_BYTES));
    // The victim is gone, so the file stands still but for what the kernel writes back by itself, which takes
    // seconds to begin. The copy is what the disk holds at this moment.
    copy_sparse(&image, &copy)?;
    let after = Mount::image(&copy)?;
    Ok(Remains { after, _before: before, acknowledged, _files: files })
}

fn copy_sparse(from: &Path, to: &Path) -> Result<(), String> {
    run("cp", ["--sparse=always".as_ref(), from.as_os_str(), to.as_os_str()])
}
