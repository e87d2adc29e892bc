//! Labels: the machine inside a Distributed Map, named `machine/label`, whose executions a Map Run starts.
//!
//! It has no row of its own: its definition is a part of the machine's, cut out when somebody asks. Refuses to know what
//! runs; children run on the whole definition.

use serde_json::Value;

use crate::map_run::label_of;
use crate::refusal::Refusal;
use crate::service::Service;

impl Service {
    /// The text of the machine with this label inside a definition, which is given by its hash.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn inner_definition(
        &self,
        hash: &str,
        machine: &str,
        label: &str,
    ) -> Result<Option<String>, Refusal> {
        Ok(inner_definition(&self.definition(hash).await?, machine, label))
    }
}

/// The definition of the machine with this label inside a definition.
pub(crate) fn inner_definition(definition: &str, machine: &str, label: &str) -> Option<String> {
    let whole: Value = serde_json::from_str(definition).ok()?;
    let mut inner = find(&whole, machine, label)?.clone();
    let members = inner.as_object_mut()?;
    members.remove("ProcessorConfig");
    // What a machine says for all of its states, it says for these.
    if let Some(language) = whole.get("QueryLanguage") {
        members.insert("QueryLanguage".into(), language.clone());
    }
    Some(inner.to_string())
}

/// The processor of the Map with this label, at any depth.
fn find<'a>(container: &'a Value, machine: &str, label: &str) -> Option<&'a Value> {
    for (name, state) in container.get("States")?.as_object()? {
        let processor = state.get("ItemProcessor").or_else(|| state.get("Iterator"));
        if let Some(processor) = processor
            && processor["ProcessorConfig"]["Mode"] == "DISTRIBUTED"
            && label_of(machine, name, state["Label"].as_str()) == label
        {
            return Some(processor);
        }
        let branches = state["Branches"].as_array().into_iter().flatten();
        let found = branches.chain(processor).find_map(|inside| find(inside, machine, label));
        if found.is_some() {
            return found;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_label_finds_its_map_at_any_depth() {
        let map = |label: Value, item: Value| {
            json!({"Type": "Map", "Label": label, "End": true, "ItemProcessor":
                {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "X", "States": {"X": item}}})
        };
        let pass = json!({"Type": "Pass", "End": true});
        let inner = map(json!("inner"), pass.clone());
        let outer = map(Value::Null, inner);
        let whole = json!({"QueryLanguage": "JSONata", "StartAt": "P", "States": {"P": {"Type": "Parallel", "End": true,
            "Branches": [{"StartAt": "M", "States": {"M": outer}}]}}});
        let text = whole.to_string();
        let found = |label: &str| {
            inner_definition(&text, "m", label).map(|text| serde_json::from_str::<Value>(&text).unwrap())
        };
        let inner = found("inner").unwrap();
        assert_eq!(inner, json!({"StartAt": "X", "States": {"X": pass}, "QueryLanguage": "JSONata"}));
        let outer = found(&label_of("m", "M", None)).unwrap();
        assert_eq!(outer["States"]["X"]["Label"], "inner");
        assert_eq!(found("other"), None);
    }
}
