//! The result of the official JSONata suite, as the run of the suite wrote it: counts by group.
//!
//! Refuses to know how the suite is run.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::cases::json;

/// One group's counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) passed: usize,
    pub(super) failed: usize,
}

/// All groups.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Suite {
    pub(super) groups: BTreeMap<String, Group>,
}

impl Suite {
    /// Reads the file; without it there is no result.
    pub(super) fn read(path: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        Self::parse(&json(path)?).map(Some).with_context(|| format!("cannot read {}", path.display()))
    }

    pub(super) fn parse(value: &Value) -> Result<Self> {
        let mut groups = BTreeMap::new();
        for (name, counts) in value.as_object().context("the groups are not an object")? {
            let count = |key: &str| {
                let count = counts[key].as_u64().and_then(|count| usize::try_from(count).ok());
                count.with_context(|| format!("the group '{name}' has no number '{key}'"))
            };
            groups.insert(name.clone(), Group { passed: count("passed")?, failed: count("failed")? });
        }
        Ok(Self { groups })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_group_without_counts_is_an_error_and_not_a_group_of_none() {
        let suite =
            Suite::parse(&json!({"g": {"passed": 2, "failed": 1, "cases": []}})).expect("well formed");
        assert_eq!(suite.groups["g"], Group { passed: 2, failed: 1 });
        assert!(Suite::parse(&json!({"g": {"passed": 2}})).is_err());
        assert!(Suite::parse(&json!([])).is_err());
    }
}
