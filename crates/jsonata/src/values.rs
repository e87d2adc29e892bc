//! Values between the language's [`Json`] and the evaluator's [`JValue`].
//!
//! JSONata has one kind of number, the double; what comes back whole becomes an integer again. It also has values that
//! JSON has not: undefined members are left out, and a function or a pattern anywhere in a result is refused, because
//! leaving it out would lose it silently.

use asl::json::{Json, Number, Object};
use indexmap::IndexMap;
use jsonata_core::evaluator::CancelToken;
use jsonata_core::value::{JArray, JValue, with_stack};

/// Why a value has no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotJson {
    /// It is a function or a pattern, or holds one.
    Function,
    /// Its text would be longer than allowed, or it takes too much memory.
    TooLong,
}

/// How deep a result may be nested: what Java's reader of JSON takes. Deeper values would also endanger the stack of
/// whoever drops them.
const DEPTH_MAX: usize = 1_000;

/// The evaluator's form of `value`.
pub(crate) fn to_core(value: &Json) -> JValue {
    match value {
        Json::Null => JValue::Null,
        Json::Bool(value) => JValue::Bool(*value),
        Json::Number(number) => JValue::Number(number.as_f64()),
        Json::String(text) => JValue::string(&**text),
        Json::Array(items) => with_stack(|| {
            let flat = !items.iter().any(|item| matches!(item, Json::Array(_)));
            JValue::Array(JArray::new_flat(items.iter().map(to_core).collect(), flat))
        }),
        Json::Object(members) => with_stack(|| {
            let members = members.iter().map(|(name, member)| (name.to_string(), to_core(member)));
            JValue::object(members.collect::<IndexMap<String, JValue>>())
        }),
    }
}

/// The JSON form of `value`, `None` if it is undefined. Values share their parts, so a small one can have an enormous
/// text: the walk ends when the text would pass `bytes_max`, and when `flag` is raised because what is made of it takes too
/// much memory.
pub(crate) fn to_json(value: &JValue, bytes_max: usize, flag: &CancelToken) -> Result<Option<Json>, NotJson> {
    Outgoing { bytes_left: bytes_max, flag }.value(value, 0)
}

/// The longest value that a message shows.
const SHOWN_BYTES_MAX: usize = 1024;

/// The value as messages show it: as `JSON.stringify` prints it.
pub(crate) fn shown(value: &JValue) -> String {
    match to_json(value, SHOWN_BYTES_MAX, &CancelToken::new()) {
        Ok(Some(json)) => json.to_text(),
        _ => "undefined".to_owned(),
    }
}

struct Outgoing<'a> {
    bytes_left: usize,
    flag: &'a CancelToken,
}

impl Outgoing<'_> {
    fn value(&mut self, value: &JValue, depth: usize) -> Result<Option<Json>, NotJson> {
        if depth > DEPTH_MAX || self.flag.is_cancelled() {
            return Err(NotJson::TooLong);
        }
        self.spend(1)?;
        Ok(Some(match value {
            JValue::Undefined => return Ok(None),
            JValue::Null => Json::Null,
            JValue::Bool(value) => Json::Bool(*value),
            JValue::Number(number) => number_to_json(*number),
            JValue::String(text) => {
                self.spend(text.len())?;
                Json::from(&**text)
            }
            JValue::Array(items) => with_stack(|| self.array(items, depth))?,
            JValue::Object(members) => with_stack(|| self.object(members, depth))?,
            JValue::Lambda(_) | JValue::Builtin { .. } | JValue::Regex { .. } => {
                return Err(NotJson::Function);
            }
        }))
    }

    fn array(&mut self, items: &[JValue], depth: usize) -> Result<Json, NotJson> {
        let mut array = Vec::with_capacity(items.len().min(self.bytes_left));
        for item in items {
            // A hole, as a group of a pattern that took no part: `null`, as JavaScript prints it.
            array.push(self.value(item, depth + 1)?.unwrap_or_default());
        }
        Ok(Json::from(array))
    }

    fn object(&mut self, members: &IndexMap<String, JValue>, depth: usize) -> Result<Json, NotJson> {
        let mut object = Object::with_capacity(members.len().min(self.bytes_left));
        for (name, member) in members {
            self.spend(name.len())?;
            if let Some(member) = self.value(member, depth + 1)? {
                object.insert(name.as_str().into(), member);
            }
        }
        Ok(Json::from(object))
    }

    fn spend(&mut self, bytes: usize) -> Result<(), NotJson> {
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or(NotJson::TooLong)?;
        Ok(())
    }
}

/// A whole number as an integer, and what JSON cannot say as a string (recorded).
fn number_to_json(number: f64) -> Json {
    if number.is_nan() {
        return Json::from("NaN");
    }
    if number.is_infinite() {
        return Json::from(if number > 0.0 { "Infinity" } else { "-Infinity" });
    }
    if number.fract() != 0.0 {
        return Json::Number(Number::Float(number));
    }
    if number.abs() <= EXACT_MAX {
        return Json::from(number as i64);
    }
    // As JavaScript prints it: the shortest digits that mean this double, and zeros after them.
    let digits = format!("{number}");
    digits.parse::<i64>().map_or(Json::Number(Number::Float(number)), Json::from)
}

/// Up to here every integer is a double.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: usize = 1_000;

    fn round(text: &str) -> String {
        let value = to_core(&Json::parse(text).unwrap());
        to_json(&value, BYTES, &CancelToken::new()).unwrap().unwrap().to_text()
    }

    #[test]
    fn whole_numbers_are_integers_and_others_stay() {
        assert_eq!(round(r#"{"a":[1,1.0,-0,1.5,1e3]}"#), r#"{"a":[1,1,0,1.5,1000]}"#);
        assert_eq!(round("1152921504606846976"), "1152921504606847000");
        assert_eq!(round("1.0E300"), "1.0E300");
        let number = |number| number_to_json(number).to_text();
        assert_eq!(number(f64::NAN), "\"NaN\"");
        assert_eq!(number(f64::INFINITY), "\"Infinity\"");
        assert_eq!(number(f64::NEG_INFINITY), "\"-Infinity\"");
    }

    #[test]
    fn what_is_undefined_is_left_out_and_what_is_a_function_is_refused() {
        let undefined = JValue::array(vec![
            JValue::object([("a".to_owned(), JValue::Undefined)].into()),
            JValue::Undefined,
        ]);
        assert_eq!(to_json(&undefined, BYTES, &CancelToken::new()).unwrap().unwrap().to_text(), "[{},null]");
        let function = JValue::array(vec![JValue::builtin("sum")]);
        assert_eq!(to_json(&function, BYTES, &CancelToken::new()), Err(NotJson::Function));
        assert_eq!(to_json(&JValue::regex("a", ""), BYTES, &CancelToken::new()), Err(NotJson::Function));
    }

    #[test]
    fn shared_parts_and_deep_nesting_are_bounded() {
        let mut shared = JValue::from("x");
        let mut deep = JValue::from("x");
        for _ in 0..60 {
            shared = JValue::array(vec![shared.clone(), shared]);
        }
        for _ in 0..100_000 {
            deep = JValue::array(vec![deep]);
        }
        assert_eq!(to_json(&shared, BYTES, &CancelToken::new()), Err(NotJson::TooLong));
        assert_eq!(to_json(&deep, usize::MAX, &CancelToken::new()), Err(NotJson::TooLong));
    }
}
