//! The JSON value that every part of Loveless passes around.
//!
//! It is a tree of shared nodes: strings, arrays and objects sit behind `Arc`, so that cloning a payload costs a
//! counter and a change copies only the path it touches. Objects keep the order of their keys, integers stay apart
//! from doubles (`1` and `1.0` keep their own text), and text comes out compact.
//!
//! It refuses to know what a payload means, how large one may be, or which states pass it on. `serde_json::Value` was
//! the road not taken: its clone is deep, and a chain of states over a large payload would copy it at every step.

mod diagnosis;
mod error;
mod interchange;
mod java;
mod number;
mod read;
mod write;

use std::borrow::Borrow;
use std::sync::Arc;

pub use error::JsonError;
pub use number::Number;
pub use read::DEPTH_MAX;
pub use write::TooLong;

/// The members of a JSON object in the order in which they were written; equality ignores that order.
pub type Object = indexmap::IndexMap<Arc<str>, Json>;

/// A JSON value. Cloning is cheap at any size.
///
/// Equality is structural: objects compare without regard to order, and the integer `1` differs from the double `1.0`
/// (compare the [`Number`]s where the value alone matters).
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Json {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer or a double.
    Number(Number),
    /// A string.
    String(Arc<str>),
    /// An array.
    Array(Arc<Vec<Json>>),
    /// An object.
    Object(Arc<Object>),
}

impl Json {
    /// Reads one JSON value from `text`; of members with the same name the last wins.
    pub fn parse(text: &str) -> Result<Json, JsonError> {
        read::parse(text)
    }

    /// An object of the given members; of members with the same name the last wins.
    pub fn object<K, V>(members: impl IntoIterator<Item = (K, V)>) -> Json
    where
        K: Into<Arc<str>>,
        V: Into<Json>,
    {
        Json::from(members.into_iter().map(|(key, value)| (key.into(), value.into())).collect::<Object>())
    }

    /// An array of the given items.
    pub fn array<V: Into<Json>>(items: impl IntoIterator<Item = V>) -> Json {
        Json::from(items.into_iter().map(Into::into).collect::<Vec<Json>>())
    }

    /// `{}`.
    pub fn empty_object() -> Json {
        Json::from(Object::new())
    }

    /// The string, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if this is one.
    pub fn as_number(&self) -> Option<Number> {
        match self {
            Json::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The integer, if this is a number written as one.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Json::Number(Number::Int(int)) => Some(*int),
            _ => None,
        }
    }

    /// The number as a double, if this is a number.
    pub fn as_f64(&self) -> Option<f64> {
        self.as_number().map(Number::as_f64)
    }

    /// The boolean, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Json::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The items, if this is an array.
    pub fn as_array(&self) -> Option<&[Json]> {
        match self {
            Json::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The members, if this is an object.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Json::Object(members) => Some(members),
            _ => None,
        }
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Json::Null)
    }

    /// The member called `key`, if this is an object that has one.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.as_object()?.get(key)
    }

    /// The item at `index`, if this is an array that long.
    pub fn index(&self, index: usize) -> Option<&Json> {
        self.as_array()?.get(index)
    }

    /// The type's name as JSON and JSONata say it: `null`, `boolean`, `number`, `string`, `array` or `object`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "boolean",
            Json::Number(_) => "number",
            Json::String(_) => "string",
            Json::Array(_) => "array",
            Json::Object(_) => "object",
        }
    }

    /// How many arrays and objects are nested in each other: 0 for a scalar, 1 for `[]`.
    ///
    /// Values are composed faster than they are read, so a loop that wraps its own input can nest deeper than
    /// [`DEPTH_MAX`], and such a text could not be read back. Whoever stores a composed value checks this first.
    pub fn depth(&self) -> usize {
        let mut deepest = 0;
        let mut open = vec![(self, 0)];
        while let Some((value, around)) = open.pop() {
            let depth = match value {
                Json::Array(items) => {
                    open.extend(items.iter().map(|item| (item, around + 1)));
                    around + 1
                }
                Json::Object(members) => {
                    open.extend(members.values().map(|member| (member, around + 1)));
                    around + 1
                }
                _ => around,
            };
            deepest = deepest.max(depth);
        }
        deepest
    }
}

impl From<()> for Json {
    fn from((): ()) -> Json {
        Json::Null
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Json {
        Json::Bool(value)
    }
}

impl From<Number> for Json {
    fn from(number: Number) -> Json {
        Json::Number(number)
    }
}

impl From<i64> for Json {
    fn from(int: i64) -> Json {
        Json::Number(Number::Int(int))
    }
}

impl From<i32> for Json {
    fn from(int: i32) -> Json {
        Json::from(i64::from(int))
    }
}

impl From<u32> for Json {
    fn from(int: u32) -> Json {
        Json::from(i64::from(int))
    }
}

impl From<u64> for Json {
    fn from(int: u64) -> Json {
        Json::Number(Number::from(int))
    }
}

impl From<usize> for Json {
    fn from(int: usize) -> Json {
        Json::from(int as u64)
    }
}

/// A double that JSON can say; infinities and NaN become `null`, as in JavaScript.
impl From<f64> for Json {
    fn from(double: f64) -> Json {
        if double.is_finite() { Json::Number(Number::Float(double)) } else { Json::Null }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Json {
        Json::String(text.into())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Json {
        Json::String(text.into())
    }
}

impl From<Arc<str>> for Json {
    fn from(text: Arc<str>) -> Json {
        Json::String(text)
    }
}

impl From<Vec<Json>> for Json {
    fn from(items: Vec<Json>) -> Json {
        Json::Array(Arc::new(items))
    }
}

impl From<Object> for Json {
    fn from(members: Object) -> Json {
        Json::Object(Arc::new(members))
    }
}

/// An absent value is `null`.
impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Json {
        value.map_or(Json::Null, Into::into)
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Json {
        match value {
            serde_json::Value::Null => Json::Null,
            serde_json::Value::Bool(value) => Json::Bool(value),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(int), _) => Json::from(int),
                (None, double) => Json::from(double),
            },
            serde_json::Value::String(text) => Json::from(text),
            serde_json::Value::Array(items) => Json::array(items),
            serde_json::Value::Object(members) => Json::object(members),
        }
    }
}

impl From<&Json> for serde_json::Value {
    fn from(json: &Json) -> serde_json::Value {
        match json {
            Json::Null => serde_json::Value::Null,
            Json::Bool(value) => (*value).into(),
            Json::Number(Number::Int(int)) => (*int).into(),
            Json::Number(Number::Float(double)) => (*double).into(),
            Json::String(text) => text.to_string().into(),
            Json::Array(items) => items.iter().map(serde_json::Value::from).collect(),
            Json::Object(members) => {
                let members = members.iter().map(|(key, value)| (key.to_string(), value.into()));
                serde_json::Value::Object(members.collect())
            }
        }
    }
}

/// `json["key"]`-like access for code that already knows the shape, without a panic: absent is `null`.
impl<K: Borrow<str> + ?Sized> std::ops::Index<&K> for Json {
    type Output = Json;

    fn index(&self, key: &K) -> &Json {
        self.get(key.borrow()).unwrap_or(&Json::Null)
    }
}

#[cfg(test)]
mod tests;
