//! Payloads: JSON texts that an execution names once and then passes by name.
//!
//! A payload's bytes live in the journal chunk of the step that first names them; frames, variables and history
//! events hold its [`PayloadId`]. In memory the text is shared and parsed at most once, when something looks inside.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use asl::json::Json;
use serde::{Deserialize, Serialize};

/// Where a payload's text is: the step that named it, and its number there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PayloadId {
    /// The step, which is the version that its commit got.
    pub step: u32,
    /// Its place among the payloads of the step.
    pub slot: u32,
}

impl fmt::Debug for PayloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}.{}", self.step, self.slot)
    }
}

/// A text and, once somebody needed it, its value.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    pub(crate) text: Arc<str>,
    value: Arc<OnceLock<Json>>,
}

impl Payload {
    pub(crate) fn of_text(text: Arc<str>) -> Self {
        Payload { text, value: Arc::default() }
    }

    pub(crate) fn of_value(text: Arc<str>, value: Json) -> Self {
        let payload = Payload::of_text(text);
        payload.value.get_or_init(|| value);
        payload
    }

    /// The parsed value. A text that is not JSON cannot become a payload: its string stands for it.
    pub(crate) fn value(&self) -> &Json {
        self.value.get_or_init(|| Json::parse(&self.text).unwrap_or_else(|_| Json::from(&*self.text)))
    }
}

/// The payloads that an execution holds in memory.
#[derive(Clone, Default)]
pub(crate) struct Heap {
    payloads: HashMap<PayloadId, Payload>,
    /// Bytes of text held now.
    bytes: usize,
    /// Bytes of text held after the last sweep.
    bytes_swept: usize,
}

/// A heap smaller than this is not worth sweeping.
const SWEEP_BYTES_MIN: usize = 64 * 1024;

impl Heap {
    pub(crate) fn insert(&mut self, id: PayloadId, payload: Payload) {
        self.bytes += payload.text.len();
        self.payloads.insert(id, payload);
    }

    pub(crate) fn get(&self, id: PayloadId) -> Option<&Payload> {
        self.payloads.get(&id)
    }

    /// Bytes of text held now.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether enough has been added since the last sweep to pay for another: the cost stays constant per byte.
    pub(crate) fn wants_sweep(&self) -> bool {
        self.bytes > SWEEP_BYTES_MIN && self.bytes > 2 * self.bytes_swept
    }

    /// Drops every payload that is not among the live ones.
    pub(crate) fn sweep(&mut self, live: &[PayloadId]) {
        let kept: HashMap<PayloadId, Payload> =
            live.iter().filter_map(|id| Some((*id, self.payloads.get(id)?.clone()))).collect();
        self.bytes = kept.values().map(|payload| payload.text.len()).sum();
        self.bytes_swept = self.bytes;
        self.payloads = kept;
    }
}
