//! Who drives which shard, for a store that one process has to itself.
//!
//! The lock on the data folder proves that every earlier holder is gone, so leases live in memory and a restart
//! voids them: nobody waits for a dead process's lease to run out. Epochs still never shrink, because they
//! begin with the count of openings, which is on disk.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::{LeaseOutcome, Shard};

/// The leases of all shards.
#[derive(Debug)]
pub(crate) struct ShardLeases {
    opening: u64,
    leases: Mutex<HashMap<Shard, Lease>>,
}

#[derive(Debug)]
struct Lease {
    node: String,
    /// How often the shard changed hands since the store was opened.
    turn: u32,
    until_ms: i64,
}

impl ShardLeases {
    pub(crate) fn new(opening: u64) -> Self {
        Self { opening, leases: Mutex::default() }
    }

    pub(crate) fn lease(&self, shard: Shard, node: &str, until_ms: i64, now_ms: i64) -> LeaseOutcome {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = match leases.get(&shard) {
            None => 1,
            Some(lease) if lease.until_ms <= now_ms => lease.turn + 1,
            Some(lease) if lease.node == node => lease.turn,
            Some(lease) => {
                let Lease { node, turn, until_ms } = lease;
                return LeaseOutcome::Lost {
                    node: node.clone(),
                    epoch: self.epoch(*turn),
                    until_ms: *until_ms,
                };
            }
        };
        leases.insert(shard, Lease { node: node.to_owned(), turn, until_ms });
        LeaseOutcome::Held { epoch: self.epoch(turn) }
    }

    /// Later openings first, then later turns.
    fn epoch(&self, turn: u32) -> u64 {
        self.opening << 32 | u64::from(turn)
    }
}
