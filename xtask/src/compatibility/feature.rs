//! Features that Loveless does not have yet, recognised in what a case sends.
//!
//! Two things together put a failing case here: its definitions or its operations use the feature, and the server said
//! in so many words that it does not have it. The first alone would go on excusing failures after the feature is
//! built; the second alone would not say which feature it was. Refuses to know the results' meaning beyond that.

use std::collections::BTreeSet;

use serde_json::Value;

/// How Loveless says that it does not have something.
const REFUSALS: [&str; 3] = ["Loveless does not", "UnknownOperationException", "The resource provided arn:"];

/// A feature, in the order in which it claims a case that uses several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Feature {
    Service,
}

impl Feature {
    pub(super) const ALL: [Self; 1] = [Self::Service];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Service => "Tasks of other AWS services",
        }
    }

    /// By what it is recognised in a case, in Markdown.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Service => {
                "`arn:aws:states:::` of services other than Lambda and Step Functions, `aws-sdk:`"
            }
        }
    }
}

/// A feature that a case uses, and the integration by which it does, if that says more; empty otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Use {
    pub(super) feature: Feature,
    pub(super) integration: String,
}

/// The feature for which a failing case waits.
pub(super) fn awaited(case: &Value, difference: &str) -> Option<Use> {
    if !REFUSALS.iter().any(|words| difference.contains(words)) {
        return None;
    }
    uses(case).into_iter().next()
}

/// All features that a case uses, those that claim it first coming first.
pub(super) fn uses(case: &Value) -> BTreeSet<Use> {
    let mut uses = Uses::default();
    uses.look_into(&case["definition"]);
    uses.look_into(&case["definition_text"]);
    for step in case["steps"].as_array().into_iter().flatten() {
        uses.look_into(&step["params"]);
    }
    uses.found
}

#[derive(Default)]
struct Uses {
    found: BTreeSet<Use>,
}

impl Uses {
    /// Walks a value and the JSON texts inside it: an API step sends its definition as text.
    fn look_into(&mut self, value: &Value) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    self.member(name, member);
                    self.look_into(member);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.look_into(item)),
            Value::String(text) if text.trim_start().starts_with('{') => {
                if let Ok(inner) = serde_json::from_str(text) {
                    self.look_into(&inner);
                }
            }
            _ => (),
        }
    }

    fn member(&mut self, name: &str, value: &Value) {
        if let ("Resource", Value::String(arn)) = (name, value) {
            self.resource(arn);
        }
    }

    fn resource(&mut self, arn: &str) {
        let Some((_, integration)) = arn.split_once(":states:::") else {
            return;
        };
        let service = integration.split_once(':').map_or(integration, |(service, _)| service);
        let feature = match service {
            "lambda" | "states" => return,
            _ => Feature::Service,
        };
        self.found.insert(Use { feature, integration: integration.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task(resource: &str) -> Value {
        json!({"definition": {"States": {"S": {"Type": "Task", "Resource": resource}}}})
    }

    fn found(case: &Value) -> Vec<(Feature, String)> {
        uses(case).into_iter().map(|one| (one.feature, one.integration)).collect()
    }

    #[test]
    fn integrations_are_told_apart() {
        for (resource, expected) in [
            ("arn:aws:states:::lambda:invoke", None),
            ("arn:aws:states:::lambda:invoke.waitForTaskToken", None),
            ("arn:aws:states:::states:startExecution", None),
            ("arn:aws:lambda:us-east-1:000000000000:function:f", None),
            ("arn:aws:states:us-east-1:000000000000:activity:a", None),
            ("arn:aws:states:::states:startExecution.sync", None),
            ("arn:aws:states:::states:startExecution.sync:2", None),
            ("arn:aws:states:::states:startExecution.waitForTaskToken", None),
            ("arn:aws:states:::dynamodb:putItem", Some(Feature::Service)),
            ("arn:aws-cn:states:::aws-sdk:sfn:startExecution", Some(Feature::Service)),
        ] {
            let expected: Vec<_> = expected
                .map(|feature| (feature, resource.split_once(":::").expect("it has one").1.to_owned()))
                .into_iter()
                .collect();
            assert_eq!(found(&task(resource)), expected, "{resource}");
        }
    }

    #[test]
    fn features_are_found_at_any_depth_and_in_texts() {
        let machine = |resource: &str| {
            json!({"States": {"P": {"Branches": [{"States": {"M": {"ItemProcessor": {"States": {
                "T": {"Type": "Task", "Resource": resource}}}}}}]}}})
        };
        let (queue, function) =
            (machine("arn:aws:states:::sqs:sendMessage"), machine("arn:aws:states:::lambda:invoke"));
        let service = vec![(Feature::Service, "sqs:sendMessage".to_owned())];
        assert_eq!(found(&json!({"definition": queue})), service);
        assert_eq!(found(&json!({"definition_text": queue.to_string()})), service);
        assert_eq!(found(&json!({"definition": function})), []);
        assert_eq!(found(&json!({"definition_text": "{ broken"})), []);
        let step = |op: &str, params: Value| json!({"steps": [{"op": op, "params": params}]});
        let create = "stepfunctions:CreateStateMachine";
        assert_eq!(found(&step(create, json!({"definition": {"$json": queue}}))), service);
        assert_eq!(found(&step(create, json!({"publish": true}))), []);
        assert_eq!(found(&step("stepfunctions:ListMapRuns", json!({}))), []);
    }

    #[test]
    fn a_refusal_is_needed() {
        let case = json!({"steps": [{"op": "stepfunctions:CreateStateMachine", "params": {
            "definition": task("arn:aws:states:::dynamodb:putItem")["definition"].to_string()}}]});
        assert_eq!(found(&case).len(), 1);
        let awaited = |difference| awaited(&case, difference).map(|one| one.feature);
        assert_eq!(awaited("got UnknownOperationException"), Some(Feature::Service));
        assert_eq!(awaited("event 3: expected TaskStateExited, got TaskFailed"), None);
    }
}
