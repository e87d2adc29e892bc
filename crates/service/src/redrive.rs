//! RedriveExecution: an execution that ended without success goes on, under its ARN, with its history.
//!
//! Whether it can, and what goes on, the engine says; this is what stands around it: the machine must still be there, and
//! a request of the extended mode names a state, an input or the machine's current definition.
//!
//! A redrive and a deletion of the machine may meet. The deletion stops what runs after it has marked the machine; so a
//! redrive looks for the mark once more when it is durable, and stops by itself what the deletion may have missed. A row of
//! the catalogue tells of a redrive that has not looked yet, so that a crash in between does not keep it from looking.

use std::sync::Arc;

use engine::{Event, NotRedrivable, Redrive, Rejected, Restart, Status, Unfit};
use store::{Catalogue, Expect};
use tokio::sync::oneshot;

use crate::clock::now_ms;
use crate::execution::ExecutionRecord;
use crate::live::Live;
use crate::machine::MachineRecord;
use crate::owner::{Answer, Failed, Job};
use crate::pace::Compiled;
use crate::refusal::Refusal;
use crate::service::Service;

/// Why an execution of a machine that goes, or is gone, is not redriven (asl-facts 6).
const DELETING: &str = "State machine is in DELETING status";
/// Why a Map Run's child is not redriven by itself. The text is ours.
const OF_MAP_RUN: &str =
    "The execution was started by a Map Run: redrive the execution that the Map Run belongs to";
/// What the revision before the first update is called (asl-facts 5).
const INITIAL: &str = "INITIAL";

/// The catalogue's rows of redrives that are on their way.
const UNDERWAY: &str = "redrive";
/// Rows that are read at a time.
const ROWS_PER_READ: usize = 100;

/// Redrives that have not looked yet whether their machine is still there.
pub(crate) struct Underway {
    catalogue: Arc<dyn Catalogue>,
}

impl Underway {
    pub(crate) fn new(catalogue: Arc<dyn Catalogue>) -> Self {
        Underway { catalogue }
    }

    /// Notes a redrive; gives the key of its row, which no other redrive has.
    async fn note(&self, arn: &str) -> Result<String, Refusal> {
        let key = uuid::Uuid::new_v4().to_string();
        let body = arn.to_owned().into_bytes().into();
        self.catalogue.put(UNDERWAY, &key, Expect::Absent, body).await?;
        Ok(key)
    }

    async fn forget(&self, key: &str) -> Result<(), Refusal> {
        self.catalogue.delete(UNDERWAY, key, None).await?;
        Ok(())
    }
}

/// What a redrive asks for.
#[derive(Clone, Debug, Default)]
pub struct RedriveExecution {
    /// The execution's ARN.
    pub arn: String,
    /// The same token a short time later is the same request.
    pub client_token: Option<String>,
    /// The extended mode: a state to begin at instead of where the execution ended.
    pub from: Option<String>,
    /// The extended mode: the input with which that state is entered, a JSON text.
    pub input: Option<String>,
    /// The extended mode: whether it goes on with the machine's current definition.
    pub onto_current: bool,
}

/// What is to be otherwise than when the execution ended.
pub(crate) struct Amendment {
    restart: Option<Restart>,
    /// The definition that it goes on with, when it is another one.
    pub(crate) onto: Option<Arc<Compiled>>,
    /// The revision that this definition is.
    revision: Option<Arc<str>>,
}

impl Amendment {
    /// Completes the event of a redrive for one execution.
    pub(crate) fn fit(
        &self,
        live: &Live,
        redrive: &mut Redrive,
        now_ms: i64,
        limits: engine::Limits,
    ) -> Result<(), Failed> {
        if live.execution.not_redrivable(now_ms, limits).is_some() {
            // The engine says so in its own words.
            return Ok(());
        }
        let old = &live.definition.machine;
        let new = self.onto.as_ref().map_or(old, |onto| &onto.machine);
        let graft = live.execution.graft(old, new, self.revision.clone(), self.restart.clone());
        redrive.graft = Some(graft.map_err(|Unfit(why)| Failed::Refused(Refusal::Validation(why)))?);
        Ok(())
    }
}

