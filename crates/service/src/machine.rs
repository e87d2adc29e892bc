//! State machines: rows of the catalogue that point to immutable definitions.
//!
//! A definition is a row under the hash of its text. A machine's row names the current one; an execution pins the one
//! that it started with. Every write names the version that it expects, so a start, an update and a delete that meet
//! are put in order by the store. Versions and aliases are rows of their own (`version.rs`, `alias.rs`); what changes
//! more than one row holds a lock, and what its rows mean together is said where they are written.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use asl::diagnostic::{Code, Diagnostic};
use asl::jsonata::Jsonata;
use asl::machine::{Body, Machine};
use asl::states::task::unrecognized;
use asl::{MachineType, parse, parse_state};
use bytes::Bytes;
use connect::Connector;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::{Catalogue, DeleteOutcome, Expect, PutOutcome};

use crate::arn::{Place, StatesArn, check_name};
use crate::owner::Failed;
use crate::pace::Compiled;
use crate::pool::{Pool, Undone};
use crate::quota::Quotas;
use crate::refusal::Refusal;
use crate::resolution::refuse_label;
use crate::version::{Published, Publishing, VersionRecord};

/// The kind of the catalogue's machine rows; the key is the name.
const MACHINES: &str = "machine";
/// The kind of its definition rows; the key is the hash.
const DEFINITIONS: &str = "definition";
/// What compiling costs for each byte of a definition, in the pool's unit (measured: 26 to 46 ns).
const COMPILE_COST: usize = 8;
/// Compiled definitions kept in memory; running executions hold theirs by themselves.
const COMPILED_MAX: usize = 1024;
/// Rows that are read at a time where all are wanted.
const ROWS_PER_READ: usize = 500;

/// The current state of a machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MachineRecord {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// The hash of its definition.
    pub definition: String,
    /// Its role.
    pub role_arn: String,
    /// Whether it is an EXPRESS machine.
    pub express: bool,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// When it was created, in milliseconds since the epoch.
    pub created_ms: i64,
    /// When it was last changed, in milliseconds since the epoch.
    pub updated_ms: i64,
    /// The id of its revision; absent until the first update.
    pub revision_id: Option<String>,
    /// `loggingConfiguration` as it was given.
    pub logging: Option<serde_json::Value>,
    /// `tracingConfiguration` as it was given.
    pub tracing: Option<serde_json::Value>,
    /// `encryptionConfiguration` as it was given.
    pub encryption: Option<serde_json::Value>,
    /// Its tags, by key.
    pub tags: Vec<(String, String)>,
    /// The version that its current revision has, if there is one.
    pub published: Option<Published>,
    /// The highest number that a version of it ever had; numbers are not used again.
    pub last_version: u32,
    /// Whether and how it was published when it was created: a part of what makes two creations the same.
    pub created_published: Option<Publishing>,
}

/// A machine that was created or updated, and the version that this published.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// The machine.
    pub machine: MachineRecord,
    /// The ARN of its current revision's version, if one was asked for.
    pub version_arn: Option<String>,
}

impl MachineRecord {
    fn machine_type(&self) -> MachineType {
        if self.express { MachineType::Express } else { MachineType::Standard }
    }
}

/// What CreateStateMachine asks for.
#[derive(Clone, Debug, Default)]
pub struct CreateMachine {
    /// Its name.
    pub name: String,
    /// Its definition.
    pub definition: String,
    /// Its role.
    pub role_arn: String,
    /// Whether it is an EXPRESS machine.
    pub express: bool,
    /// `loggingConfiguration`.
    pub logging: Option<serde_json::Value>,
    /// `tracingConfiguration`.
    pub tracing: Option<serde_json::Value>,
    /// `encryptionConfiguration`.
    pub encryption: Option<serde_json::Value>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// Whether its first revision becomes a version, and what is said of that.
    pub publish: Option<Publishing>,
}

/// What UpdateStateMachine asks for; absent parts stay.
#[derive(Clone, Debug, Default)]
pub struct UpdateMachine {
    /// A new definition.
    pub definition: Option<String>,
    /// A new role.
    pub role_arn: Option<String>,
    /// A new `loggingConfiguration`.
    pub logging: Option<serde_json::Value>,
    /// A new `tracingConfiguration`.
    pub tracing: Option<serde_json::Value>,
    /// A new `encryptionConfiguration`.
    pub encryption: Option<serde_json::Value>,
    /// Whether what comes of it becomes a version, and what is said of that.
    pub publish: Option<Publishing>,
}

