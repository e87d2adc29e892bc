//! The events that S3 sends about objects, in EventBridge's shape. Pure: facts in, [`Event`] out.

use serde_json::{Value, json};

use crate::event::Event;
use crate::time::rfc3339;

/// An object that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Change<'a> {
    /// A UUID, the same at every telling of this change.
    pub id: &'a str,
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// The bucket.
    pub bucket: &'a str,
    /// The key, not URL-encoded.
    pub key: &'a str,
    /// Hexadecimal, growing with every change of a key.
    pub sequencer: &'a str,
    /// What happened.
    pub what: S3What<'a>,
    /// The operation: `PutObject`, `CompleteMultipartUpload`, …
    pub reason: &'a str,
    /// The id of the request.
    pub request_id: &'a str,
    /// The account or service that asked.
    pub requester: &'a str,
    /// Where it asked from.
    pub source_ip: &'a str,
}

/// What happened to the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum S3What<'a> {
    /// `Object Created`.
    Created {
        /// In bytes.
        size: u64,
        /// Without quotes.
        etag: &'a str,
    },
    /// `Object Deleted`.
    Deleted,
}

/// The event about a change.
#[must_use]
pub fn s3_event(change: &S3Change<'_>, account: &str, region: &str) -> Event {
    let mut object = json!({ "key": change.key });
    let mut detail = json!({ "version": "0", "bucket": { "name": change.bucket } });
    let detail_type = match &change.what {
        S3What::Created { size, etag } => {
            object["size"] = json!(size);
            object["etag"] = json!(etag);
            "Object Created"
        }
        S3What::Deleted => "Object Deleted",
    };
    object["sequencer"] = json!(change.sequencer);
    detail["object"] = object;
    for (name, value) in [
        ("request-id", change.request_id),
        ("requester", change.requester),
        ("source-ip-address", change.source_ip),
        ("reason", change.reason),
    ] {
        detail[name] = Value::from(value);
    }
    if change.what == S3What::Deleted {
        // Without versioning nothing of the object remains.
        detail["deletion-type"] = Value::from("Permanently Deleted");
    }
    Event {
        id: change.id.to_owned(),
        source: "aws.s3".to_owned(),
        detail_type: detail_type.to_owned(),
        account: account.to_owned(),
        region: region.to_owned(),
        time: rfc3339(change.time_ms / 1000),
        resources: vec![format!("arn:aws:s3:::{}", change.bucket)],
        detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(what: S3What<'static>, reason: &'static str) -> S3Change<'static> {
        S3Change {
            id: "17793124-05d4-b198-2fde-7ededc63b103",
            time_ms: 1_767_323_045_678,
            bucket: "in",
            key: "a b.png",
            sequencer: "00617F08299329D189",
            what,
            reason,
            request_id: "N4N7GDK58NMKJ12R",
            requester: "000000000000",
            source_ip: "127.0.0.1",
        }
    }

    #[test]
    fn created_and_deleted() {
        let created = change(S3What::Created { size: 5, etag: "b1946ac9" }, "PutObject");
        let expected = json!({
            "version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103", "detail-type": "Object Created",
            "source": "aws.s3", "account": "000000000000", "time": "2026-01-02T03:04:05Z", "region": "us-east-1",
            "resources": ["arn:aws:s3:::in"],
            "detail": {
                "version": "0", "bucket": {"name": "in"},
                "object": {"key": "a b.png", "size": 5, "etag": "b1946ac9", "sequencer": "00617F08299329D189"},
                "request-id": "N4N7GDK58NMKJ12R", "requester": "000000000000", "source-ip-address": "127.0.0.1",
                "reason": "PutObject"
            }
        });
        assert_eq!(s3_event(&created, "000000000000", "us-east-1").to_value(), expected);

        let deleted = s3_event(&change(S3What::Deleted, "DeleteObject"), "1", "r").to_value();
        assert_eq!(deleted["detail-type"], "Object Deleted");
        assert_eq!(deleted["detail"]["deletion-type"], "Permanently Deleted");
        assert_eq!(deleted["detail"]["object"], json!({"key": "a b.png", "sequencer": "00617F08299329D189"}));
    }
}
