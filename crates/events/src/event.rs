//! An event in EventBridge's envelope.

use serde_json::{Value, json};

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// A UUID. Executions that the event starts are named after it, so that a second delivery starts nothing.
    pub id: String,
    /// Who sends it: `aws.s3`, `my.app`.
    pub source: String,
    /// What kind of event it is: `Object Created`.
    pub detail_type: String,
    /// The account it belongs to.
    pub account: String,
    /// The region it happened in.
    pub region: String,
    /// When, as RFC 3339.
    pub time: String,
    /// The ARNs of what it is about.
    pub resources: Vec<String>,
    /// What happened: a JSON object.
    pub detail: Value,
}

impl Event {
    /// The JSON that patterns look at and targets receive.
    #[must_use]
    pub fn to_value(&self) -> Value {
        json!({
            "version": "0",
            "id": self.id,
            "detail-type": self.detail_type,
            "source": self.source,
            "account": self.account,
            "time": self.time,
            "region": self.region,
            "resources": self.resources,
            "detail": self.detail,
        })
    }
}
