//! Versions: immutable copies of a machine's revisions, under numbers that only grow.
//!
//! A version is a row of the catalogue of its own, so a machine with a thousand of them is read as fast as one with
//! none. The machine's row says which number the current revision has. It is written first: a crash between the two
//! leaves a row to be completed from what the machine's row says ([`Machines::completed`]). Whoever changes versions or
//! aliases holds the machines' lock, so what is said here about two rows holds between requests.

use serde::{Deserialize, Serialize};
use store::{Expect, PutOutcome};

use crate::arn::StatesArn;
use crate::clock::now_ms;
use crate::machine::{MachineRecord, Machines, decode, encode};
use crate::refusal::Refusal;
use crate::service::Service;

/// The kind of the catalogue's version rows; the key is the machine's name and the number, the newest first.
const VERSIONS: &str = "machine-version";
/// What a revision is called before the machine's first update (recorded).
const INITIAL: &str = "INITIAL";

/// That a version is asked for with a creation or an update.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Publishing {
    /// `versionDescription`.
    pub description: Option<String>,
}

/// The number of the current revision, and what its publisher said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// Counts from 1.
    pub number: u32,
    /// `description` or `versionDescription`.
    pub description: Option<String>,
    /// When, in milliseconds since the epoch.
    pub at_ms: i64,
}

/// One version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionRecord {
    /// Its ARN.
    pub arn: String,
    /// Counts from 1.
    pub number: u32,
    /// What its publisher said.
    pub description: Option<String>,
    /// When it was published, in milliseconds since the epoch.
    pub created_ms: i64,
    /// The hash of its definition.
    pub definition: String,
    /// Its role.
    pub role_arn: String,
    /// The id of the revision that it is a copy of.
    pub revision_id: Option<String>,
    /// When that revision came to be, in milliseconds since the epoch.
    pub revised_ms: i64,
    /// `loggingConfiguration` as it was given.
    pub logging: Option<serde_json::Value>,
    /// `tracingConfiguration` as it was given.
    pub tracing: Option<serde_json::Value>,
    /// `encryptionConfiguration` as it was given.
    pub encryption: Option<serde_json::Value>,
}

impl Service {
    /// PublishStateMachineVersion.
    ///
    /// # Errors
    /// No such machine, another revision than the one that is guarded, or too many versions.
    pub async fn publish_version(
        &self,
        arn: &str,
        revision_id: Option<&str>,
        description: Option<String>,
    ) -> Result<VersionRecord, Refusal> {
        self.shared().machines.publish(arn, revision_id, description, now_ms()).await
    }

    /// DeleteStateMachineVersion; an absent one is deleted already.
    ///
    /// # Errors
    /// The ARN, or an alias that names the version.
    pub async fn delete_version(&self, arn: &str) -> Result<(), Refusal> {
        self.shared().machines.delete_version(arn).await
    }

    /// ListStateMachineVersions: a page behind a place, the newest first, and the place to go on after.
    ///
    /// # Errors
    /// No such machine.
    pub async fn list_versions(
        &self,
        arn: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<VersionRecord>, Option<String>), Refusal> {
        self.shared().machines.list_versions(arn, after, limit).await
    }
}

impl Machines {
    /// PublishStateMachineVersion: the current revision's version, the same one each time.
    pub(crate) async fn publish(
        &self,
        arn: &str,
        revision_id: Option<&str>,
        description: Option<String>,
        now_ms: i64,
    ) -> Result<VersionRecord, Refusal> {
        let _changing = self.changing.lock().await;
        loop {
            let (mut record, row) = self.changeable(arn).await?;
            let current = record.revision_id.as_deref().unwrap_or(INITIAL);
            if let Some(guard) = revision_id.filter(|guard| *guard != current) {
                return Err(Refusal::Conflict(format!(
                    "Failed to publish the State Machine version for revision {guard}. The current State Machine \
                     revision is {current}."
                )));
            }
            if record.published.is_none() {
                self.number(&mut record, description.clone(), now_ms).await?;
                if !self.put(&record, Expect::Version(row)).await? {
                    continue;
                }
            }
            return self.completed(&record).await;
        }
    }

    /// Gives the current revision of a machine the next number, if there may be one more.
    pub(crate) async fn number(
        &self,
        record: &mut MachineRecord,
        description: Option<String>,
        now_ms: i64,
    ) -> Result<(), Refusal> {
        // Only a machine that ever had so many can have so many now.
        let max = self.quotas.versions_max;
        if record.last_version as usize >= max {
            let there = self.version_rows(&record.name, None, max).await?.len();
            if there >= max {
                return Err(Refusal::ServiceQuotaExceeded(format!(
                    "The maximum number of versions of a state machine is {max}: {}",
                    record.arn
                )));
            }
        }
        record.last_version += 1;
        record.published = Some(Published { number: record.last_version, description, at_ms: now_ms });
        Ok(())
    }

    /// The version of a machine's current revision, which the machine's row says to be published; written if a crash
    /// kept it from being there.
    pub(crate) async fn completed(&self, record: &MachineRecord) -> Result<VersionRecord, Refusal> {
        let Some(published) = &record.published else {
            return Err(Refusal::Unavailable(format!("no version of {} is published", record.arn)));
        };
        let version = VersionRecord {
            arn: self.place.qualified(&record.name, &published.number.to_string()),
            number: published.number,
            description: published.description.clone(),
            created_ms: published.at_ms,
            definition: record.definition.clone(),
            role_arn: record.role_arn.clone(),
            revision_id: record.revision_id.clone(),
            revised_ms: record.updated_ms,
            logging: record.logging.clone(),
            tracing: record.tracing.clone(),
            encryption: record.encryption.clone(),
        };
        let key = version_key(&record.name, version.number);
        match self.catalogue.put(VERSIONS, &key, Expect::Absent, encode(&version)).await? {
            PutOutcome::Stored { .. } => Ok(version),
            PutOutcome::Conflict { .. } => {
                self.version(&record.name, version.number).await?.ok_or_else(|| {
                    Refusal::Conflict(format!("{} was changed by another request; try again", version.arn))
                })
            }
        }
    }