/// The machines of a server.
pub(crate) struct Machines {
    pub(crate) catalogue: Arc<dyn Catalogue>,
    connector: Arc<dyn Connector>,
    jsonata: Arc<dyn Jsonata>,
    pub(crate) place: Place,
    pool: Arc<Pool>,
    pub(crate) quotas: Quotas,
    /// Held by whoever changes a machine together with its versions or aliases.
    pub(crate) changing: tokio::sync::Mutex<()>,
    /// Machines that there are.
    count: AtomicUsize,
    compiled: Mutex<HashMap<Arc<str>, Arc<Compiled>>>,
}

impl Machines {
    pub(crate) fn new(
        catalogue: Arc<dyn Catalogue>,
        connector: Arc<dyn Connector>,
        jsonata: Arc<dyn Jsonata>,
        place: Place,
        pool: Arc<Pool>,
        quotas: Quotas,
    ) -> Self {
        Machines {
            catalogue,
            connector,
            jsonata,
            place,
            pool,
            quotas,
            changing: tokio::sync::Mutex::default(),
            count: AtomicUsize::new(0),
            compiled: Mutex::default(),
        }
    }

    /// Says how many machines there are; once, before any is created.
    pub(crate) fn counted(&self, machines: usize) {
        self.count.store(machines, Ordering::Relaxed);
    }

