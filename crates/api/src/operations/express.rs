//! StartSyncExecution: runs an EXPRESS machine and answers with what became of it.
//!
//! The answer's status is 200 whether the execution succeeded or not (asl-facts 6).

use engine::Status;
use serde_json::json;
use service::ExpressEnded;

use super::executions::{TRACE_HEADER, asked};
use super::{Call, seconds, set};
use crate::errors::WireError;
use crate::reply::Reply;
use crate::shape::{ARN, INCLUDED_DATA, Member, Members, NAME, PAYLOAD, optional, required};

pub(super) const START_SYNC: &[Member] = &[
    required("stateMachineArn", ARN),
    optional("name", NAME),
    optional("input", PAYLOAD),
    optional("traceHeader", TRACE_HEADER),
    optional("includedData", INCLUDED_DATA),
];

/// What is billed is a multiple of these.
const BILLED_MS: u64 = 100;
const BILLED_MB: usize = 64;

pub(super) async fn start_sync(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let with_data = members.text("includedData").as_deref() != Some("METADATA_ONLY");
    let ended = call.service.start_sync_execution(asked(call, &mut members)).await?;
    let mut answer = json!({
        "executionArn": ended.arn,
        "stateMachineArn": ended.machine_arn,
        "name": ended.name,
        "startDate": seconds(ended.started_ms),
        "stopDate": seconds(ended.stopped_ms),
        "status": ended.status.as_str(),
        "billingDetails": {
            "billedDurationInMilliseconds": billed_ms(&ended),
            "billedMemoryUsedInMB": billed_mb(&ended),
        },
    });
    if with_data {
        answer["input"] = (*ended.input).into();
        answer["inputDetails"] = json!({"included": true});
        // There even when there is no output (recorded).
        answer["outputDetails"] = json!({"included": true});
        set(&mut answer, "output", ended.output.as_deref());
    }
    set(&mut answer, "traceHeader", ended.trace_header);
    if ended.status != Status::Succeeded {
        set(&mut answer, "error", ended.error.as_deref());
        set(&mut answer, "cause", ended.cause.as_deref());
    }
    Ok(Reply::of(&answer))
}

fn billed_ms(ended: &ExpressEnded) -> u64 {
    let took_ms = u64::try_from(ended.stopped_ms - ended.started_ms).unwrap_or(0);
    took_ms.max(1).next_multiple_of(BILLED_MS)
}

fn billed_mb(ended: &ExpressEnded) -> usize {
    ended.bytes_max.div_ceil(1 << 20).max(1).next_multiple_of(BILLED_MB)
}
