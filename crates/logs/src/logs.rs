//! The groups of a server: who reads and who writes meet here.
//!
//! Under the lock is what is known of groups and streams, and appending; files are read outside of it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::LogsError;
use crate::folder::{Group, Record};
use crate::now_ms;
use crate::recorder::Batch;
use crate::stream::Line;

/// Groups of a server; AWS allows a million, and each of these is a folder.
const GROUPS_MAX: usize = 10_000;

/// Where the groups are, as their ARNs say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The region.
    pub region: String,
    /// The account.
    pub account: String,
}

/// All groups. Clones are the same.
#[derive(Clone, Debug)]
pub struct Logs {
    pub(crate) place: Place,
    root: PathBuf,
    groups: Arc<Mutex<BTreeMap<String, Group>>>,
}

impl Logs {
    /// Opens the groups below a folder, which is made if it is absent.
    ///
    /// # Errors
    /// The folder cannot be read or made.
    pub fn open(root: PathBuf, place: Place) -> io::Result<Logs> {
        fs::create_dir_all(&root)?;
        let mut groups = BTreeMap::new();
        for entry in fs::read_dir(&root)? {
            let folder = entry?.path();
            if !folder.is_dir() {
                continue;
            }
            match Group::open(folder.clone()) {
                Ok(Some(group)) => {
                    groups.insert(group.record.name.clone(), group);
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(folder = %folder.display(), %error, "a log group cannot be read")
                }
            }
        }
        Ok(Logs { place, root, groups: Arc::new(Mutex::new(groups)) })
    }

    /// Whether there is a group with this ARN, which may end in `:*`.
    pub fn has(&self, arn: &str) -> bool {
        self.named(arn).is_some_and(|name| self.groups().contains_key(name))
    }

    /// Appends events to a stream of their group; `false` when there is no such group any more.
    ///
    /// # Errors
    /// The disk.
    pub fn append(&self, batch: Batch) -> io::Result<bool> {
        let Some(name) = self.named(&batch.group_arn) else { return Ok(false) };
        let mut groups = self.groups();
        let Some(group) = groups.get_mut(name) else { return Ok(false) };
        let ingested_ms = now_ms();
        let line = |(at_ms, message)| Line { at_ms, ingested_ms, message };
        let lines: Vec<Line> = batch.events.into_iter().map(line).collect();
        group.append(&batch.prefix, &lines, ingested_ms, || fresh_stream(&batch.prefix, ingested_ms))?;
        Ok(true)
    }

    /// Lets go of what is too old.
    pub(crate) fn make_room(&self) {
        for group in self.groups().values_mut() {
            group.make_room(now_ms());
        }
    }

    pub(crate) fn create(&self, name: String, tags: BTreeMap<String, String>) -> Result<(), LogsError> {
        let mut groups = self.groups();
        if groups.contains_key(&name) {
            return Err(LogsError::group_exists());
        }
        if groups.len() >= GROUPS_MAX {
            return Err(LogsError::limit(format!("A server has at most {GROUPS_MAX} log groups.")));
        }
        let record = Record { name: name.clone(), created_ms: now_ms(), retention_days: None, tags };
        let group = Group::create(&self.root, record).map_err(unwritable)?;
        groups.insert(name, group);
        Ok(())
    }

    pub(crate) fn delete(&self, name: &str) -> Result<(), LogsError> {
        let group = self.groups().remove(name).ok_or_else(LogsError::no_group)?;
        group.remove().map_err(unwritable)
    }