    pub(crate) async fn create(&self, request: CreateMachine, now_ms: i64) -> Result<Changed, Refusal> {
        check_name(&request.name)?;
        let machine_type = if request.express { MachineType::Express } else { MachineType::Standard };
        self.compile(&request.definition, machine_type).await?;
        let _changing = match &request.publish {
            Some(_) => Some(self.changing.lock().await),
            None => None,
        };
        let mut record = MachineRecord {
            arn: self.place.machine(&request.name),
            definition: self.keep_definition(&request.definition).await?,
            name: request.name,
            role_arn: request.role_arn,
            express: request.express,
            deleting: false,
            created_ms: now_ms,
            updated_ms: now_ms,
            revision_id: None,
            logging: request.logging,
            tracing: request.tracing,
            encryption: request.encryption,
            tags: request.tags,
            published: None,
            last_version: 0,
            created_published: request.publish,
        };
        if let Some(Publishing { description }) = record.created_published.clone() {
            self.number(&mut record, description, now_ms).await?;
        }
        let room = self.count.load(Ordering::Relaxed) < self.quotas.machines_max;
        if !room || !self.put(&record, Expect::Absent).await? {
            return self.created_before(record).await;
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.changed(record, true).await
    }

    /// The answer to a creation or an update that published, or did not.
    async fn changed(&self, machine: MachineRecord, published: bool) -> Result<Changed, Refusal> {
        let publishes = published && machine.published.is_some();
        let version = if publishes { Some(self.completed(&machine).await?) } else { None };
        Ok(Changed { machine, version_arn: version.map(|version: VersionRecord| version.arn) })
    }

    /// CreateStateMachine is idempotent: role and tags may differ and are not applied (asl-facts 6).
    async fn created_before(&self, asked: MachineRecord) -> Result<Changed, Refusal> {
        let there = match self.record(&asked.arn).await {
            Ok((there, _)) => there,
            // It was not asked whether there is one: there is no room for another.
            Err(Refusal::StateMachineDoesNotExist(_)) => {
                return Err(Refusal::StateMachineLimitExceeded(self.quotas.machines_max));
            }
            Err(other) => return Err(other),
        };
        let same = there.definition == asked.definition
            && there.express == asked.express
            && there.logging == asked.logging
            && there.tracing == asked.tracing
            && there.encryption == asked.encryption
            && there.created_published == asked.created_published;
        match there.deleting {
            true => Err(Refusal::StateMachineDeleting(asked.arn)),
            false if same => self.changed(there, asked.created_published.is_some()).await,
            false => Err(Refusal::StateMachineAlreadyExists(asked.arn)),
        }
    }

    pub(crate) async fn update(
        &self,
        arn: &str,
        request: UpdateMachine,
        now_ms: i64,
    ) -> Result<Changed, Refusal> {
        refuse_label(arn)?;
        let (there, _) = self.changeable(arn).await?;
        let definition = match &request.definition {
            Some(definition) => {
                self.compile(definition, there.machine_type()).await?;
                Some(self.keep_definition(definition).await?)
            }
            None => None,
        };
        let _changing = self.changing.lock().await;
        loop {
            let (before, version) = self.changeable(arn).await?;
            let mut record = before.clone();
            record.definition = definition.clone().unwrap_or(record.definition);
            record.role_arn = request.role_arn.clone().unwrap_or(record.role_arn);
            record.logging = request.logging.clone().or(record.logging);
            record.tracing = request.tracing.clone().or(record.tracing);
            record.encryption = request.encryption.clone().or(record.encryption);
            if record != before {
                record.revision_id = Some(uuid::Uuid::new_v4().to_string());
                record.published = None;
            }
            record.updated_ms = now_ms;
            if let Some(Publishing { description }) =
                request.publish.clone().filter(|_| record.published.is_none())
            {
                self.number(&mut record, description, now_ms).await?;
            }
            if self.put(&record, Expect::Version(version)).await? {
                return self.changed(record, request.publish.is_some()).await;
            }
        }
    }

    /// A machine that is there and is not being deleted, with the version of its row.
    pub(crate) async fn changeable(&self, arn: &str) -> Result<(MachineRecord, u64), Refusal> {
        match self.record(arn).await? {
            (record, _) if record.deleting => Err(Refusal::StateMachineDeleting(arn.into())),
            found => Ok(found),
        }
    }

    /// Writes a machine's row; `false` when somebody else changed it.
    pub(crate) async fn put(&self, record: &MachineRecord, expect: Expect) -> Result<bool, Refusal> {
        let put = self.catalogue.put(MACHINES, &record.name, expect, encode(record)).await?;
        Ok(matches!(put, PutOutcome::Stored { .. }))
    }

    /// Marks a machine as being deleted; `None` when there is none.
    pub(crate) async fn mark_deleting(&self, arn: &str) -> Result<Option<MachineRecord>, Refusal> {
        refuse_label(arn)?;
        let _changing = self.changing.lock().await;
        loop {
            let (mut record, version) = match self.record(arn).await {
                Ok(found) => found,
                Err(Refusal::StateMachineDoesNotExist(_)) => return Ok(None),
                Err(other) => return Err(other),
            };
            record.deleting = true;
            if self.put(&record, Expect::Version(version)).await? {
                return Ok(Some(record));
            }
        }
    }

    /// Removes a machine whose executions have ended, with its versions and aliases; `false` when its row is not at this
    /// version. The machine's row goes last: until then no other can have the name, and a restart goes on here.
    pub(crate) async fn remove(&self, record: &MachineRecord, version: u64) -> Result<bool, Refusal> {
        let _changing = self.changing.lock().await;
        match self.record(&record.arn).await {
            Ok((there, actual)) if there.deleting && actual == version => {}
            Ok(_) | Err(Refusal::StateMachineDoesNotExist(_)) => return Ok(false),
            Err(other) => return Err(other),
        }
        self.remove_aliases(&record.name).await?;
        self.remove_versions(&record.name).await?;
        match self.catalogue.delete(MACHINES, &record.name, Some(version)).await? {
            DeleteOutcome::Deleted => {
                self.count.fetch_sub(1, Ordering::Relaxed);
                Ok(true)
            }
            // Its tags were changed meanwhile.
            DeleteOutcome::Absent | DeleteOutcome::Conflict { .. } => Ok(false),
        }
    }

    /// A machine by its ARN, with the version of its row.
    pub(crate) async fn record(&self, arn: &str) -> Result<(MachineRecord, u64), Refusal> {
        let parsed = StatesArn::parse(arn, &["stateMachine"])?;
        let absent = || Refusal::StateMachineDoesNotExist(arn.into());
        let [name] = parsed.parts[..] else { return Err(absent()) };
        let row = self.catalogue.get(MACHINES, name).await?.ok_or_else(absent)?;
        let record: MachineRecord = decode(&row.body)?;
        if record.arn == arn { Ok((record, row.version)) } else { Err(absent()) }
    }

    /// A page of machines by name, with the last name when there may be more.
    pub(crate) async fn list(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<MachineRecord>, Option<String>), Refusal> {
        let rows = self.catalogue.list(MACHINES, after, limit).await?;
        let next = (rows.len() == limit).then(|| rows.last().map(|(name, _)| name.clone())).flatten();
        let records = rows.iter().map(|(_, row)| decode(&row.body)).collect::<Result<_, _>>()?;
        Ok((records, next))
    }

    /// The rows of a kind that belong to a machine, behind a key, in the order of their keys.
    pub(crate) async fn rows_of<T: serde::de::DeserializeOwned>(
        &self,
        kind: &str,
        machine_name: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<T>, Refusal> {
        let prefix = format!("{machine_name}:");
        let mut after = after.unwrap_or(&prefix).to_owned();
        let mut found = Vec::new();
        while found.len() < limit {
            let wanted = ROWS_PER_READ.min(limit - found.len());
            let rows = self.catalogue.list(kind, Some(&after), wanted).await?;
            let mine = rows.iter().take_while(|(key, _)| key.starts_with(&prefix));
            let before = found.len();
            for (_, row) in mine {
                found.push(decode(&row.body)?);
            }
            match rows.last() {
                Some((key, _)) if found.len() - before == wanted => after.clone_from(key),
                _ => break,
            }
        }
        Ok(found)
    }

    /// The text of a definition by its hash.
    pub(crate) async fn definition(&self, hash: &str) -> Result<String, Refusal> {
        let row = self.catalogue.get(DEFINITIONS, hash).await?;
        let row =
            row.ok_or_else(|| Refusal::Unavailable(format!("the definition {hash} is not in the store")))?;
        String::from_utf8(row.body.to_vec())
            .map_err(|_| Refusal::Unavailable(format!("the definition {hash} is not UTF-8")))
    }

    /// A definition by its hash, ready to run.
    pub(crate) async fn compiled(&self, hash: &str) -> Result<Arc<Compiled>, Failed> {
        if let Some(compiled) = self.cache().get(hash) {
            return Ok(compiled.clone());
        }
        let text = self.definition(hash).await.map_err(Failed::Refused)?;
        let hash: Arc<str> = hash.into();
        let parsed = self.parse(&hash, &text, MachineType::Standard).await?;
        let machine = parsed.map_err(|wrong| Failed::Refused(Refusal::InvalidDefinition(wrong)))?;
        let compiled = Arc::new(Compiled::new(hash.clone(), machine));
        let mut cache = self.cache();
        if cache.len() >= COMPILED_MAX {
            cache.clear();
        }
        // Whoever was first is the one: what is known of a machine's pace is known in one place.
        Ok(cache.entry(hash).or_insert(compiled).clone())
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, Arc<Compiled>>> {
        // A panic while it was held cannot have left a half-made entry: entries go in whole.
        self.compiled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is wrong with a definition; an error when it could not be looked at.
    pub(crate) async fn validate(
        &self,
        text: &str,
        machine_type: MachineType,
    ) -> Result<Vec<Diagnostic>, Refusal> {
        match self.compile(text, machine_type).await {
            Ok(_) => Ok(Vec::new()),
            Err(Refusal::InvalidDefinition(diagnostics)) => Ok(diagnostics),
            Err(refusal) => Err(refusal),
        }
    }

    /// Parses on the compute pool what is large.
    async fn parse(
        &self,
        line: &Arc<str>,
        text: &str,
        machine_type: MachineType,
    ) -> Result<Result<Machine, Vec<Diagnostic>>, Undone> {
        let (cost, text) = (text.len().saturating_mul(COMPILE_COST), text.to_owned());
        let jsonata = self.jsonata.clone();
        self.pool.compute(line, cost, move || parse(&text, machine_type, &jsonata)).await
    }

    /// Parses and validates; a resource that no connector knows is refused here and not when it runs.
    async fn compile(&self, text: &str, machine_type: MachineType) -> Result<Machine, Refusal> {
        let parsed = self.parse(&DEFINITIONS.into(), text, machine_type).await?;
        let machine = parsed.map_err(Refusal::InvalidDefinition)?;
        let mut unknown = Vec::new();
        for state in &machine.states {
            if let Body::Task(task) = &state.body
                && !self.connector.supports(&task.resource)
            {
                unknown.push(Diagnostic {
                    code: Code::Schema,
                    message: unrecognized(task.resource.arn()),
                    location: Some(format!("/States/{}/Resource", state.name)),
                });
            }
        }
        if unknown.is_empty() { Ok(machine) } else { Err(Refusal::InvalidDefinition(unknown)) }
    }

    /// A whole machine of which one state is to be tested.
    pub(crate) async fn machine_to_test(&self, text: &str) -> Result<Arc<Machine>, Refusal> {
        let parsed = self.parse(&DEFINITIONS.into(), text, MachineType::Standard).await?;
        parsed.map(Arc::new).map_err(Refusal::InvalidDefinition)
    }

    /// A state that is to be tested, without a machine.
    pub(crate) async fn state_to_test(&self, text: &str) -> Result<Arc<Machine>, Refusal> {
        let (cost, text) = (text.len().saturating_mul(COMPILE_COST), text.to_owned());
        let jsonata = self.jsonata.clone();
        let parsed =
            self.pool.compute(&DEFINITIONS.into(), cost, move || parse_state(&text, &jsonata)).await?;
        parsed.map(Arc::new).map_err(Refusal::InvalidDefinition)
    }

    /// Stores a definition under its hash; the same text is stored once.
    async fn keep_definition(&self, text: &str) -> Result<String, Refusal> {
        let hash = hex::encode(Sha256::digest(text.as_bytes()));
        let body = Bytes::copy_from_slice(text.as_bytes());
        match self.catalogue.put(DEFINITIONS, &hash, Expect::Absent, body).await? {
            PutOutcome::Stored { .. } | PutOutcome::Conflict { .. } => Ok(hash),
        }
    }
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Bytes {
    serde_json::to_vec(value).expect("records are plain data with string keys").into()
}

pub(crate) fn decode<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::Unavailable(format!("a row of the store is damaged: {error}")))
}
