//! GetExecutionHistory: pages of events, in either direction.

use serde::Serialize;
use service::HistoryRange;

use super::Call;
use crate::errors::WireError;
use crate::history::Events;
use crate::page_token::{self, Kind as PageKind};
use crate::reply::Reply;
use crate::shape::{ARN, Kind, Member, Members, PAGE_SIZE, PAGE_TOKEN, optional, required};

pub(super) const HISTORY: &[Member] = &[
    required("executionArn", ARN),
    optional("maxResults", PAGE_SIZE),
    optional("reverseOrder", Kind::Flag),
    optional("nextToken", PAGE_TOKEN),
    optional("includeExecutionData", Kind::Flag),
];

/// The answer.
#[derive(Serialize)]
struct Page<'a> {
    events: Events<'a>,
    #[serde(rename = "nextToken", skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

pub(super) async fn page(call: &Call<'_>, mut members: Members) -> Result<Reply, WireError> {
    let arn = members.required("executionArn");
    let reverse = members.flag("reverseOrder").unwrap_or(false);
    let question = [arn.as_str(), if reverse { "reverse" } else { "" }];
    let from = match members.text("nextToken") {
        None => None,
        Some(token) => Some(place(&question, &token).ok_or_else(WireError::invalid_token)?),
    };
    let range = HistoryRange { reverse, limit: members.page_size(), from };
    let page = call.service.history(&arn, range).await?;
    let with_data = members.flag("includeExecutionData").unwrap_or(true);
    let next = page.next.map(|(step, event)| {
        let place = [step.to_be_bytes(), event.to_be_bytes()].concat();
        page_token::write(PageKind::History, &question, &place)
    });
    let events =
        Events { events: &page.events, texts: &page.texts, with_data, payload_bytes_max: usize::MAX };
    Ok(Reply::of(&Page { events, next }))
}

/// The step and the event at which a page begins.
fn place(question: &[&str], token: &str) -> Option<(u64, u64)> {
    let place = page_token::read(PageKind::History, question, token)?;
    let (step, event) = place.split_at_checked(8)?;
    Some((u64::from_be_bytes(step.try_into().ok()?), u64::from_be_bytes(event.try_into().ok()?)))
}
