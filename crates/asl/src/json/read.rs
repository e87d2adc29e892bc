//! Text to [`Json`], by serde_json's reader and a visitor into our shared nodes.
//!
//! It refuses to word failures: when the reader stops, [`diagnosis`](super::diagnosis) looks again to say what AWS
//! says. That costs a second pass over broken text only.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Json, JsonError, Number, Object, diagnosis};

/// How many arrays and objects may be nested in each other in a text: the reader's own guard of the stack, small
/// enough for wasm and far beyond payloads that people write.
pub const DEPTH_MAX: usize = 127;

/// Most vectors come with no length; more than this is never reserved on a sender's word.
const RESERVED_MAX: usize = 1024;

pub(super) fn parse(text: &str) -> Result<Json, JsonError> {
    serde_json::from_str(text).map_err(|failure| diagnosis::diagnose(text, &failure))
}

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

    /// The reader hands over `-0` as a negative zero; AWS answers `0` to it.
    fn visit_f64<E>(self, double: f64) -> Result<Json, E> {
        if double == 0.0 && double.is_sign_negative() {
            return Ok(Json::Number(Number::Int(0)));
        }
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
