//! History events as records of a log, as Step Functions writes them to CloudWatch.
//!
//! The details are those of the history; numbers are texts, and an event without details has no such member (asl-facts
//! 23). A payload that is larger than a record may hold is cut off and says so.

use engine::HistoryEvent;
use serde::Serialize;
use service::Told;

use crate::history::{Events, Members};

/// Bytes of one payload in a record (AWS's documentation of logging).
const PAYLOAD_BYTES_MAX: usize = 248 * 1024;

/// One record.
#[derive(Serialize)]
struct Record<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Members<'a>>,
    previous_event_id: String,
    event_timestamp: String,
    execution_arn: &'a str,
    redrive_count: String,
}

/// What was told of an execution, as moments in milliseconds and JSON texts.
pub fn log_records(told: &Told) -> Vec<(i64, String)> {
    let shown = Events {
        events: &told.events,
        texts: &told.texts,
        with_data: told.with_data,
        payload_bytes_max: PAYLOAD_BYTES_MAX,
    };
    let record = |event: &HistoryEvent| {
        let (kind, details) = shown.named(&event.kind);
        let details = details.map(|(_, details)| match told.with_data {
            true => details.for_log(),
            // The history shows a task's parameters all the same; a log is read by more people.
            false => details.without("parameters").for_log(),
        });
        let record = Record {
            id: event.id.to_string(),
            kind,
            details,
            previous_event_id: event.previous.to_string(),
            event_timestamp: event.at_ms.to_string(),
            execution_arn: &told.execution_arn,
            redrive_count: told.redrive_count.to_string(),
        };
        (event.at_ms, serde_json::to_string(&record).expect("records are plain data with string keys"))
    };
    told.events.iter().map(record).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use engine::{HistoryKind, PayloadId, TaskEvent};
    use serde_json::{Value, json};

    use super::*;

    fn told(with_data: bool, kinds: Vec<HistoryKind>, text: &str) -> Told {
        let event = |(at, kind)| HistoryEvent { id: at as u64 + 1, previous: at as u64, at_ms: 1500, kind };
        Told {
            group_arn: "g".into(),
            execution_arn: "arn:e".into(),
            machine_name: "m".into(),
            express: false,
            redrive_count: 0,
            with_data,
            events: kinds.into_iter().enumerate().map(event).collect(),
            texts: HashMap::from([(INPUT, text.into())]),
        }
    }

    const INPUT: PayloadId = PayloadId { step: 1, slot: 0 };

    fn task() -> HistoryKind {
        let event = TaskEvent::Scheduled {
            resource: "invoke".into(),
            region: "r".into(),
            input: INPUT,
            timeout_seconds: Some(60),
            heartbeat_seconds: None,
            credentials: None,
        };
        HistoryKind::Task { service: "lambda".into(), resource: "invoke".into(), event }
    }

    fn started() -> HistoryKind {
        let through = engine::Through::default();
        HistoryKind::ExecutionStarted { input: INPUT, role_arn: "r".into(), through }
    }

    #[test]
    fn a_record_is_the_event_in_texts() {
        let started = started();
        let records =
            log_records(&told(true, vec![started, task(), HistoryKind::ParallelStateStarted], "{}"));
        let want = [
            r#"{"id":"1","type":"ExecutionStarted","details":{"input":"{}","inputDetails":{"truncated":false},"roleArn":"r"},"previous_event_id":"0","event_timestamp":"1500","execution_arn":"arn:e","redrive_count":"0"}"#,
            r#"{"id":"2","type":"TaskScheduled","details":{"resourceType":"lambda","resource":"invoke","region":"r","parameters":"{}","timeoutInSeconds":"60"},"previous_event_id":"1","event_timestamp":"1500","execution_arn":"arn:e","redrive_count":"0"}"#,
            r#"{"id":"3","type":"ParallelStateStarted","previous_event_id":"2","event_timestamp":"1500","execution_arn":"arn:e","redrive_count":"0"}"#,
        ];
        assert_eq!(records.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), want);
        assert!(records.iter().all(|(at_ms, _)| *at_ms == 1500));
    }

    #[test]
    fn data_are_left_out_where_nobody_asked_for_them() {
        let started = started();
        for (_, record) in log_records(&told(false, vec![started, task()], "\"secret\"")) {
            assert!(!record.contains("secret"), "{record}");
        }
    }

    #[test]
    fn large_payloads_are_cut_off_and_say_so() {
        let started = started();
        let records = log_records(&told(true, vec![started], &"é".repeat(PAYLOAD_BYTES_MAX)));
        let record: Value = serde_json::from_str(&records[0].1).unwrap();
        assert_eq!(record["details"]["input"].as_str().unwrap().len(), PAYLOAD_BYTES_MAX);
        assert_eq!(record["details"]["inputDetails"], json!({"truncated": true}));
    }
}
