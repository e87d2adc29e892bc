//! A JSON document: the elements of the array, or the members of the object, that stand at a JSON Pointer. They are
//! read one by one, and what lies beside the way there is skipped: no document is in memory whole.

use std::fmt;
use std::io::{BufReader, Read};
use std::sync::Arc;

use asl::json::Json;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{NOT_ITERABLE, Sink, Stop};

pub(super) fn read(bytes: impl Read, pointer: &str, sink: &mut Sink<'_>) -> Result<(), Stop> {
    let way: Vec<String> =
        pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
    let mut stop = None;
    let mut found = false;
    let mut document = serde_json::Deserializer::from_reader(BufReader::new(bytes));
    let node = Node { way: &way, sink, stop: &mut stop, found: &mut found };
    let read = node.deserialize(&mut document).and_then(|()| document.end());
    match (stop, read) {
        (Some(stop), _) => Err(stop),
        (None, Err(error)) => Err(Stop::Failed(format!("The object is not valid JSON: {error}"))),
        (None, Ok(())) if !found => Err(Stop::Failed(NOT_ITERABLE.to_owned())),
        (None, Ok(())) => Ok(()),
    }
}

/// A value, and the way from it to the items.
struct Node<'a, 'b> {
    way: &'a [String],
    sink: &'a mut Sink<'b>,
    /// Why it stopped, as the library's errors cannot say it.
    stop: &'a mut Option<Stop>,
    /// Whether there was something at the end of the way.
    found: &'a mut bool,
}

impl Node<'_, '_> {
    fn item<E: Error>(&mut self, key: Option<Arc<str>>, raw: &RawValue) -> Result<(), E> {
        let handed = match Json::parse(raw.get()) {
            Ok(value) => (self.sink)(key, value),
            Err(error) => Err(Stop::Failed(error.message().to_owned())),
        };
        handed.map_err(|stop| {
            *self.stop = Some(stop);
            E::custom("stopped")
        })
    }

    fn no_items<E: Error>(self) -> Result<(), E> {
        *self.stop = Some(Stop::Failed(NOT_ITERABLE.to_owned()));
        Err(E::custom(NOT_ITERABLE))
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, document: D) -> Result<(), D::Error> {
        document.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array or an object")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        let Some((next, rest)) = self.way.split_first() else {
            *self.found = true;
            while let Some(raw) = elements.next_element::<Box<RawValue>>()? {
                self.item(None, &raw)?;
            }
            return Ok(());
        };
        let wanted: Option<usize> = next.parse().ok();
        for at in 0.. {
            if Some(at) == wanted {
                let Node { sink, stop, found, .. } = &mut self;
                let node = Node { way: rest, sink: &mut **sink, stop, found };
                if elements.next_element_seed(node)?.is_none() {
                    break;
                }
            } else if elements.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        let Some((next, rest)) = self.way.split_first() else {
            *self.found = true;
            while let Some((key, raw)) = members.next_entry::<String, Box<RawValue>>()? {
                self.item(Some(key.into()), &raw)?;
            }
            return Ok(());
        };
        while let Some(key) = members.next_key::<String>()? {
            if key == *next {
                let Node { sink, stop, found, .. } = &mut self;
                members.next_value_seed(Node { way: rest, sink: &mut **sink, stop, found })?;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.no_items()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.no_items()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.no_items()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.no_items()
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.no_items()
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.no_items()
    }
}

#[cfg(test)]
mod tests {
    use asl::states::map::distributed::{InputType, ReaderFormat};

    use crate::rows::tests::read_text;

    fn read_at(pointer: &str, text: &str) -> Vec<String> {
        let input_type = Some(InputType::Json);
        let format = ReaderFormat { input_type, pointer: Some(pointer.into()), ..ReaderFormat::default() };
        read_text(text.as_bytes(), &format)
    }

    #[test]
    fn elements_and_members_are_items() {
        assert_eq!(read_at("", r#"[{"a": 1.0}, "b", [ ]]"#), [r#"{"a":1.0}"#, r#""b""#, "[]"]);
        assert_eq!(read_at("", r#"{"k": 1, "l": {}}"#), ["k: 1", "l: {}"]);
        assert_eq!(read_at("/a/1/b~1c", r#"{"x": [1], "a": [0, {"b/c": [7, 8]}, 2]}"#), ["7", "8"]);
    }

    #[test]
    fn nothing_to_map_over() {
        let not_iterable = ["! Attempting to map over non-iterable node."];
        for (pointer, text) in [
            ("", "1"),
            ("", "\"x\""),
            ("", "null"),
            ("/a", r#"{"b": []}"#),
            ("/0", "[]"),
            ("/a", r#"{"a": true}"#),
        ] {
            assert_eq!(read_at(pointer, text), not_iterable, "{pointer} {text}");
        }
        assert!(read_at("", "[1, 2")[2].starts_with("! The object is not valid JSON: "));
    }
}
