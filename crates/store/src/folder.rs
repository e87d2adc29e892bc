//! The data folder: whose it is, which format it has, and that only one process uses it.
//!
//! ```text
//! <folder>/LOCK     locked while a process has the folder open
//! <folder>/FORMAT   the number of the data format, written before anything else
//! <folder>/rows/    the engine's files; complete from the moment the name exists
//! ```
//!
//! Other parts of the program may keep folders of their own beside these, once the store has been opened. What
//! is in `rows` is the engine's business.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::StoreError;

/// The format that this program writes and reads.
pub const FORMAT_VERSION: u32 = 3;

const LOCK: &str = "LOCK";
const FORMAT: &str = "FORMAT";
const ROWS: &str = "rows";
/// What is under construction; a crash may leave it behind, and nothing in it counts.
const NEW: &str = ".new";
/// Created by `mkfs` in the root of a file system, which makes a fine data folder.
const LOST_AND_FOUND: &str = "lost+found";

/// A data folder that this process has to itself, until it is dropped.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Opens the folder, making it if there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        create_folder(path)?;
        let ours = path.join(FORMAT).exists();
        if !ours && let Some(found) = foreign_entry(path)? {
            return Err(StoreError::ForeignFolder { folder: path.to_owned(), found });
        }
        let folder = Self { path: path.to_owned(), _lock: lock(path)? };
        folder.check_format()?;
        Ok(folder)
    }

    /// Where the engine keeps its files. If there are none yet, `create` makes them in a folder that gets its
    /// name only when it is complete, so that a crash in between leaves no half-made database.
    pub(crate) fn rows(
        &self,
        create: impl FnOnce(&Path) -> Result<(), StoreError>,
    ) -> Result<PathBuf, StoreError> {
        let rows = self.path.join(ROWS);
        if rows.exists() {
            return Ok(rows);
        }
        let new = self.path.join(format!("{ROWS}{NEW}"));
        if new.exists() {
            fs::remove_dir_all(&new).map_err(|error| failed("removing", &new, &error))?;
        }
        create(&new)?;
        fs::rename(&new, &rows).map_err(|error| failed("renaming", &new, &error))?;
        sync_folder(&self.path)?;
        Ok(rows)
    }

    /// Whether the device of the folder takes no more data: how a failure that the engine met in the background
    /// is told from others.
    pub(crate) fn is_full(&self) -> bool {
        /// More than the slack that a full file system can still hold in its last blocks.
        const PROBE_BYTES: usize = 1 << 20;
        let probe = self.path.join(format!("PROBE{NEW}"));
        let written = File::create(&probe).and_then(|mut file| {
            file.write_all(&vec![0xAA; PROBE_BYTES])?;
            file.sync_all()
        });
        // If it cannot be removed it is overwritten next time.
        let _ = fs::remove_file(&probe);
        written.is_err_and(|error| StoreError::io("", &error).is_disk_full())
    }

    /// Reads the format file, or writes it if the folder is new.
    fn check_format(&self) -> Result<(), StoreError> {
        let path = self.path.join(FORMAT);
        match fs::read(&path) {
            Ok(text) => {
                let found = String::from_utf8_lossy(&text).trim().to_owned();
                if found == FORMAT_VERSION.to_string() {
                    return Ok(());
                }
                Err(StoreError::UnknownFormat { folder: self.path.clone(), found, known: FORMAT_VERSION })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let new = self.path.join(format!("{FORMAT}{NEW}"));
                let written = File::create(&new).and_then(|mut file| {
                    writeln!(file, "{FORMAT_VERSION}")?;
                    file.sync_all()?;
                    fs::rename(&new, &path)
                });
                written.map_err(|error| failed("writing", &path, &error))?;
                sync_folder(&self.path)
            }
            Err(error) => Err(failed("reading", &path, &error)),
        }
    }
}

fn create_folder(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path).map_err(|error| failed("creating the data folder", path, &error))?;
    // The folder's own name must survive a power cut as well.
    match path.canonicalize().ok().as_deref().and_then(Path::parent) {
        Some(parent) => sync_folder(parent),
        None => Ok(()),
    }
}

/// Something in the folder that cannot be left over from a first start of ours.
fn foreign_entry(path: &Path) -> Result<Option<String>, StoreError> {
    let entries = fs::read_dir(path).map_err(|error| failed("reading the data folder", path, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| failed("reading the data folder", path, &error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != LOCK && name != LOST_AND_FOUND && name != format!("{FORMAT}{NEW}") {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join(LOCK);
    let file = File::options().create(true).write(true).truncate(false).open(&path);
    let file = file.map_err(|error| failed("opening", &path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed("locking", &path, &error)),
    }
}

fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let synced = File::open(path).and_then(|folder| folder.sync_all());
    synced.map_err(|error| failed("syncing the folder", path, &error))
}

fn failed(doing: &str, path: &Path, error: &io::Error) -> StoreError {
    StoreError::io(&format!("{doing} {}", path.display()), error)
}
