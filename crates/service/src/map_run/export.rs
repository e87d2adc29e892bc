//! ResultWriter: the results of a Map Run as objects, read from its children one after the other (asl-facts 16.4).
//!
//! ```text
//!   PREFIX/MAP-RUN-UUID/manifest.json      which files there are
//!                       SUCCEEDED_0.json   the children that succeeded
//!                       FAILED_0.json      those that failed, took too long or were stopped
//! ```

use std::sync::Arc;

use asl::json::Json;
use asl::states::map::distributed::Transformation;
use asl::timestamp;
use bytes::Bytes;
use connect::Upload;
use engine::{Failure, Status};
use serde_json::json;
use store::ExecutionId;

use crate::execution::ExecutionRecord;
use crate::history;
use crate::machine::decode;
use crate::map_run::work::Work;
use crate::refusal::Refusal;
use crate::service::Shared;

const RESULT_WRITER_FAILED: &str = "States.ResultWriterFailed";
/// Bytes that are gathered before they go out.
const BUFFER_BYTES: usize = 1024 * 1024;
/// The largest file; the next results go into another (asl-facts 16.4).
const FILE_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;

/// A child that has ended, with its texts.
struct Child {
    record: ExecutionRecord,
    input: Arc<str>,
    output: Option<Arc<str>>,
}

/// Why there is no export: the user's failure, or ours.
enum Trouble {
    Writer(String),
    Ours(Refusal),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Trouble::Ours(refusal)
    }
}

/// Writes everything; the output of the state, or why it fails.
pub(super) async fn export(
    shared: &Shared,
    work: &Work,
    children: u64,
) -> Result<Result<String, Failure>, Refusal> {
    match write(shared, work, children).await {
        Ok(output) => Ok(Ok(output)),
        Err(Trouble::Ours(refusal)) => Err(refusal),
        Err(Trouble::Writer(cause)) => {
            let error = Some(RESULT_WRITER_FAILED.into());
            Ok(Err(Failure { error, cause: Some(cause.into()) }))
        }
    }
}

async fn write(shared: &Shared, work: &Work, children: u64) -> Result<String, Trouble> {
    let target: serde_json::Value = serde_json::from_str(work.writer.as_deref().unwrap_or("{}"))
        .map_err(|error| Trouble::Writer(error.to_string()))?;
    let bucket = target["Bucket"].as_str().filter(|bucket| !bucket.is_empty());
    let bucket = bucket.ok_or_else(|| Trouble::Writer("The ResultWriter has no Bucket".into()))?;
    let prefix = target["Prefix"].as_str().unwrap_or_default().trim_end_matches('/');
    let uuid = work.plan.arn.rsplit(':').next().unwrap_or_default();
    let folder = if prefix.is_empty() { uuid.to_owned() } else { format!("{prefix}/{uuid}") };
    let mut succeeded = Files::new(shared, bucket, format!("{folder}/SUCCEEDED"), work.lines);
    let mut failed = Files::new(shared, bucket, format!("{folder}/FAILED"), work.lines);
    for index in 0..u32::try_from(children).unwrap_or(u32::MAX) {
        let Some(child) = child(shared, work, index).await? else { continue };
        match child.record.status {
            Status::Running => {}
            Status::Succeeded => {
                for part in parts(&child, work.transformation) {
                    succeeded.add(&part).await?;
                }
            }
            // There is no output to be brief about: these are told whole.
            Status::Failed | Status::TimedOut | Status::Aborted => failed.add(&whole(&child)).await?,
        }
    }
    let files = json!({
        "FAILED": failed.finish().await?,
        "PENDING": [],
        "SUCCEEDED": succeeded.finish().await?,
    });
    let manifest =
        json!({"DestinationBucket": bucket, "MapRunArn": &*work.plan.arn, "ResultFiles": files}).to_string();
    let key = format!("{folder}/manifest.json");
    let mut upload =
        shared.datasets().write(bucket, &key, "application/json").await.map_err(Trouble::Writer)?;
    upload.write(manifest.into()).await.map_err(Trouble::Writer)?;
    upload.finish().await.map_err(Trouble::Writer)?;
    let details = json!({"Bucket": bucket, "Key": key});
    Ok(json!({"MapRunArn": &*work.plan.arn, "ResultWriterDetails": details}).to_string())
}

/// A child by its number, if there is one: of EXPRESS children the last that was started for it.
async fn child(shared: &Shared, work: &Work, index: u32) -> Result<Option<Child>, Refusal> {
    let rounds = if work.express { work.plan.redrives } else { 0 };
    for round in (0..=rounds).rev() {
        let id = ExecutionId::of(&work.child_name(shared, index, round).1);
        if let Some(child) = child_of(shared, id).await? {
            return Ok(Some(child));
        }
    }
    Ok(None)
}

async fn child_of(shared: &Shared, id: ExecutionId) -> Result<Option<Child>, Refusal> {
    let Some(loaded) = shared.store.load(id).await? else { return Ok(None) };
    let Some(listing) = loaded.listing else { return Ok(None) };
    let record: ExecutionRecord = decode(&listing.body)?;
    let mut texts = history::payloads_in(&*shared.store, id, record.input.step).await?;
    if let Some(output) = record.output.filter(|output| output.step != record.input.step) {
        texts.extend(history::payloads_in(&*shared.store, id, output.step).await?);
    }
    let text = |id| texts.iter().find(|(payload, _)| *payload == id).map(|(_, text)| text.clone());
    let input = text(record.input).unwrap_or_else(|| "null".into());
    let output = record.output.and_then(text);
    Ok(Some(Child { record, input, output }))
}

