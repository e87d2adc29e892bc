//! What an ARN of a state machine means: the machine itself, one of its versions, or an alias that chooses one.
//!
//! Every request that names a machine to run or to show comes through here, so that all of them agree.

use engine::Origin;

use crate::alias::pick;
use crate::arn::StatesArn;
use crate::label::inner_definition;
use crate::machine::{MachineRecord, Machines};
use crate::refusal::Refusal;
use crate::version::{VersionRecord, version_number};

/// A machine as it is at one revision: the current one, or a version's.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    /// The ARN of what this is: the machine's, or the version's.
    pub arn: String,
    /// The machine's ARN.
    pub machine_arn: String,
    /// The machine's name.
    pub name: String,
    /// The version's number; absent for the current revision.
    pub version: Option<u32>,
    /// Whether the machine is EXPRESS.
    pub express: bool,
    /// Whether the machine is being deleted.
    pub deleting: bool,
    /// The hash of the definition.
    pub definition: String,
    /// The role.
    pub role_arn: String,
    /// The id of the revision; absent until the machine's first update.
    pub revision_id: Option<String>,
    /// What the version's publisher said.
    pub description: Option<String>,
    /// When the machine was created or the version published, in milliseconds since the epoch.
    pub created_ms: i64,
    /// When the revision came to be, in milliseconds since the epoch.
    pub updated_ms: i64,
    /// `loggingConfiguration` as it was given.
    pub logging: Option<serde_json::Value>,
    /// `tracingConfiguration` as it was given.
    pub tracing: Option<serde_json::Value>,
    /// `encryptionConfiguration` as it was given.
    pub encryption: Option<serde_json::Value>,
}

/// What a start runs, and through which alias.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// What runs.
    pub revision: Revision,
    /// The ARN of the alias that chose it.
    pub alias_arn: Option<String>,
}

impl Resolved {
    /// What the execution remembers of it.
    pub(crate) fn origin(&self) -> Origin {
        Origin {
            version_arn: self.revision.version.map(|_| self.revision.arn.clone()),
            alias_arn: self.alias_arn.clone(),
            revision_id: self.revision.revision_id.clone(),
            revised_ms: self.revision.updated_ms,
        }
    }
}

impl From<MachineRecord> for Revision {
    fn from(machine: MachineRecord) -> Self {
        Revision {
            machine_arn: machine.arn.clone(),
            arn: machine.arn,
            name: machine.name,
            version: None,
            express: machine.express,
            deleting: machine.deleting,
            definition: machine.definition,
            role_arn: machine.role_arn,
            revision_id: machine.revision_id,
            description: None,
            created_ms: machine.created_ms,
            updated_ms: machine.updated_ms,
            logging: machine.logging,
            tracing: machine.tracing,
            encryption: machine.encryption,
        }
    }
}

impl Revision {
    /// The machine as this version has it.
    fn at(self, version: VersionRecord) -> Self {
        Revision {
            arn: version.arn,
            version: Some(version.number),
            definition: version.definition,
            role_arn: version.role_arn,
            revision_id: version.revision_id,
            description: version.description,
            created_ms: version.created_ms,
            updated_ms: version.revised_ms,
            logging: version.logging,
            tracing: version.tracing,
            encryption: version.encryption,
            ..self
        }
    }
}

impl Machines {
    /// What a start under this ARN runs; `chance` is what an alias chooses by.
    pub(crate) async fn resolve(&self, arn: &str, chance: u64) -> Result<Resolved, Refusal> {
        refuse_label(arn)?;
        let parsed = StatesArn::parse(arn, &["stateMachine"])?;
        let absent = || Refusal::StateMachineDoesNotExist(arn.to_owned());
        let [name, qualifier] = parsed.parts[..] else {
            return Ok(Resolved { revision: self.revision(arn).await?, alias_arn: None });
        };
        if version_number(qualifier).is_some() {
            return Ok(Resolved { revision: self.revision(arn).await?, alias_arn: None });
        }
        let (alias, _) = self.alias(name, qualifier).await?.ok_or_else(absent)?;
        let number = pick(&alias.routing, chance).filter(|_| alias.arn == arn).ok_or_else(absent)?;
        let version_arn = self.place.qualified(name, &number.to_string());
        Ok(Resolved { revision: self.revision(&version_arn).await?, alias_arn: Some(alias.arn) })
    }

    /// The machine or the version with this ARN; of a labelled ARN, the machine around it.
    pub(crate) async fn revision(&self, arn: &str) -> Result<Revision, Refusal> {
        let parsed = StatesArn::parse(arn, &["stateMachine"])?;
        let absent = || Refusal::StateMachineDoesNotExist(arn.to_owned());
        if let [name] = parsed.parts[..]
            && let Some((name, label)) = name.split_once('/')
        {
            let around = self.record(&self.place.machine(name)).await.map_err(|refusal| match refusal {
                Refusal::StateMachineDoesNotExist(_) => absent(),
                other => other,
            })?;
            let inner = inner_definition(&self.definition(&around.0.definition).await?, name, label);
            inner.ok_or_else(absent)?;
            return Ok(Revision { arn: arn.to_owned(), ..around.0.into() });
        }
        let [name, qualifier] = parsed.parts[..] else { return Ok(self.record(arn).await?.0.into()) };
        let number = version_number(qualifier).ok_or_else(absent)?;
        let version = self.version(name, number).await?.filter(|version| version.arn == arn);
        let version = version.ok_or_else(absent)?;
        let machine = self.record(&self.place.machine(name)).await.map_err(|refusal| match refusal {
            Refusal::StateMachineDoesNotExist(_) => absent(),
            other => other,
        })?;
        Ok(Revision::from(machine.0).at(version))
    }
}

/// Refuses the ARN of a Distributed Map's inner machine (`…:stateMachine:NAME/LABEL`) where AWS does (asl-facts 6).
pub(crate) fn refuse_label(arn: &str) -> Result<(), Refusal> {
    match StatesArn::parse(arn, &["stateMachine"])?.parts.first() {
        Some(name) if name.contains('/') => Err(Refusal::LabelledArn(arn.to_owned())),
        _ => Ok(()),
    }
}
