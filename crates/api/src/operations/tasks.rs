//! Tasks that are out: success, failure, heartbeat.

use super::{Call, nothing};
use crate::errors::WireError;
use crate::reply::Reply;
use crate::shape::{CAUSE, ERROR, Kind, Member, Members, PAYLOAD, optional, required, text};

const TASK_TOKEN: Kind = text(1, 2048);

pub(super) const SUCCESS: &[Member] = &[required("taskToken", TASK_TOKEN), required("output", PAYLOAD)];
pub(super) const FAILURE: &[Member] =
    &[required("taskToken", TASK_TOKEN), optional("error", ERROR), optional("cause", CAUSE)];
pub(super) const HEARTBEAT: &[Member] = &[required("taskToken", TASK_TOKEN)];

pub(super) async fn succeed(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    call.service.send_task_success(&members.required("taskToken"), members.required("output")).await?;
    Ok(nothing())
}

pub(super) async fn fail(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let token = members.required("taskToken");
    call.service.send_task_failure(&token, members.text("error"), members.text("cause")).await?;
    Ok(nothing())
}

pub(super) async fn heartbeat(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    call.service.send_task_heartbeat(&members.required("taskToken")).await?;
    Ok(nothing())
}