impl Service {
    /// RedriveExecution; the moment at which it went on, in milliseconds since the epoch.
    ///
    /// # Errors
    /// No such execution; it cannot be redriven; or what the extended mode asks for does not fit it.
    pub async fn redrive_execution(&self, request: RedriveExecution) -> Result<i64, Refusal> {
        let (id, record) = self.execution_record(&request.arn).await?;
        if record.child.is_some() {
            return Err(Refusal::ExecutionNotRedrivable(OF_MAP_RUN.into()));
        }
        let machine = self.machine_of(&record).await?;
        let machine = machine.ok_or_else(|| Refusal::ExecutionNotRedrivable(DELETING.into()))?;
        if record.status != Status::Running {
            // One that runs may have been redriven by this very request before.
            self.shared().check_open()?;
        }
        let amendment = self.amendment(&request, &record, &machine).await?;
        let token = request.client_token.map(Into::into);
        let event = Event::Redrive(Box::new(Redrive { token, graft: None }));
        let (reply, answer) = oneshot::channel();
        let job = Job {
            execution: id,
            event,
            definition: None,
            amendment: amendment.map(Arc::new),
            timer: None,
            attempts: 0,
            reply,
        };
        // Whoever asked may go away; the look at the machine is due all the same.
        let service = self.clone();
        let going = self.shared().underway.spawn(async move { service.go_on(job, answer, &record).await });
        match going.await.map_err(|error| Refusal::Unavailable(format!("the redrive broke: {error}")))? {
            Ok(redriven_ms) => Ok(redriven_ms),
            Err(Failed::Rejected(Rejected::RedrivenBefore(at_ms))) => Ok(at_ms),
            Err(Failed::Rejected(Rejected::NotRedrivable(why))) => {
                Err(Refusal::ExecutionNotRedrivable(why.to_string()))
            }
            Err(Failed::Absent | Failed::NameTaken) => Err(Refusal::ExecutionDoesNotExist(request.arn)),
            Err(failed) => Err(failed.into_refusal()),
        }
    }

    /// Redrives, and then looks for the machine once more.
    async fn go_on(
        &self,
        job: Job,
        answer: oneshot::Receiver<Result<Answer, Failed>>,
        record: &ExecutionRecord,
    ) -> Result<i64, Failed> {
        let redrives = &self.shared().redrives;
        let note = redrives.note(&record.arn).await.map_err(Failed::Refused)?;
        let answered = self.shared().submit(job, answer).await;
        let orphaned = match &answered {
            Ok(_) => self.undo_if_orphaned(record).await.map_err(Failed::Refused)?,
            Err(_) => false,
        };
        if let Err(Failed::Refused(Refusal::Unavailable(why))) = answered {
            // Nobody knows whether it is durable; the next start looks.
            return Err(Failed::Refused(Refusal::Unavailable(why)));
        }
        redrives.forget(&note).await.map_err(Failed::Refused)?;
        match answered? {
            _ if orphaned => Err(Failed::Refused(Refusal::ExecutionNotRedrivable(DELETING.into()))),
            answer => Ok(answer.record.redriven_ms.unwrap_or_else(now_ms)),
        }
    }

    /// Stops an execution whose machine has gone meanwhile; says whether it has.
    async fn undo_if_orphaned(&self, record: &ExecutionRecord) -> Result<bool, Refusal> {
        let orphaned = self.machine_of(record).await?.is_none();
        if orphaned {
            self.stop_execution(&record.arn, None, None).await?;
        }
        Ok(orphaned)
    }

    /// Redrives that a stop of the server cut off before they had looked for their machine.
    pub(crate) async fn finish_redrives(&self) -> Result<(), Refusal> {
        let redrives = &self.shared().redrives;
        let mut after: Option<String> = None;
        loop {
            let rows = redrives.catalogue.list(UNDERWAY, after.as_deref(), ROWS_PER_READ).await?;
            let Some((last, _)) = rows.last() else { return Ok(()) };
            after = Some(last.clone());
            for (key, row) in rows {
                let arn = String::from_utf8_lossy(&row.body);
                match self.finish_redrive(&arn).await {
                    Ok(()) => redrives.forget(&key).await?,
                    // One execution must not keep the others from starting.
                    Err(error) => {
                        tracing::warn!(execution = %arn, %error, "the next start looks after its redrive")
                    }
                }
            }
        }
    }

