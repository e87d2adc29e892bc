//! The functions a path may end with: `.length()`, `.sum()` and their like, as Jayway's library has them.
//!
//! They work on the value before them; behind an indefinite path that is the array of its matches. Aggregates answer
//! doubles, as that library's do.

use super::PathMiss;
use crate::json::Json;

/// A function at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Length,
    Keys,
    First,
    Last,
    Concat,
    Min,
    Max,
    Sum,
    Avg,
    Stddev,
}

const NAMES: [(&str, Function); 10] = [
    ("length", Function::Length),
    ("keys", Function::Keys),
    ("first", Function::First),
    ("last", Function::Last),
    ("concat", Function::Concat),
    ("min", Function::Min),
    ("max", Function::Max),
    ("sum", Function::Sum),
    ("avg", Function::Avg),
    ("stddev", Function::Stddev),
];

impl Function {
    pub(super) fn named(name: &str) -> Option<Function> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
    }

    pub(super) fn name(self) -> &'static str {
        NAMES.iter().find(|(_, function)| *function == self).map_or("", |(name, _)| name)
    }

    pub(super) fn apply(self, value: &Json) -> Result<Json, PathMiss> {
        match (self, value) {
            (Function::Length, Json::Array(items)) => Ok(Json::from(items.len())),
            (Function::Length, Json::Object(members)) => Ok(Json::from(members.len())),
            (Function::Keys, Json::Object(members)) => Ok(Json::array(members.keys().cloned())),
            (Function::First, Json::Array(items)) => {
                items.first().cloned().ok_or_else(|| self.unusable("an empty array"))
            }
            (Function::Last, Json::Array(items)) => {
                items.last().cloned().ok_or_else(|| self.unusable("an empty array"))
            }
            (Function::Concat, Json::Array(items)) => {
                Ok(items.iter().filter_map(Json::as_str).collect::<String>().into())
            }
            (
                Function::Length | Function::Keys | Function::First | Function::Last | Function::Concat,
                other,
            ) => Err(self.unusable(other.type_name())),
            (aggregate, value) => aggregate.over_numbers(value),
        }
    }

    fn over_numbers(self, value: &Json) -> Result<Json, PathMiss> {
        let numbers: Vec<f64> =
            value.as_array().unwrap_or_default().iter().filter_map(Json::as_f64).collect();
        if numbers.is_empty() {
            let reason = "Aggregation function attempted to calculate value using empty array".into();
            return Err(PathMiss::Function { reason });
        }
        let count = numbers.len() as f64;
        let sum: f64 = numbers.iter().sum();
        Ok(Json::from(match self {
            Function::Min => numbers.iter().copied().fold(f64::INFINITY, f64::min),
            Function::Max => numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Function::Avg => sum / count,
            Function::Stddev => {
                let squares: f64 = numbers.iter().map(|number| number * number).sum();
                (squares / count - (sum / count) * (sum / count)).max(0.0).sqrt()
            }
            _ => sum,
        }))
    }

    fn unusable(self, value: &str) -> PathMiss {
        PathMiss::Function { reason: format!("Function {}() cannot be applied to {value}", self.name()) }
    }
}
