//! One verdict for each case: passed, skipped, waiting for a feature, or failing for a reason that is written down.
//!
//! Joins the cases, what the runner said, and the reasons. What fits nowhere is a problem, and so is a reason that
//! explains nothing any more; how either is told is the caller's affair.

use std::collections::{BTreeMap, BTreeSet};

use super::cases::{Case, Cases, Outcome, Outcomes};
use super::feature::{self, Feature, Use};
use super::reasons::Reasons;

/// How a case stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Passed,
    /// Not run, and why.
    Skipped(String),
    Waits(Use),
    /// It fails, and this is why.
    Explained(String),
    /// It fails, and nobody has said why: there is a problem that names it.
    Unexplained,
}

/// A case with its verdict.
pub(super) struct Judged {
    pub(super) area: String,
    pub(super) language: bool,
    pub(super) verdict: Verdict,
    /// It fails, and yet its status and its output, error and cause are as recorded.
    pub(super) same_result: bool,
}

/// All verdicts, and what must be put right before they may be shown.
pub(super) struct Judgement {
    pub(super) cases: BTreeMap<String, Judged>,
    /// By feature, how many cases use it and pass.
    pub(super) passing_users: BTreeMap<Feature, usize>,
    pub(super) problems: Vec<String>,
}

/// Judges every case.
pub(super) fn judge(cases: &Cases, outcomes: &Outcomes, reasons: &Reasons) -> Judgement {
    let mut judgement =
        Judgement { cases: BTreeMap::new(), passing_users: BTreeMap::new(), problems: Vec::new() };
    // Reasons that explain a failure or have been told about.
    let mut used = BTreeSet::new();
    for (id, case) in cases {
        let outcome = outcomes.get(id);
        let verdict = match outcome {
            None => Verdict::Skipped(case.skip_reason().unwrap_or_else(|| "left out".to_owned())),
            Some(outcome) if outcome.passed => judgement.pass(id, case, reasons, &mut used),
            Some(outcome) => judgement.fail(id, case, outcome, reasons, &mut used),
        };
        let same_result = outcome.is_some_and(|outcome| !outcome.passed && outcome.same_result);
        let judged = Judged { area: case.area.clone(), language: case.is_language(), verdict, same_result };
        judgement.cases.insert(id.clone(), judged);
    }
    for name in reasons.by_name.keys().filter(|name| !used.contains(*name)) {
        judgement.problems.push(format!("stale reason: '{name}' explains no failure; remove it"));
    }
    judgement
}

impl Judgement {
    fn pass<'a>(
        &mut self,
        id: &str,
        case: &Case,
        reasons: &'a Reasons,
        used: &mut BTreeSet<&'a String>,
    ) -> Verdict {
        let features: BTreeSet<Feature> =
            feature::uses(&case.whole).into_iter().map(|one| one.feature).collect();
        for feature in features {
            *self.passing_users.entry(feature).or_default() += 1;
        }
        if let Some((name, _)) = reasons.find(id) {
            used.insert(name);
            self.problems.push(format!("stale reason: '{name}' is for {id}, which passes now"));
        }
        Verdict::Passed
    }

    fn fail<'a>(
        &mut self,
        id: &str,
        case: &Case,
        outcome: &Outcome,
        reasons: &'a Reasons,
        used: &mut BTreeSet<&'a String>,
    ) -> Verdict {
        let reason = reasons.find(id);
        if let Some((name, reason)) = reason
            && reason.explains(&outcome.difference)
        {
            used.insert(name);
            return Verdict::Explained(reason.text.clone());
        }
        if let Some(awaited) = feature::awaited(&case.whole, &outcome.difference) {
            return Verdict::Waits(awaited);
        }
        let what = match reason {
            Some((name, _)) => {
                used.insert(name);
                format!("{id} fails otherwise than the reason of '{name}' says")
            }
            None => format!("{id} fails without a reason"),
        };
        self.problems.push(format!("{what}: {}", outcome.difference));
        Verdict::Unexplained
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::cases::parse_outcomes;
    use super::*;

    fn judged(cases: Vec<Value>, results: Value, reasons: Value) -> Judgement {
        let cases = cases.into_iter().map(|case| Case::parse(case).expect("it has an id")).collect();
        let outcomes = parse_outcomes(&json!({"results": results})).expect("well formed");
        judge(&cases, &outcomes, &Reasons::parse(&reasons).expect("well formed"))
    }

    fn case(id: &str) -> Value {
        json!({"id": id, "area": "base"})
    }

    fn failing(id: &str) -> Value {
        json!({"id": id, "ok": false, "why": "event 1: other", "result_ok": true})
    }

    fn reason() -> Value {
        json!({"reason": "It cannot.", "difference": "event 1"})
    }

    #[test]
    fn a_failure_needs_a_reason() {
        let judgement = judged(vec![case("a")], json!([failing("a")]), json!({}));
        assert_eq!(judgement.problems, ["a fails without a reason: event 1: other"]);
        assert_eq!(judgement.cases["a"].verdict, Verdict::Unexplained);
        let judgement = judged(vec![case("a")], json!([failing("a")]), json!({"a": reason()}));
        assert!(judgement.problems.is_empty());
        assert_eq!(judgement.cases["a"].verdict, Verdict::Explained("It cannot.".into()));
        assert!(judgement.cases["a"].same_result);
    }

    #[test]
    fn a_failure_of_another_kind_is_not_excused() {
        let other = json!({"reason": "It cannot.", "difference": "event 2"});
        let judgement = judged(vec![case("a")], json!([failing("a")]), json!({"a": other}));
        assert_eq!(judgement.problems, ["a fails otherwise than the reason of 'a' says: event 1: other"]);
    }

    #[test]
    fn a_stale_reason_is_told() {
        let passing = json!([{"id": "a", "ok": true}]);
        let judgement = judged(vec![case("a")], passing, json!({"a": reason(), "gone": reason()}));
        assert_eq!(
            judgement.problems,
            [
                "stale reason: 'a' is for a, which passes now",
                "stale reason: 'gone' explains no failure; remove it",
            ]
        );
    }

    #[test]
    fn a_reason_for_a_test_of_which_one_case_passes_is_stale() {
        let results = json!([{"id": "a[1]", "ok": true}, failing("a[2]")]);
        let judgement = judged(vec![case("a[1]"), case("a[2]")], results, json!({"a": reason()}));
        assert_eq!(judgement.problems, ["stale reason: 'a' is for a[1], which passes now"]);
    }

    #[test]
    fn a_class_takes_failing_cases_only() {
        let queue = |id: &str| json!({"id": id, "area": "base", "definition": {"Resource": "arn:aws:states:::sqs:sendMessage"}});
        let refused = json!({"id": "b", "ok": false, "why": "The resource provided arn:aws:states:::sqs:sendMessage is not recognized"});
        let results = json!([{"id": "a", "ok": true}, refused]);
        let judgement = judged(vec![queue("a"), queue("b"), queue("c")], results, json!({}));
        assert_eq!(judgement.cases["a"].verdict, Verdict::Passed);
        assert!(
            matches!(&judgement.cases["b"].verdict, Verdict::Waits(one) if one.feature == Feature::Service)
        );
        assert_eq!(judgement.cases["c"].verdict, Verdict::Skipped("left out".into()));
        assert_eq!(judgement.passing_users, BTreeMap::from([(Feature::Service, 1)]));
    }
}