    async fn finish_redrive(&self, arn: &str) -> Result<(), Refusal> {
        match self.execution_record(arn).await {
            Ok((_, record)) => self.undo_if_orphaned(&record).await.map(|_| ()),
            Err(Refusal::ExecutionDoesNotExist(_)) => Ok(()),
            Err(other) => Err(other),
        }
    }

    /// Why an execution cannot be redriven, in the words of `redriveStatusReason`; `None` when it can.
    pub(crate) async fn not_redrivable(&self, record: &ExecutionRecord) -> Result<Option<String>, Refusal> {
        let limits = self.shared().limits();
        let (started_ms, stopped_ms) = (record.started_ms, record.stopped_ms);
        let why = NotRedrivable::why(record.status, started_ms, stopped_ms, record.events, now_ms(), limits);
        if let Some(why) = why {
            return Ok(Some(why.to_string()));
        }
        if record.child.is_some() {
            // Its Map Run could; its machine is but a part of another.
            return Ok(None);
        }
        Ok(self.machine_of(record).await?.is_none().then(|| DELETING.to_owned()))
    }

    /// The machine of an execution, unless it goes or is gone; a later one of the same name is another.
    async fn machine_of(&self, record: &ExecutionRecord) -> Result<Option<MachineRecord>, Refusal> {
        match self.shared().machines.record(&record.machine_arn).await {
            Ok((machine, _)) => {
                Ok(Some(machine)
                    .filter(|machine| !machine.deleting && machine.created_ms <= record.started_ms))
            }
            Err(Refusal::StateMachineDoesNotExist(_)) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// What the extended mode asks for, if anything.
    async fn amendment(
        &self,
        request: &RedriveExecution,
        record: &ExecutionRecord,
        machine: &MachineRecord,
    ) -> Result<Option<Amendment>, Refusal> {
        let restart = match (&request.from, &request.input) {
            (Some(state), input) => {
                input.as_deref().map(|input| self.check_input(input)).transpose()?;
                Some(Restart { state: state.as_str().into(), input: input.as_deref().map(Into::into) })
            }
            (None, Some(_)) => {
                let why = "input: it is the input of a state; name the state in fromState";
                return Err(Refusal::Validation(why.into()));
            }
            (None, None) => None,
        };
        let onto = request.onto_current && machine.definition != record.definition;
        if restart.is_none() && !onto {
            return Ok(None);
        }
        let (mut definition, mut revision) = (None, None);
        if onto {
            let compiled = self.shared().machines.compiled(&machine.definition).await;
            definition = Some(compiled.map_err(Failed::into_refusal)?);
            revision = Some(machine.revision_id.as_deref().unwrap_or(INITIAL).into());
        }
        Ok(Some(Amendment { restart, onto: definition, revision }))
    }
}

#[cfg(test)]
mod tests {
    use engine::Status;
    use store::MemoryDisk;

    use crate::testing;

    /// The server died between a redrive and its look at the machine, which was gone by then.
    #[tokio::test]
    async fn a_crash_does_not_leave_a_running_execution_of_no_machine() {
        let disk = MemoryDisk::default();
        let service = testing::open_on(&disk).await;
        let wait = serde_json::json!({"Type": "Wait", "Seconds": 3600, "End": true});
        let arn = testing::machine(&service, wait).await;
        let (orphan, other) = (testing::start(&service, &arn).await, testing::start(&service, &arn).await);
        let redrives = &service.shared().redrives;
        redrives.note(&orphan).await.unwrap();
        let machine = service.shared().machines.mark_deleting(&arn).await.unwrap().unwrap();
        let (_, version) = service.shared().machines.record(&arn).await.unwrap();
        assert!(service.shared().machines.remove(&machine, version).await.unwrap());
        drop(service);

        let service = testing::open_on(&disk).await;
        let stopped = service.describe_execution(&orphan).await.unwrap().record;
        assert_eq!(stopped.status, Status::Aborted);
        // Only what was noted is looked at, and only once.
        assert_eq!(service.describe_execution(&other).await.unwrap().record.status, Status::Running);
        let rows = service.shared().redrives.catalogue.list(super::UNDERWAY, None, 1).await.unwrap();
        assert!(rows.is_empty());
    }
}
