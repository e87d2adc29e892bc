//! The first failure of a store, remembered for every later call.

use std::sync::{Arc, OnceLock};

use crate::StoreError;

/// Set once, by the first failure; shared by everything that reads or writes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Poison(Arc<OnceLock<StoreError>>);

impl Poison {
    /// Fails if the store has failed before.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match self.0.get() {
            None => Ok(()),
            Some(first) => Err(first.poisoned()),
        }
    }

    /// Remembers the failure if it is a fatal one and the first.
    pub(crate) fn note(&self, error: &StoreError) {
        if error.is_fatal() && self.0.set(error.clone()).is_ok() {
            tracing::error!(%error, "the store stops");
        }
    }
}