    /// A version by its machine's name and its number.
    pub(crate) async fn version(&self, name: &str, number: u32) -> Result<Option<VersionRecord>, Refusal> {
        match self.catalogue.get(VERSIONS, &version_key(name, number)).await? {
            Some(row) => Ok(Some(decode(&row.body)?)),
            None => Ok(None),
        }
    }

    /// DeleteStateMachineVersion. One that is not there is deleted already.
    pub(crate) async fn delete_version(&self, arn: &str) -> Result<(), Refusal> {
        let (name, number) = version_arn(arn)?;
        let _changing = self.changing.lock().await;
        if self.version(&name, number).await?.is_none_or(|version| version.arn != arn) {
            return Ok(());
        }
        let aliases = self.aliases_of(&name).await?;
        let users: Vec<&str> = (aliases.iter())
            .filter(|alias| alias.routing.iter().any(|route| route.version == number))
            .map(|alias| alias.name.as_str())
            .collect();
        if !users.is_empty() {
            return Err(Refusal::Conflict(format!(
                "Version to be deleted must not be referenced by an alias. Current list of aliases referencing this \
                 version: [{}]",
                users.join(", ")
            )));
        }
        // The machine's row first, or a crash would leave it saying that there is what is not.
        loop {
            let (mut record, row) = match self.record(&self.place.machine(&name)).await {
                Ok(found) => found,
                Err(Refusal::StateMachineDoesNotExist(_)) => break,
                Err(other) => return Err(other),
            };
            if record.published.take_if(|published| published.number == number).is_none()
                || self.put(&record, Expect::Version(row)).await?
            {
                break;
            }
        }
        self.catalogue.delete(VERSIONS, &version_key(&name, number), None).await?;
        Ok(())
    }

    /// ListStateMachineVersions: the newest first; where the next page goes on.
    pub(crate) async fn list_versions(
        &self,
        arn: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<VersionRecord>, Option<String>), Refusal> {
        // The operation declares no StateMachineDoesNotExist (asl-facts 4, observed).
        let (record, _) = self.record(arn).await.map_err(|refusal| match refusal {
            Refusal::StateMachineDoesNotExist(arn) => Refusal::InvalidArn(format!("Invalid ARN: {arn}")),
            other => other,
        })?;
        let mut versions = self.version_rows(&record.name, after, limit + 1).await?;
        let more = versions.len() > limit;
        versions.truncate(limit);
        let last = versions.last().filter(|_| more);
        let next = last.map(|version| version_key(&record.name, version.number));
        Ok((versions, next))
    }

    /// Versions of a machine, the newest first, behind a key.
    async fn version_rows(
        &self,
        name: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<VersionRecord>, Refusal> {
        self.rows_of(VERSIONS, name, after, limit).await
    }

    /// Removes all versions of a machine that is being deleted.
    pub(crate) async fn remove_versions(&self, name: &str) -> Result<(), Refusal> {
        for version in self.version_rows(name, None, usize::MAX).await? {
            self.catalogue.delete(VERSIONS, &version_key(name, version.number), None).await?;
        }
        Ok(())
    }
}

/// The key of a version's row: newer numbers first in the order of keys.
fn version_key(name: &str, number: u32) -> String {
    format!("{name}:{:010}", u32::MAX - number)
}

/// The machine's name and the number in a version's ARN.
fn version_arn(arn: &str) -> Result<(String, u32), Refusal> {
    let parsed = StatesArn::parse(arn, &["stateMachine"])?;
    let invalid = || Refusal::InvalidArn(format!("Invalid ARN: {arn}"));
    let [name, qualifier] = parsed.parts[..] else { return Err(invalid()) };
    Ok((name.to_owned(), version_number(qualifier).ok_or_else(invalid)?))
}

/// A version's number, if the last part of an ARN is one: an alias's name is never all digits.
pub(crate) fn version_number(qualifier: &str) -> Option<u32> {
    let plain = qualifier.bytes().all(|byte| byte.is_ascii_digit()) && !qualifier.starts_with('0');
    qualifier.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_versions_come_first_and_names_do_not_mix() {
        let keys: Vec<String> = [12, 11, 10, 9, 2, 1].map(|number| version_key("m", number)).into();
        assert!(keys.is_sorted(), "{keys:?}");
        assert!(keys.iter().all(|key| key.starts_with("m:")));
    }

    #[test]
    fn numbers_are_told_from_names() {
        let cases = [("1", Some(1)), ("4294967295", Some(u32::MAX))];
        let none = ["0", "01", "+1", "1a", "live", "", "-1", "4294967296"].map(|text| (text, None));
        for (text, number) in cases.into_iter().chain(none) {
            assert_eq!(version_number(text), number, "{text}");
        }
        assert_eq!(version_arn("arn:aws:states:r:1:stateMachine:m:3").unwrap(), ("m".into(), 3));
        for arn in ["arn:aws:states:r:1:stateMachine:m", "arn:aws:states:r:1:stateMachine:m:live", "x"] {
            assert!(matches!(version_arn(arn), Err(Refusal::InvalidArn(_))), "{arn}");
        }
    }
}
