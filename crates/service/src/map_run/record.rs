//! The record of a Map Run: a row of its own in the store, under the hash of its ARN, listed under its execution.
//!
//! Each write says which version it expects, as every write of an execution does. The step that ends a run takes its
//! outbox row away with it and keeps the result, which is then told to the parent however often that takes.

use bytes::Bytes;
use engine::{Facts, Failure, TaskId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::{
    ExecutionId, Expect, ListQuery, Listing, Order, OutboxRow, PurgeOutcome, StepOutcome, StepWrite,
};

use crate::arn::Place;
use crate::execution::group_of;
use crate::machine::{decode, encode};
use crate::map_run::counts::Counts;
use crate::refusal::Refusal;
use crate::service::Shared;

/// The body of a run's own outbox row, by which it is told from a task's.
pub(crate) const MAP_RUN_ROW: &[u8] = b"map-run";
/// Map Runs of one execution that are removed between two looks.
const PURGED_AT_A_TIME: usize = 100;
/// The number of that row.
const ROW: u64 = 0;

/// Where a Map Run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "names are those of the Step Functions API")]
pub enum MapRunStatus {
    Running,
    Succeeded,
    Failed,
    Aborted,
}

impl MapRunStatus {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            MapRunStatus::Running => "RUNNING",
            MapRunStatus::Succeeded => "SUCCEEDED",
            MapRunStatus::Failed => "FAILED",
            MapRunStatus::Aborted => "ABORTED",
        }
    }

    /// The status as the store indexes it: apart from those of executions.
    fn code(self) -> u8 {
        match self {
            MapRunStatus::Running => 16,
            MapRunStatus::Succeeded => 17,
            MapRunStatus::Failed => 18,
            MapRunStatus::Aborted => 19,
        }
    }
}

/// A Map Run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapRunRecord {
    /// Its ARN.
    pub arn: String,
    /// The execution that it belongs to.
    pub execution_arn: String,
    /// The number under which that execution asked for it.
    pub(crate) task: u64,
    /// The labelled machine that its children are executions of.
    pub machine_arn: String,
    /// Where it stands.
    pub status: MapRunStatus,
    /// When it began, in milliseconds since the epoch.
    pub started_ms: i64,
    /// How often it was redriven.
    pub redrive_count: u32,
    /// When it was last redriven, in milliseconds since the epoch.
    pub redriven_ms: Option<i64>,
    /// When it ended, in milliseconds since the epoch.
    pub stopped_ms: Option<i64>,
    /// `MaxConcurrency`, 0 for no limit but the service's.
    pub max_concurrency: u64,
    /// `ToleratedFailureCount`.
    pub tolerated_count: Option<u64>,
    /// `ToleratedFailurePercentage`.
    pub tolerated_percentage: Option<f64>,
    /// Its children, at the last write.
    pub executions: Counts,
    /// Their items, at the last write.
    pub items: Counts,
}

/// How a run ended, for its parent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Conclusion {
    Succeeded(String),
    Failed(Failure),
    /// The parent does not want it any more.
    Aborted,
}

/// The body of a step of a run.
#[derive(Serialize, Deserialize)]
struct Chunk {
    conclusion: Option<Conclusion>,
}

/// A record as the store has it.
pub(crate) struct Stored {
    pub(crate) record: MapRunRecord,
    pub(crate) version: u64,
    /// There once it has ended.
    pub(crate) conclusion: Option<Conclusion>,
}

impl MapRunRecord {
    pub(crate) fn id(&self) -> ExecutionId {
        ExecutionId::of(&self.arn)
    }

    fn listing(&self) -> Listing {
        Listing {
            group: runs_of(&self.execution_arn),
            also: Vec::new(),
            status: self.status.code(),
            sort_ms: self.started_ms,
            body: encode(self),
        }
    }
}

/// What the Map Runs of an execution are listed under.
pub(crate) fn runs_of(execution_arn: &str) -> [u8; 16] {
    group_of(&format!("map runs of {execution_arn}"))
}

/// A run by its id.
pub(crate) async fn load(shared: &Shared, id: ExecutionId) -> Result<Option<Stored>, Refusal> {
    let Some(loaded) = shared.store.load(id).await? else { return Ok(None) };
    let Some(listing) = loaded.listing else { return Ok(None) };
    let record: MapRunRecord = decode(&listing.body)?;
    let last: Option<Chunk> = loaded.chunks.last().map(|(_, chunk)| decode(chunk)).transpose()?;
    let conclusion = last.and_then(|chunk| chunk.conclusion);
    Ok(Some(Stored { record, version: loaded.version, conclusion }))
}

/// Whether there is a run with this ARN that has not ended.
pub(crate) async fn is_running(shared: &Shared, arn: &str) -> Result<bool, Refusal> {
    let stored = load(shared, ExecutionId::of(arn)).await?;
    Ok(stored.is_some_and(|stored| stored.record.status == MapRunStatus::Running))
}

/// Writes the first step of a run, with its own outbox row; `false` when there is one already.
pub(crate) async fn create(shared: &Shared, record: &MapRunRecord) -> Result<bool, Refusal> {
    let mut write = step(record, Expect::Absent, None);
    write.outbox_put.push(OutboxRow { id: ROW, body: Bytes::from_static(MAP_RUN_ROW) });
    commit(shared, write).await
}

