//! The torn end of a journal: what a power cut can leave of the last batch.
//!
//! A disk may write the pages of a batch in any order, so a power cut during its sync can leave the end of the
//! batch without its middle. The engine then finds a whole batch with a wrong checksum and refuses to open,
//! as it should if that batch lay in the middle: there, something acknowledged is damaged. But when nothing
//! comes after it, the batch was never acknowledged, because its sync never returned; and the store must open.
//!
//! So, when the engine has refused for a checksum, the newest journal is walked here. Only if the damaged batch
//! is its last is it cut off, after a copy was put beside the journal; anything else is left alone and refused.
//! This reads the engine's journal format (fjall 3: start, items, end with a checksum), and believes nothing that
//! does not match it exactly.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use crate::StoreError;

/// Cuts a torn batch off the newest journal in the engine's folder. Says whether there was one.
pub(crate) fn repair(rows: &Path) -> Result<bool, StoreError> {
    let failed = |error: io::Error| StoreError::io("repairing the journal", &error);
    let Some(path) = newest_journal(rows).map_err(failed)? else { return Ok(false) };
    let journal = fs::read(&path).map_err(failed)?;
    let Some(torn) = torn_batch(&journal) else { return Ok(false) };
    tracing::warn!(journal = %path.display(), at = torn, "cutting off a batch that a power cut has torn");
    let cut = || -> io::Result<()> {
        let copy = path.with_extension(format!("torn-at-{torn}"));
        fs::write(&copy, &journal[torn..])?;
        File::open(&copy)?.sync_all()?;
        File::open(rows)?.sync_all()?;
        let file = File::options().write(true).open(&path)?;
        file.set_len(torn as u64)?;
        file.sync_all()
    };
    cut().map_err(failed)?;
    Ok(true)
}

fn newest_journal(rows: &Path) -> io::Result<Option<PathBuf>> {
    let mut newest = None;
    for entry in fs::read_dir(rows)? {
        let path = entry?.path();
        let number =
            path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<u64>().ok());
        if path.extension().is_some_and(|extension| extension == "jnl") {
            newest = newest.max(number.map(|number| (number, path)));
        }
    }
    Ok(newest.map(|(_, path)| path))
}

/// Where the last batch begins, if it and only it has a wrong checksum.
fn torn_batch(journal: &[u8]) -> Option<usize> {
    let mut start = 0;
    loop {
        let batch = Batch::read(&journal[start..])?;
        if batch.sound {
            start += batch.len;
            continue;
        }
        let is_last = Batch::read(&journal[start + batch.len..]).is_none();
        return is_last.then_some(start);
    }
}

/// A batch with its start, all its items and its end.
struct Batch {
    len: usize,
    sound: bool,
}

impl Batch {
    const START: u8 = 1;
    const ITEM: u8 = 2;
    const END: u8 = 3;
    const TRAILER: [u8; 4] = *b"FJL\x03";

    /// Reads the batch that begins here, if there is one as far as its form goes.
    fn read(journal: &[u8]) -> Option<Self> {
        let mut cursor = Cursor { journal, at: 0 };
        cursor.tag(Self::START)?;
        let count = cursor.u32()?;
        cursor.skip(8)?; // Its sequence number.
        let items_start = cursor.at;
        for _ in 0..count {
            cursor.tag(Self::ITEM)?;
            cursor.skip(1 + 1 + 8)?; // Kind of value, compression, table.
            let key_len = cursor.u16()?;
            cursor.skip(4)?; // The value's length when decompressed.
            let value_len = cursor.u32()?;
            cursor.skip(usize::from(key_len))?;
            cursor.skip(value_len as usize)?;
        }
        let items = &journal[items_start..cursor.at];
        cursor.tag(Self::END)?;
        let checksum = u64::from_le_bytes(cursor.array()?);
        let trailer: [u8; 4] = cursor.array()?;
        (trailer == Self::TRAILER).then(|| Self { len: cursor.at, sound: xxh3_64(items) == checksum })
    }
}

struct Cursor<'j> {
    journal: &'j [u8],
    at: usize,
}

impl Cursor<'_> {
    fn skip(&mut self, len: usize) -> Option<()> {
        self.at = self.at.checked_add(len).filter(|at| *at <= self.journal.len())?;
        Some(())
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let array = self.journal.get(self.at..)?.first_chunk()?;
        self.at += N;
        Some(*array)
    }

    fn tag(&mut self, tag: u8) -> Option<()> {
        (self.array()? == [tag]).then_some(())
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }
}
