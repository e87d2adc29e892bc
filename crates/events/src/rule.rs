//! Rules and buses as data: names, ARNs, which rules an event matches. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::pattern::{Pattern, PatternError};
use crate::target::Target;

/// The bus that always exists.
pub const DEFAULT_BUS: &str = "default";
/// AWS's limits.
pub(crate) const TARGETS_MAX: usize = 5;
pub(crate) const RULES_PER_BUS_MAX: usize = 300;

/// A rule, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RuleRow {
    pub name: String,
    pub bus: String,
    pub event_pattern: String,
    pub enabled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// In the order in which they were put.
    #[serde(default)]
    pub targets: Vec<Target>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// A rule with its pattern ready to match.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub row: RuleRow,
    pattern: Pattern,
}

impl Rule {
    pub(crate) fn new(row: RuleRow) -> Result<Self, PatternError> {
        let pattern = Pattern::parse(&row.event_pattern)?;
        Ok(Self { row, pattern })
    }

    pub(crate) fn wants(&self, event: &Value) -> bool {
        self.row.enabled && self.pattern.matches(event)
    }
}

/// Every bus with its rules.
#[derive(Debug, Clone)]
pub(crate) struct Buses {
    buses: BTreeMap<String, BTreeMap<String, Rule>>,
}

impl Default for Buses {
    fn default() -> Self {
        Self { buses: BTreeMap::from([(DEFAULT_BUS.to_owned(), BTreeMap::new())]) }
    }
}

impl Buses {
    pub(crate) fn add(&mut self, bus: &str) {
        self.buses.entry(bus.to_owned()).or_default();
    }

    pub(crate) fn remove(&mut self, bus: &str) {
        self.buses.remove(bus);
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.buses.keys().map(String::as_str)
    }

    /// The rules of a bus; `None` when there is no such bus.
    pub(crate) fn rules(&self, bus: &str) -> Option<&BTreeMap<String, Rule>> {
        self.buses.get(bus)
    }

    pub(crate) fn rule(&self, bus: &str, name: &str) -> Option<&Rule> {
        self.buses.get(bus)?.get(name)
    }

    pub(crate) fn put(&mut self, rule: Rule) {
        let rules = self.buses.entry(rule.row.bus.clone()).or_default();
        rules.insert(rule.row.name.clone(), rule);
    }

    pub(crate) fn delete(&mut self, bus: &str, name: &str) {
        if let Some(rules) = self.buses.get_mut(bus) {
            rules.remove(name);
        }
    }

    /// The rules of a bus that want the event.
    pub(crate) fn wanting(&self, bus: &str, event: &Value) -> Vec<&RuleRow> {
        let rules = self.buses.get(bus).into_iter().flat_map(BTreeMap::values);
        rules.filter(|rule| rule.wants(event)).map(|rule| &rule.row).collect()
    }
}

/// Where this service says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The region in ARNs and events.
    pub region: String,
    /// The account in ARNs and events.
    pub account: String,
}

impl Place {
    pub(crate) fn rule_arn(&self, bus: &str, rule: &str) -> String {
        let Self { region, account } = self;
        match bus {
            DEFAULT_BUS => format!("arn:aws:events:{region}:{account}:rule/{rule}"),
            bus => format!("arn:aws:events:{region}:{account}:rule/{bus}/{rule}"),
        }
    }

    pub(crate) fn bus_arn(&self, bus: &str) -> String {
        format!("arn:aws:events:{}:{}:event-bus/{bus}", self.region, self.account)
    }
}

/// The name of a bus that was given by name or ARN, or not at all.
pub(crate) fn bus_name(given: Option<&str>) -> &str {
    let given = given.unwrap_or(DEFAULT_BUS);
    given.split_once(":event-bus/").map_or(given, |(_, name)| name)
}

/// AWS's rule for the names of rules and targets.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(bus: &str, name: &str, pattern: &str, enabled: bool) -> Rule {
        Rule::new(RuleRow {
            name: name.into(),
            bus: bus.into(),
            event_pattern: pattern.into(),
            enabled,
            description: None,
            role_arn: None,
            targets: Vec::new(),
            tags: BTreeMap::new(),
        })
        .unwrap()
    }

    #[test]
    fn only_enabled_rules_of_the_bus_match() {
        let mut buses = Buses::default();
        buses.add("other");
        let wanted = r#"{"source":["a"]}"#;
        buses.put(rule("default", "on", wanted, true));
        buses.put(rule("default", "off", wanted, false));
        buses.put(rule("default", "else", r#"{"source":["b"]}"#, true));
        buses.put(rule("other", "far", wanted, true));
        let event = serde_json::json!({"source": "a"});
        let names =
            |bus: &str| buses.wanting(bus, &event).into_iter().map(|r| r.name.clone()).collect::<Vec<_>>();
        assert_eq!(names("default"), ["on"]);
        assert_eq!(names("other"), ["far"]);
        assert!(names("none").is_empty());
    }

    #[test]
    fn names_and_arns() {
        let place = Place { region: "r".into(), account: "1".into() };
        assert_eq!(place.rule_arn("default", "n"), "arn:aws:events:r:1:rule/n");
        assert_eq!(place.rule_arn("b", "n"), "arn:aws:events:r:1:rule/b/n");
        assert_eq!(bus_name(None), "default");
        assert_eq!(bus_name(Some("b")), "b");
        assert_eq!(bus_name(Some(&place.bus_arn("b"))), "b");
        assert!(is_name("a.B-c_9") && !is_name("") && !is_name("a/b") && !is_name(&"x".repeat(65)));
    }
}
