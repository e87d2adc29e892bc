//! The committed reasons for failures that stay: by case, or by the test that a group of cases comes from.
//!
//! A reason names the difference that it explains, so that the same case failing in another way is told and not
//! excused. Knows nothing of cases beyond their ids.
//!
//! ```json
//! {"area.file.test[parameter]": {"reason": "Markdown for the reader.", "difference": "part of what the runner says"}}
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::cases::json;

/// What stands between the name of a test and what tells its cases apart.
const PARAMETERS: [char; 2] = ['[', '#'];

/// Why a case fails.
#[derive(Debug)]
pub(super) struct Reason {
    pub(super) text: String,
    difference: String,
}

/// All of them, by the case or test that they are for.
#[derive(Debug, Default)]
pub(super) struct Reasons {
    pub(super) by_name: BTreeMap<String, Reason>,
}

impl Reason {
    /// Whether it explains what the runner saw.
    pub(super) fn explains(&self, difference: &str) -> bool {
        difference.contains(&self.difference)
    }
}

impl Reasons {
    pub(super) fn read(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        Self::parse(&json(path)?).with_context(|| format!("cannot read {}", path.display()))
    }

    pub(super) fn parse(value: &Value) -> Result<Self> {
        let object = value.as_object().context("reasons are an object")?;
        let mut by_name = BTreeMap::new();
        for (name, entry) in object {
            let text = |key: &str| {
                let text = entry[key].as_str().filter(|text| !text.trim().is_empty());
                text.map(str::to_owned).with_context(|| format!("'{name}' has no '{key}'"))
            };
            let reason = Reason { text: text("reason")?, difference: text("difference")? };
            ensure!(reason.text.ends_with('.'), "the reason of '{name}' is not a sentence");
            by_name.insert(name.clone(), reason);
        }
        Ok(Self { by_name })
    }

    /// The reason of a case, be it its own or its test's.
    pub(super) fn find(&self, id: &str) -> Option<(&String, &Reason)> {
        let test = id.split(PARAMETERS).next().unwrap_or(id);
        self.by_name.get_key_value(id).or_else(|| self.by_name.get_key_value(test))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_case_has_its_own_reason_or_that_of_its_test() {
        let reason = |text: &str| json!({"reason": text, "difference": "x"});
        let reasons = Reasons::parse(&json!({"a.b": reason("All."), "a.b[1]": reason("One.")}));
        let reasons = reasons.expect("well formed");
        let found = |id| reasons.find(id).map(|(_, reason)| reason.text.as_str());
        assert_eq!(found("a.b[1]"), Some("One."));
        assert_eq!(found("a.b[2]"), Some("All."));
        assert_eq!(found("a.b#7"), Some("All."));
        assert_eq!(found("a.b"), Some("All."));
        assert_eq!(found("a.bc"), None);
        assert_eq!(found("a"), None);
    }

    #[test]
    fn a_reason_without_words_or_difference_is_refused() {
        for entry in [
            json!("because"),
            json!({"reason": "Because."}),
            json!({"reason": "Because.", "difference": ""}),
            json!({"reason": "because", "difference": "x"}),
        ] {
            assert!(Reasons::parse(&json!({"a": entry})).is_err());
        }
    }
}