/// The output of a child alone, from its list row and the one chunk that has it.
pub(super) async fn result_of(
    shared: &Shared,
    work: &Work,
    index: u32,
    transformation: Transformation,
) -> Result<Option<Arc<str>>, Refusal> {
    let Some(child) = child(shared, work, index).await? else { return Ok(None) };
    Ok(match transformation {
        Transformation::None => Some(whole(&child).into()),
        Transformation::Compact | Transformation::Flatten => child.output,
    })
}

/// What is written of a child that succeeded.
fn parts(child: &Child, transformation: Transformation) -> Vec<String> {
    let output = child.output.as_deref().unwrap_or("null");
    match (transformation, Json::parse(output)) {
        (Transformation::None, _) => vec![whole(child)],
        (Transformation::Flatten, Ok(Json::Array(items))) => items.iter().map(Json::to_text).collect(),
        // One line each, whatever white space the child had.
        (_, Ok(value)) => vec![value.to_text()],
        (_, Err(_)) => vec![output.to_owned()],
    }
}

/// All that is known of a child: inputs and outputs are texts, as in its description.
fn whole(child: &Child) -> String {
    let Child { record, input, output } = child;
    let included = json!({"Included": true});
    let mut shown = json!({
        "ExecutionArn": record.arn,
        "Input": &**input,
        "InputDetails": included,
        "Name": record.name,
        "RedriveCount": record.redrive_count,
        "StartDate": timestamp::format(record.started_ms).as_str(),
        "StateMachineArn": record.machine_arn,
        "Status": record.status.as_str(),
    });
    let mut set = |name: &str, value: Option<serde_json::Value>| {
        if let Some(value) = value {
            shown[name] = value;
        }
    };
    set("Output", output.as_deref().map(Into::into));
    set("OutputDetails", output.is_some().then_some(included));
    set("Error", record.error.clone().map(Into::into));
    set("Cause", record.cause.clone().map(Into::into));
    set("StopDate", record.stopped_ms.map(|ms| timestamp::format(ms).as_str().into()));
    let succeeded = record.status == Status::Succeeded;
    set("RedriveStatus", Some(if succeeded { "NOT_REDRIVABLE" } else { "REDRIVABLE_BY_MAP_RUN" }.into()));
    let reason = "Execution is SUCCEEDED and cannot be redriven";
    set("RedriveStatusReason", succeeded.then(|| reason.into()));
    shown.to_string()
}

/// The files of one kind of results.
struct Files<'a> {
    shared: &'a Shared,
    bucket: &'a str,
    name: String,
    lines: bool,
    upload: Option<(String, Box<dyn Upload>)>,
    buffer: Vec<u8>,
    bytes: u64,
    written: Vec<serde_json::Value>,
}

impl<'a> Files<'a> {
    fn new(shared: &'a Shared, bucket: &'a str, name: String, lines: bool) -> Self {
        Files { shared, bucket, name, lines, upload: None, buffer: Vec::new(), bytes: 0, written: Vec::new() }
    }

    async fn add(&mut self, result: &str) -> Result<(), Trouble> {
        if self.bytes + result.len() as u64 + 2 > FILE_BYTES_MAX {
            self.close().await?;
        }
        if self.upload.is_none() {
            let (kind, content_type) =
                if self.lines { ("jsonl", "application/jsonl") } else { ("json", "application/json") };
            let key = format!("{}_{}.{kind}", self.name, self.written.len());
            let upload = self.shared.datasets().write(self.bucket, &key, content_type).await;
            self.upload = Some((key, upload.map_err(Trouble::Writer)?));
            self.put(if self.lines { "" } else { "[" });
        } else if !self.lines {
            self.put(",");
        }
        self.put(result);
        if self.lines {
            self.put("\n");
        }
        if self.buffer.len() >= BUFFER_BYTES { self.flush().await } else { Ok(()) }
    }

    fn put(&mut self, text: &str) {
        self.bytes += text.len() as u64;
        self.buffer.extend_from_slice(text.as_bytes());
    }

    async fn flush(&mut self) -> Result<(), Trouble> {
        let bytes = Bytes::from(std::mem::take(&mut self.buffer));
        match &mut self.upload {
            Some((_, upload)) => upload.write(bytes).await.map_err(Trouble::Writer),
            None => Ok(()),
        }
    }

    async fn close(&mut self) -> Result<(), Trouble> {
        if self.upload.is_none() {
            return Ok(());
        }
        if !self.lines {
            self.put("]");
        }
        self.flush().await?;
        if let Some((key, upload)) = self.upload.take() {
            let size = upload.finish().await.map_err(Trouble::Writer)?;
            self.written.push(json!({"Key": key, "Size": size}));
        }
        self.bytes = 0;
        Ok(())
    }

    async fn finish(mut self) -> Result<Vec<serde_json::Value>, Trouble> {
        self.close().await?;
        Ok(self.written)
    }
}