    /// Changes a group's record.
    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut Record)) -> Result<(), LogsError> {
        self.with_mut(name, |group| {
            let before = group.record.clone();
            change(&mut group.record);
            group.save().map_err(|error| {
                group.record = before;
                unwritable(error)
            })
        })?
    }

    /// Looks at a group.
    pub(crate) fn with<T>(&self, name: &str, look: impl FnOnce(&Group) -> T) -> Result<T, LogsError> {
        self.with_mut(name, |group| look(group))
    }

    fn with_mut<T>(&self, name: &str, change: impl FnOnce(&mut Group) -> T) -> Result<T, LogsError> {
        self.groups().get_mut(name).map(change).ok_or_else(LogsError::no_group)
    }

    /// The groups behind a name, in the order of their names.
    pub(crate) fn page<T>(
        &self,
        after: Option<&str>,
        limit: usize,
        wanted: impl Fn(&str) -> bool,
        look: impl Fn(&Group) -> T,
    ) -> (Vec<T>, Option<String>) {
        let groups = self.groups();
        let mut found =
            groups.iter().filter(|(name, _)| after.is_none_or(|after| name.as_str() > after) && wanted(name));
        let page: Vec<(&String, &Group)> = found.by_ref().take(limit).collect();
        let next = found.next().and(page.last()).map(|(name, _)| (*name).clone());
        (page.into_iter().map(|(_, group)| look(group)).collect(), next)
    }

    /// The ARN of a group, without the `:*` that stands for its streams.
    pub(crate) fn arn(&self, name: &str) -> String {
        format!("arn:aws:logs:{}:{}:log-group:{name}", self.place.region, self.place.account)
    }

    /// The name of the group that an ARN of this place means.
    pub(crate) fn named<'a>(&self, arn: &'a str) -> Option<&'a str> {
        let name = arn.strip_prefix(&self.arn(""))?;
        Some(name.strip_suffix(":*").unwrap_or(name)).filter(|name| !name.is_empty())
    }

    fn groups(&self) -> MutexGuard<'_, BTreeMap<String, Group>> {
        // Whatever panicked in there left files and what is known of them at most one append apart.
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unwritable(error: io::Error) -> LogsError {
    LogsError::io("the log group cannot be written", &error)
}

/// A stream's name as Step Functions makes them: what it is of, when it was begun, and something unique.
fn fresh_stream(prefix: &str, now_ms: i64) -> String {
    let unique = uuid::Uuid::new_v4().simple().to_string();
    format!("{prefix}/{}/{}", minute(now_ms), &unique[..8])
}

/// `2026-01-31-23-59`.
fn minute(ms: i64) -> String {
    let minutes = ms.div_euclid(60_000);
    let (days, minute_of_day) = (minutes.div_euclid(1440), minutes.rem_euclid(1440));
    // From days since the epoch to a date of the Gregorian calendar, in eras of 400 years that begin in March.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}-{:02}-{:02}", minute_of_day / 60, minute_of_day % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_those_of_the_calendar() {
        for (ms, want) in [
            (0, "1970-01-01-00-00"),
            (951_782_399_999, "2000-02-28-23-59"),
            (951_782_400_000, "2000-02-29-00-00"),
            (1_767_225_599_000, "2025-12-31-23-59"),
            (1_767_225_600_000, "2026-01-01-00-00"),
        ] {
            assert_eq!(minute(ms), want);
        }
    }

    #[test]
    fn groups_are_found_by_their_arns_alone() {
        let root = tempfile::tempdir().unwrap();
        let place = Place { region: "r".into(), account: "1".into() };
        let logs = Logs::open(root.path().into(), place.clone()).unwrap();
        logs.create("/a".into(), BTreeMap::new()).unwrap();
        for (arn, there) in [
            ("arn:aws:logs:r:1:log-group:/a:*", true),
            ("arn:aws:logs:r:1:log-group:/a", true),
            ("arn:aws:logs:r:1:log-group:/b:*", false),
            ("arn:aws:logs:r:2:log-group:/a:*", false),
            ("/a", false),
        ] {
            assert_eq!(logs.has(arn), there, "{arn}");
        }
        let batch = |name: &str| Batch {
            group_arn: logs.arn(name),
            prefix: "p".into(),
            events: vec![(1, "m".into())],
        };
        assert!(logs.append(batch("/a")).unwrap());
        assert!(!logs.append(batch("/b")).unwrap());
        let again = Logs::open(root.path().into(), place).unwrap();
        assert_eq!(again.with("/a", |group| group.streams[0].lines().unwrap().len()).unwrap(), 1);
    }
}
