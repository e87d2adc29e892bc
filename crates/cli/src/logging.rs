//! Executions to logs, and CloudWatch Logs' operations to who answers them.

use std::sync::Arc;

use api::log_records;
use bytes::Bytes;
use http::{Request, Response};
use logs::{Batch, Logs, Recorder};
use service::{LogSink, Told};
use tokio::sync::Semaphore;

/// Requests that read logs at the same time: each may go through 32 MiB of files.
const READS_MAX: usize = 4;

/// What executions tell, on its way to log groups.
#[derive(Debug)]
pub(crate) struct ExecutionLogs {
    logs: Logs,
    recorder: Recorder<Told>,
}

impl ExecutionLogs {
    pub(crate) fn start(logs: Logs) -> std::io::Result<ExecutionLogs> {
        let recorder = Recorder::start(logs.clone(), batch)?;
        Ok(ExecutionLogs { logs, recorder })
    }

    /// Writes what waits; what comes later is dropped.
    pub(crate) fn close(&self) {
        self.recorder.close();
    }
}

impl LogSink for ExecutionLogs {
    fn has_group(&self, arn: &str) -> bool {
        self.logs.has(arn)
    }

    fn tell(&self, told: Told) {
        /// What an event takes besides its payloads.
        const EVENT_BYTES: usize = 256;
        let texts: usize = told.texts.values().map(|text| text.len()).sum();
        let bytes = texts + told.events.len() * EVENT_BYTES;
        self.recorder.offer(told, bytes);
    }
}

fn batch(told: Told) -> Batch {
    let kind = if told.express { "express" } else { "states" };
    let prefix = format!("{kind}/{}", told.machine_name);
    let events = log_records(&told);
    Batch { group_arn: told.group_arn, prefix, events }
}

/// Answers CloudWatch Logs' operations.
#[derive(Clone)]
pub(crate) struct LogsEndpoint {
    logs: Logs,
    reads: Arc<Semaphore>,
}

impl LogsEndpoint {
    pub(crate) fn new(logs: Logs) -> LogsEndpoint {
        LogsEndpoint { logs, reads: Arc::new(Semaphore::new(READS_MAX)) }
    }

    pub(crate) async fn answer(self, request: Request<Bytes>) -> Response<Bytes> {
        let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
        let operation = target.unwrap_or_default().rsplit('.').next().unwrap_or_default().to_owned();
        let _place = self.reads.acquire().await;
        let logs = self.logs.clone();
        let answered = tokio::task::spawn_blocking(move || logs.answer(&operation, request.body())).await;
        let (status, code, body) = match answered {
            Ok(Ok(answer)) => (200, None, answer),
            Ok(Err(error)) => {
                let body = serde_json::json!({"__type": error.code, "message": error.message});
                (error.status, Some(error.code), body)
            }
            Err(error) => {
                tracing::error!(%error, "a request for logs broke");
                let body = serde_json::json!({"__type": "InternalFailure", "message": "Loveless broke on this request"});
                (500, Some("InternalFailure"), body)
            }
        };
        let mut response =
            Response::builder().status(status).header("content-type", "application/x-amz-json-1.1");
        if let Some(code) = code {
            response = response.header("x-amzn-errortype", code);
        }
        response.body(Bytes::from(body.to_string())).unwrap_or_default()
    }
}
