//! `Loveless.DescribeStorage`: what the store holds and what retention did. An operation of this server alone; AWS has
//! none like it, and clients of AWS never meet it.

use serde_json::json;

use super::{Call, seconds, set};
use crate::errors::WireError;
use crate::reply::Reply;
use crate::shape::{Member, Members};

pub(super) const DESCRIBE: &[Member] = &[];

pub(super) async fn describe(call: &Call<'_>, _: Members) -> Result<Reply, WireError> {
    let storage = call.service.storage().await?;
    let mut answer = json!({
        "openExecutions": storage.open,
        "closedExecutions": storage.closed,
        "bytes": storage.bytes,
        "retentionDays": storage.retention.as_secs_f64() / 86_400.0,
        "purgedSinceStart": storage.purged,
        "expiredSinceStart": storage.expired,
    });
    set(&mut answer, "lastRoundDate", storage.last_round_ms.map(seconds));
    Ok(Reply::of(&answer))
}
