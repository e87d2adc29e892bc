//! What a Map Run has to do: the plan of its parent's state, with the texts that it names.

use std::sync::Arc;

use asl::machine::{Body, StateId};
use asl::states::map::distributed::Transformation;
use connect::Reading;
use engine::{Execution, MapRunPlan, TaskId};
use store::ExecutionId;

use crate::clock::now_ms;
use crate::map_run::progress::MapRunLimits;
use crate::map_run::record::{MapRunRecord, MapRunStatus, base_name, child_arn};
use crate::pace::Compiled;
use crate::service::Shared;

/// What a run has to do, taken from its parent when it begins.
pub(crate) struct Work {
    pub(super) id: ExecutionId,
    pub(super) parent: ExecutionId,
    pub(super) plan: MapRunPlan,
    /// When the parent was last redriven: with it the run was, if it was.
    redriven_ms: Option<i64>,
    pub(super) execution_arn: String,
    /// `machine/label`, and the ARN of that machine.
    pub(super) labelled: String,
    pub(super) machine_arn: String,
    pub(super) role_arn: String,
    pub(super) region: String,
    pub(super) trace_header: Option<String>,
    /// How the parent is logged: its children are logged there too.
    pub(super) log: Option<Arc<str>>,
    pub(super) definition: Arc<Compiled>,
    pub(super) state: StateId,
    pub(super) state_name: Arc<str>,
    pub(super) container: u32,
    pub(super) express: bool,
    pub(super) items: Option<Arc<str>>,
    pub(super) reading: Option<Reading>,
    pub(super) batch_input: Option<Arc<str>>,
    /// Bytes of a batch's input besides its items.
    pub(super) batch_base: usize,
    payload_bytes_max: usize,
    pub(super) writer: Option<Arc<str>>,
    pub(super) transformation: Transformation,
    pub(super) lines: bool,
    pub(super) scope: Arc<str>,
}

impl Work {
    pub(super) fn of(
        shared: &Shared,
        parent: ExecutionId,
        execution: &Execution,
        definition: &Arc<Compiled>,
        task: TaskId,
    ) -> Option<Work> {
        let (state, plan) = execution.map_run(task)?;
        let body = definition.machine.state(state);
        let Body::Map(map) = &body.body else { return None };
        let fields = map.distributed.as_ref()?;
        let facts = execution.facts();
        let text = |id: Option<engine::PayloadId>| id.and_then(|id| execution.text(id));
        // `…:mapRun:MACHINE/LABEL:UUID`
        let label = plan.arn.rsplit(':').nth(1).and_then(|labelled| labelled.rsplit('/').next())?;
        let labelled = format!("{}/{label}", base_name(&facts.machine_name));
        let reading = match (&fields.reader, text(plan.reader)) {
            (Some(reader), Some(arguments)) => {
                Some(Reading { source: reader.source, arguments, format: reader.format.clone() })
            }
            _ => None,
        };
        let batch_input = text(plan.batch_input);
        let around = "{\"BatchInput\":,\"Items\":[]}".len();
        Some(Work {
            id: ExecutionId::of(&plan.arn),
            parent,
            plan: plan.clone(),
            redriven_ms: execution.redrives.last_ms().filter(|_| plan.redrives > 0),
            execution_arn: facts.arn.clone(),
            machine_arn: shared.place().machine(&labelled),
            labelled,
            role_arn: facts.role_arn.clone(),
            region: facts.region.clone(),
            trace_header: facts.trace_header.clone(),
            log: facts.log.clone(),
            definition: definition.clone(),
            state,
            state_name: body.name.clone(),
            container: map.processor.0,
            express: fields.express,
            items: text(plan.items),
            reading,
            batch_base: around + batch_input.as_ref().map_or(0, |input| input.len()),
            batch_input,
            payload_bytes_max: shared.limits().payload_bytes_max,
            writer: text(plan.writer),
            transformation: fields
                .writer
                .as_ref()
                .map_or(Transformation::Compact, |writer| writer.transformation),
            lines: fields.writer.as_ref().is_some_and(|writer| writer.lines),
            scope: execution.text(plan.scope)?,
        })
    }

    /// Whether children get batches.
    pub(super) fn batched(&self) -> bool {
        let plan = &self.plan;
        plan.batch_items_max.is_some() || plan.batch_bytes_max.is_some() || plan.batch_input.is_some()
    }

    /// The most bytes of a batch's input.
    pub(super) fn batch_bytes(&self) -> usize {
        let asked = self.plan.batch_bytes_max.and_then(|bytes| usize::try_from(bytes).ok());
        asked
            .filter(|bytes| *bytes > 0)
            .map_or(self.payload_bytes_max, |bytes| bytes.min(self.payload_bytes_max))
    }

    /// The name and the ARN of a child, as it is called when it is started in this redrive of the run.
    pub(super) fn child_name(&self, shared: &Shared, index: u32, round: u32) -> (String, String) {
        child_arn(shared.place(), &self.plan.arn, &self.labelled, index, self.express, round)
    }

    /// The id of the child that this redrive of the run is about.
    pub(super) fn child_id(&self, shared: &Shared, index: u32) -> ExecutionId {
        ExecutionId::of(&self.child_name(shared, index, self.plan.redrives).1)
    }

    pub(super) fn limits(&self) -> MapRunLimits {
        MapRunLimits {
            max_concurrency: self.plan.max_concurrency,
            tolerated_count: self.plan.tolerated_count,
            tolerated_percentage: self.plan.tolerated_percentage,
        }
    }

    pub(super) fn record(&self) -> MapRunRecord {
        let limits = self.limits();
        MapRunRecord {
            arn: self.plan.arn.to_string(),
            execution_arn: self.execution_arn.clone(),
            task: self.plan.task.0,
            machine_arn: self.machine_arn.clone(),
            status: MapRunStatus::Running,
            started_ms: now_ms(),
            redrive_count: self.plan.redrives,
            redriven_ms: self.redriven_ms,
            stopped_ms: None,
            max_concurrency: limits.max_concurrency,
            tolerated_count: limits.tolerated_count,
            tolerated_percentage: limits.tolerated_percentage,
            executions: Default::default(),
            items: Default::default(),
        }
    }
}
