//! PutEvents: up to ten events, each accepted or refused by itself.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::delivery::now_seconds;
use crate::error::EventsError;
use crate::event::Event;
use crate::rule::bus_name;
use crate::service::Inner;
use crate::time::rfc3339;

/// AWS's limits.
const ENTRIES_MAX: usize = 10;
const BYTES_MAX: usize = 1024 * 1024;
/// What AWS counts for an entry that has a time.
const TIME_BYTES: usize = 14;
/// Year 9999 and beyond is no time that an event can carry.
const SECONDS_MAX: f64 = 253_402_300_799.0;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PutEvents {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    source: Option<String>,
    detail_type: Option<String>,
    detail: Option<String>,
    #[serde(default)]
    resources: Vec<String>,
    /// Seconds since 1970, perhaps with a fraction.
    time: Option<f64>,
    event_bus_name: Option<String>,
}

pub(crate) async fn put(it: &Inner, request: PutEvents) -> Result<Value, EventsError> {
    let count = request.entries.len();
    if count == 0 || count > ENTRIES_MAX {
        return Err(EventsError::validation(format!(
            "1 validation error detected: Value '[{count} entries]' at 'entries' failed to satisfy constraint: Member \
             must have length less than or equal to {ENTRIES_MAX} and greater than or equal to 1"
        )));
    }
    if request.entries.iter().map(Entry::bytes).sum::<usize>() > BYTES_MAX {
        return Err(EventsError::validation("Total size of the entries in the request is over the limit."));
    }
    let outcomes = request.entries.into_iter().map(|entry| accept(it, entry));
    let outcomes = futures::future::join_all(outcomes).await;
    let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
    let entries: Vec<Value> = outcomes
        .into_iter()
        .map(|outcome| match outcome {
            Ok(id) => json!({ "EventId": id }),
            Err(refusal) => json!({ "ErrorCode": refusal.code, "ErrorMessage": refusal.message }),
        })
        .collect();
    Ok(json!({ "FailedEntryCount": failed, "Entries": entries }))
}

async fn accept(it: &Inner, entry: Entry) -> Result<String, EventsError> {
    let source = required("Source", entry.source)?;
    let detail_type = required("DetailType", entry.detail_type)?;
    let detail = required("Detail", entry.detail)?;
    if source.to_ascii_lowercase().starts_with("aws.") {
        return Err(EventsError::new("NotAuthorizedForSourceException", "Not authorized for the source."));
    }
    let detail = serde_json::from_str(&detail).ok().filter(Value::is_object);
    let detail = detail.ok_or_else(|| EventsError::new("MalformedDetail", "Detail is malformed."))?;
    let bus = bus_name(entry.event_bus_name.as_deref());
    let id = uuid::Uuid::new_v4().to_string();
    let event = Event {
        id: id.clone(),
        source,
        detail_type,
        account: it.place.account.clone(),
        region: it.place.region.clone(),
        time: rfc3339(seconds(entry.time)),
        resources: entry.resources,
        detail,
    };
    // As on AWS, an event for a bus that is not there is accepted and reaches nobody.
    it.accept(bus, &event).await.map(|()| id)
}

fn required(name: &str, value: Option<String>) -> Result<String, EventsError> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| {
        EventsError::new(
            "InvalidArgument",
            format!("Parameter {name} is not valid. Reason: {name} is a required argument."),
        )
    })
}

fn seconds(given: Option<f64>) -> u64 {
    match given {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the guard keeps it between 0 and the year 9999"
        )]
        Some(seconds) if (0.0..=SECONDS_MAX).contains(&seconds) => seconds as u64,
        _ => now_seconds(),
    }
}

impl Entry {
    fn bytes(&self) -> usize {
        let texts = [&self.source, &self.detail_type, &self.detail].into_iter().flatten();
        let time = if self.time.is_some() { TIME_BYTES } else { 0 };
        time + texts.chain(&self.resources).map(String::len).sum::<usize>()
    }
}
