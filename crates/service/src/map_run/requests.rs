//! What is asked of Map Runs: describe, list, change; and of their children.

use engine::NotRedrivable;
use store::{ExecutionId, ListQuery, Order};

use crate::arn::StatesArn;
use crate::clock::now_ms;
use crate::execution::{ExecutionPage, ExecutionRecord, ListExecutions};
use crate::machine::decode;
use crate::map_run::progress::MapRunLimits;
use crate::map_run::record::{self, MapRunRecord, MapRunStatus, Stored, runs_of};
use crate::refusal::Refusal;
use crate::service::Service;

/// Pages of the store that one request looks through for a child that fits its filters; the next request goes on.
const LOOKS_MAX: u32 = 16;

/// What UpdateMapRun asks for; absent parts stay.
#[derive(Clone, Copy, Debug, Default)]
pub struct UpdateMapRun {
    /// Children that may run at a time, 0 for no limit but the service's.
    pub max_concurrency: Option<u64>,
    /// Items that may fail.
    pub tolerated_count: Option<u64>,
    /// Items of a hundred that may fail.
    pub tolerated_percentage: Option<f64>,
}

/// A page of Map Runs, newest first.
#[derive(Clone, Debug, Default)]
pub struct MapRunPage {
    /// The Map Runs.
    pub map_runs: Vec<MapRunRecord>,
    /// Where the next page begins.
    pub next: Option<Vec<u8>>,
}

impl Service {
    /// DescribeMapRun.
    ///
    /// # Errors
    /// No such Map Run.
    pub async fn describe_map_run(&self, arn: &str) -> Result<MapRunRecord, Refusal> {
        let mut record = self.map_run(arn).await?.record;
        if record.status == MapRunStatus::Running
            && let Some(progress) = self.shared().map_runs.get(record.id())
        {
            let tally = progress.tally();
            record.executions = tally.executions;
            record.items = tally.items;
        }
        Ok(record)
    }

    /// ListMapRuns.
    ///
    /// # Errors
    /// No such execution, or a cursor that is none.
    pub async fn list_map_runs(
        &self,
        execution_arn: &str,
        cursor: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<MapRunPage, Refusal> {
        self.describe_execution(execution_arn).await?;
        let query = ListQuery {
            group: Some(runs_of(execution_arn)),
            status: None,
            cursor: cursor.map(Into::into),
            limit,
            order: Order::NewestFirst,
        };
        let page = self.shared().store.list(query).await?;
        let map_runs = page.rows.iter().map(|(_, row)| decode(&row.body)).collect::<Result<_, _>>()?;
        Ok(MapRunPage { map_runs, next: page.next.map(|cursor| cursor.to_vec()) })
    }

    /// UpdateMapRun.
    ///
    /// # Errors
    /// No such Map Run, or it has ended.
    pub async fn update_map_run(&self, arn: &str, request: UpdateMapRun) -> Result<(), Refusal> {
        loop {
            let Stored { mut record, version, .. } = self.map_run(arn).await?;
            if record.status != MapRunStatus::Running {
                return Err(Refusal::MapRunCompleted(arn.to_owned()));
            }
            record.max_concurrency = request.max_concurrency.unwrap_or(record.max_concurrency);
            record.tolerated_count = request.tolerated_count.or(record.tolerated_count);
            record.tolerated_percentage = request.tolerated_percentage.or(record.tolerated_percentage);
            if !record::update(self.shared(), &record, version).await? {
                continue;
            }
            if let Some(progress) = self.shared().map_runs.get(record.id()) {
                progress.set_limits(MapRunLimits {
                    max_concurrency: record.max_concurrency,
                    tolerated_count: record.tolerated_count,
                    tolerated_percentage: record.tolerated_percentage,
                });
            }
            return Ok(());
        }
    }

    /// The children of a Map Run. The store knows nothing of redrives: it is asked for more, and what fits is kept. So a page
    /// may be short, or even empty, and still have a next one.
    pub(crate) async fn children(
        &self,
        run: &MapRunRecord,
        mut request: ListExecutions,
    ) -> Result<ExecutionPage, Refusal> {
        if request.pending_redrive && !is_being_redriven(run) {
            return Ok(ExecutionPage::default());
        }
        let fits = |child: &ExecutionRecord| {
            let status = match child.pending_redrive {
                true => request.pending_redrive || request.status.is_none(),
                false => !request.pending_redrive,
            };
            status && request.redriven.is_none_or(|redriven| redriven == (child.redrive_count > 0))
        };
        let mut cursor = request.cursor.take();
        let mut looks = 1;
        loop {
            let mut page = self.look(run, &request, cursor).await?;
            page.executions.retain(fits);
            if !page.executions.is_empty() || page.next.is_none() || looks == LOOKS_MAX {
                return Ok(page);
            }
            looks += 1;
            cursor = page.next;
        }
    }

    async fn look(
        &self,
        run: &MapRunRecord,
        request: &ListExecutions,
        cursor: Option<Vec<u8>>,
    ) -> Result<ExecutionPage, Refusal> {
        let mut page = self.page(ListExecutions { cursor, ..request.clone() }).await?;
        for child in &mut page.executions {
            child.pending_redrive = self.is_pending_redrive(run, child);
        }
        Ok(page)
    }

    /// Finds out whether an execution waits for its Map Run to redrive it.
    pub(crate) async fn with_pending_redrive(
        &self,
        mut record: ExecutionRecord,
    ) -> Result<ExecutionRecord, Refusal> {
        let Some(child) = record.child.as_ref().filter(|_| record.stopped_ms.is_some()) else {
            return Ok(record);
        };
        if let Some(run) = record::load(self.shared(), ExecutionId::of(&child.map_run_arn)).await? {
            record.pending_redrive = self.is_pending_redrive(&run.record, &record);
        }
        Ok(record)
    }

    fn is_pending_redrive(&self, run: &MapRunRecord, child: &ExecutionRecord) -> bool {
        let limits = self.shared().limits();
        let (started_ms, stopped_ms) = (child.started_ms, child.stopped_ms);
        is_being_redriven(run)
            && child.waits_for_redrive(run.redrive_count)
            && NotRedrivable::why(child.status, started_ms, stopped_ms, child.events, now_ms(), limits)
                .is_none()
    }

    /// Whether executions are listed under an ARN: those of an EXPRESS machine are not. The Map Run, if it is one's.
    pub(crate) async fn check_listed(&self, arn: &str) -> Result<Option<MapRunRecord>, Refusal> {
        match StatesArn::parse(arn, &["stateMachine", "mapRun"])?.kind {
            "mapRun" => Ok(Some(self.map_run(arn).await?.record)),
            _ if self.shared().resolve(arn).await?.revision.express => {
                Err(Refusal::StateMachineTypeNotSupported(String::new()))
            }
            _ => Ok(None),
        }
    }

    /// A Map Run by its ARN.
    pub(crate) async fn map_run(&self, arn: &str) -> Result<Stored, Refusal> {
        StatesArn::parse(arn, &["mapRun"])?;
        let stored = record::load(self.shared(), ExecutionId::of(arn)).await?;
        let stored = stored.filter(|stored| stored.record.arn == arn);
        stored.ok_or_else(|| Refusal::MapRunDoesNotExist(arn.to_owned()))
    }
}

/// Whether a run goes on after a redrive.
fn is_being_redriven(run: &MapRunRecord) -> bool {
    run.status == MapRunStatus::Running && run.redrive_count > 0
}
