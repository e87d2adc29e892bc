//! Who a row belongs to: the execution's id and the shard that follows from it.
//!
//! The id is a hash of the execution's name, so the name *is* the key: two starts under one name meet at one
//! row, and uniqueness needs no second index. The shard is the first byte of the id, so every key that begins
//! with an id is already ordered by shard.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// How many shards there are. Fixed for ever by the key format: a shard is the first byte of an id.
pub const SHARDS: usize = 256;

/// Names one execution: the first 16 bytes of the SHA-256 of its ARN.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExecutionId(pub [u8; 16]);

/// One of the [`SHARDS`] parts that executions are hashed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(pub u8);

/// A run of neighbouring shards, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shards {
    /// The first shard of the run.
    pub first: Shard,
    /// The last shard of the run.
    pub last: Shard,
}

/// The text is not an execution id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an execution id: it must be 32 hexadecimal digits")]
pub struct BadExecutionId(String);

impl ExecutionId {
    /// The id of the execution with this ARN (or any other text that names it uniquely).
    pub fn of(arn: &str) -> Self {
        let digest = Sha256::digest(arn.as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Self(id)
    }

    /// The shard that holds every row of this execution.
    pub fn shard(&self) -> Shard {
        Shard(self.0[0])
    }
}

impl fmt::Display for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExecutionId({self})")
    }
}

impl FromStr for ExecutionId {
    type Err = BadExecutionId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id).map_err(|_| BadExecutionId(text.to_owned()))?;
        Ok(Self(id))
    }
}

impl Shards {
    /// Every shard.
    pub const ALL: Self = Self { first: Shard(0), last: Shard(255) };

    /// The shards of this run, in order.
    pub fn iter(self) -> impl Iterator<Item = Shard> {
        (self.first.0..=self.last.0).map(Shard)
    }
}

impl From<Shard> for Shards {
    fn from(shard: Shard) -> Self {
        Self { first: shard, last: shard }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_key() {
        // `printf 'arn:x' | sha256sum` starts with these bytes.
        let id = ExecutionId::of("arn:x");
        assert_eq!(id, ExecutionId::of("arn:x"));
        assert_ne!(id, ExecutionId::of("arn:y"));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.shard(), Shard(id.0[0]));
    }

    #[test]
    fn text_that_is_no_id_is_refused() {
        for text in ["", "00", "zz000000000000000000000000000000", "000000000000000000000000000000000"] {
            assert_eq!(text.parse::<ExecutionId>(), Err(BadExecutionId(text.to_owned())));
        }
    }

    #[test]
    fn all_shards_are_256() {
        assert_eq!(Shards::ALL.iter().count(), SHARDS);
        assert_eq!(Shards::from(Shard(7)).iter().collect::<Vec<_>>(), [Shard(7)]);
    }
}