/// Writes a run that goes on; `false` when somebody else wrote it meanwhile.
pub(crate) async fn update(shared: &Shared, record: &MapRunRecord, version: u64) -> Result<bool, Refusal> {
    commit(shared, step(record, Expect::Version(version), None)).await
}

/// Opens a run again that has ended: it is redriven, asked for under another number. Its limits stay as they were last.
pub(crate) async fn reopen(shared: &Shared, asked: &MapRunRecord) -> Result<(), Refusal> {
    loop {
        let Some(Stored { mut record, version, .. }) = load(shared, asked.id()).await? else { return Ok(()) };
        if record.redrive_count >= asked.redrive_count {
            return Ok(());
        }
        record.status = MapRunStatus::Running;
        record.stopped_ms = None;
        record.task = asked.task;
        record.redrive_count = asked.redrive_count;
        record.redriven_ms = asked.redriven_ms;
        let mut write = step(&record, Expect::Version(version), None);
        write.outbox_put.push(OutboxRow { id: ROW, body: Bytes::from_static(MAP_RUN_ROW) });
        if commit(shared, write).await? {
            return Ok(());
        }
    }
}

/// Ends a run. Somebody may change its limits meanwhile, so it is read again until the write fits.
pub(crate) async fn end(
    shared: &Shared,
    id: ExecutionId,
    conclusion: Conclusion,
    counts: Option<(Counts, Counts)>,
    now_ms: i64,
) -> Result<(), Refusal> {
    loop {
        let Some(Stored { mut record, version, .. }) = load(shared, id).await? else { return Ok(()) };
        if record.status != MapRunStatus::Running {
            return Ok(());
        }
        record.status = match conclusion {
            Conclusion::Succeeded(_) => MapRunStatus::Succeeded,
            Conclusion::Failed(_) => MapRunStatus::Failed,
            Conclusion::Aborted => MapRunStatus::Aborted,
        };
        record.stopped_ms = Some(now_ms);
        if let Some((executions, items)) = counts {
            record.executions = executions;
            record.items = items;
        }
        let mut write = step(&record, Expect::Version(version), Some(conclusion.clone()));
        write.outbox_deleted.push(ROW);
        if commit(shared, write).await? {
            return Ok(());
        }
    }
}

/// Removes the Map Runs of an execution that is about to go. One that has not ended yet stays, with its execution.
pub(crate) async fn purge_of(shared: &Shared, execution_arn: &str) -> Result<(), Refusal> {
    loop {
        let query = ListQuery {
            group: Some(runs_of(execution_arn)),
            status: None,
            cursor: None,
            limit: PURGED_AT_A_TIME,
            order: Order::OldestFirst,
        };
        let page = shared.store.list(query).await?;
        let mut purged = 0;
        for (id, _) in &page.rows {
            if let Some(stored) = load(shared, *id).await?.filter(|stored| stored.conclusion.is_some()) {
                let outcome = shared.store.purge(*id, stored.version).await?;
                purged += usize::from(outcome == PurgeOutcome::Purged);
            }
        }
        if purged == 0 {
            return Ok(());
        }
    }
}

fn step(record: &MapRunRecord, expect: Expect, conclusion: Option<Conclusion>) -> StepWrite {
    let mut write = StepWrite::new(record.id(), expect, encode(&Chunk { conclusion }));
    write.listing = Some(record.listing());
    write
}

async fn commit(shared: &Shared, write: StepWrite) -> Result<bool, Refusal> {
    match shared.committer.commit(write).await {
        Ok(StepOutcome::Committed { .. }) => Ok(true),
        Ok(_) => Ok(false),
        Err(error) => {
            shared.store_failed(&error);
            Err(error.into())
        }
    }
}

/// The ARN of the Map Run that a task of an execution asks for. The same each time: what it names is made once.
pub(crate) fn map_run_arn(
    place: &Place,
    facts: &Facts,
    task: TaskId,
    state: &str,
    label: Option<&str>,
) -> String {
    let machine = base_name(&facts.machine_name);
    let label = label_of(machine, state, label);
    let uuid = uuid_of(&["map run", &facts.arn, &task.0.to_string()]);
    place.map_run(machine, &label, &uuid)
}

/// The label of a Map, which is made from its name where it was given none.
pub(crate) fn label_of(machine: &str, state: &str, given: Option<&str>) -> String {
    given.map_or_else(|| uuid_of(&["label", machine, state]), str::to_owned)
}

/// The name of a machine, without the label of the Map whose children it is of.
pub(crate) fn base_name(machine_name: &str) -> &str {
    machine_name.split('/').next().unwrap_or(machine_name)
}

/// The name and the ARN of a child of a Map Run. `labelled` is `machine/label`; `round` is the redrive of the run in which
/// an EXPRESS child is started: it is another execution each time, and a STANDARD one is redriven.
pub(crate) fn child_arn(
    place: &Place,
    map_run_arn: &str,
    labelled: &str,
    index: u32,
    express: bool,
    round: u32,
) -> (String, String) {
    let (index, round) = (index.to_string(), if express { round.to_string() } else { String::new() });
    let name = uuid_of(&["child", map_run_arn, &index, &round]);
    let arn = if express {
        let uuid = uuid_of(&["express child", map_run_arn, &index, &round]);
        place.express(labelled, &name, &uuid)
    } else {
        place.execution(labelled, &name)
    };
    (name, arn)
}

/// A UUID that follows from texts.
fn uuid_of(texts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}
