//! RedriveExecution, and what of it is our own: from a chosen state, with another input, onto the current definition.

use serde_json::json;
use service::RedriveExecution;

use super::{Call, seconds};
use crate::errors::WireError;
use crate::reply::Reply;
use crate::shape::{ARN, Kind, Member, Members, PAYLOAD, Pattern, optional, required, text};

const CLIENT_TOKEN: Kind = Kind::Text {
    min: 1,
    max: 64,
    pattern: Some(Pattern {
        text: "[!-~]+",
        holds: |token| token.bytes().all(|byte| byte.is_ascii_graphic()),
    }),
};

pub(super) const REDRIVE: &[Member] = &[required("executionArn", ARN), optional("clientToken", CLIENT_TOKEN)];

/// The longest name of a state (asl-facts 5).
const STATE_NAME: Kind = text(1, 80);

pub(super) const REDRIVE_FROM: &[Member] = &[
    required("executionArn", ARN),
    optional("clientToken", CLIENT_TOKEN),
    optional("fromState", STATE_NAME),
    optional("input", PAYLOAD),
    optional("currentDefinition", Kind::Flag),
];

pub(super) async fn redrive(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let request = RedriveExecution {
        arn: members.required("executionArn"),
        client_token: members.text("clientToken"),
        ..RedriveExecution::default()
    };
    perform(call, request).await
}

pub(super) async fn redrive_from(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let request = RedriveExecution {
        arn: members.required("executionArn"),
        client_token: members.text("clientToken"),
        from: members.text("fromState"),
        input: members.text("input"),
        onto_current: members.flag("currentDefinition") == Some(true),
    };
    perform(call, request).await
}

async fn perform(call: &Call<'_>, request: RedriveExecution) -> Result<Reply, WireError> {
    let redriven_ms = call.service.redrive_execution(request).await?;
    Ok(Reply::of(&json!({"redriveDate": seconds(redriven_ms)})))
}
