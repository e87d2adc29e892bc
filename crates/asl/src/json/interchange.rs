//! [`Json`] through serde, for structures of ours that hold one: the forms of other crates, never a payload's text.
//!
//! Texts come and go through [`Json::parse`] and [`Json::to_text`], which keep what serde_json would not: `-0` apart from
//! `-0.0`, nesting beyond 128, doubles in Java's form.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::{Json, Number, Object};

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Null => serializer.serialize_unit(),
            Json::Bool(value) => serializer.serialize_bool(*value),
            Json::Number(Number::Int(int)) => serializer.serialize_i64(*int),
            Json::Number(Number::Float(double)) => serializer.serialize_f64(*double),
            Json::String(text) => serializer.serialize_str(text),
            Json::Array(items) => {
                let mut out = serializer.serialize_seq(Some(items.len()))?;
                for item in items.iter() {
                    out.serialize_element(item)?;
                }
                out.end()
            }
            Json::Object(members) => {
                let mut out = serializer.serialize_map(Some(members.len()))?;
                for (key, value) in members.iter() {
                    out.serialize_entry(&**key, value)?;
                }
                out.end()
            }
        }
    }
}

/// Most vectors come with no length; more than this is never reserved on a sender's word.
const RESERVED_MAX: usize = 1024;

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Json;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_none<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, int: i64) -> Result<Json, E> {
        Ok(Json::from(int))
    }

    fn visit_u64<E>(self, int: u64) -> Result<Json, E> {
        Ok(Json::from(int))
    }

    fn visit_f64<E>(self, double: f64) -> Result<Json, E> {
        Ok(Json::from(double))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::from(text))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut array = Vec::with_capacity(items.size_hint().unwrap_or(0).min(RESERVED_MAX));
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Json::from(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object = Object::with_capacity(members.size_hint().unwrap_or(0).min(RESERVED_MAX));
        while let Some((key, value)) = members.next_entry::<Arc<str>, Json>()? {
            object.insert(key, value);
        }
        Ok(Json::from(object))
    }
}
