//! What an invocation asks for: the event, completed by environment variables. No network, no images.
//!
//! An event is either S3's "Object Created" as EventBridge sends it, or an object that names `bucket` and `key` itself.
//! Both may carry the options; an option that is absent is taken from `ROLLING_BALL_…`, then from a default.

use rolling_ball::{Method, Settings};
use serde_json::Value;

use crate::failure::Failure;

/// Where results go unless told otherwise. A rule for new objects filters by another prefix (`in/`), so that a
/// result does not set off the next execution.
const OUTPUT_PREFIX: &str = "results/";
/// scikit-image's default is 100, ImageJ's 50; the latter suits pictures that fit a screen.
const RADIUS: f64 = 50.0;

/// A bucket and a key in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) bucket: String,
    pub(crate) key: String,
}

/// Which part of the image is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Result,
    Background,
}

impl Output {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Result => "result",
            Self::Background => "background",
        }
    }
}

/// What to do.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) source: Place,
    pub(crate) target: Place,
    pub(crate) settings: Settings,
    pub(crate) output: Output,
}

impl Request {
    /// Reads an event; `environment` looks up a variable.
    pub(crate) fn of(event: &Value, environment: impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let options = Options { event, environment };
        let announced = event.get("detail").is_some();
        let source = if announced {
            Place {
                bucket: text_at(event, "/detail/bucket/name")?,
                key: text_at(event, "/detail/object/key")?,
            }
        } else {
            Place { bucket: text_at(event, "/bucket")?, key: text_at(event, "/key")? }
        };
        let prefix = options.text("output_prefix")?.unwrap_or_else(|| OUTPUT_PREFIX.to_owned());
        let target = Place {
            bucket: options.text("output_bucket")?.unwrap_or_else(|| source.bucket.clone()),
            key: options.text("output_key")?.unwrap_or_else(|| format!("{prefix}{}", source.key)),
        };
        if announced && target.bucket == source.bucket && source.key.starts_with(&prefix) {
            let problem = format!(
                "\"{}\" is under {prefix}, where results are written: this would go round for ever; \
                 limit the rule to another key prefix, such as in/",
                source.key
            );
            return Err(Failure::Request { field: "detail.object.key".to_owned(), problem });
        }
        Ok(Self { source, target, settings: options.settings()?, output: options.output()? })
    }
}

/// The event's own members first, the environment next.
struct Options<'a, F> {
    event: &'a Value,
    environment: F,
}

impl<F: Fn(&str) -> Option<String>> Options<'_, F> {
    fn settings(&self) -> Result<Settings, Failure> {
        let method = self.text("method")?.map_or(Ok(Method::default()), |name| name.parse());
        Ok(Settings {
            radius: self.number("radius")?.unwrap_or(RADIUS),
            method: method.map_err(|error| refused("method", &error.to_string()))?,
            light_background: self.flag("light_background")?.unwrap_or(false),
        })
    }

    fn output(&self) -> Result<Output, Failure> {
        match self.text("output")?.as_deref() {
            None | Some("result") => Ok(Output::Result),
            Some("background") => Ok(Output::Background),
            Some(other) => {
                Err(refused("output", &format!("is {other:?}; it must be \"result\" or \"background\"")))
            }
        }
    }

    fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        match self.member(name) {
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(refused(name, &format!("is {other}; it must be a string"))),
            None => Ok(self.variable(name)),
        }
    }

    fn number(&self, name: &str) -> Result<Option<f64>, Failure> {
        let number = match self.member(name) {
            Some(value) => value.as_f64().ok_or_else(|| value.to_string()),
            None => match self.variable(name) {
                Some(text) => text.parse().map_err(|_| text),
                None => return Ok(None),
            },
        };
        number.map(Some).map_err(|found| refused(name, &format!("is {found}; it must be a number")))
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, Failure> {
        let flag = match self.member(name) {
            Some(value) => value.as_bool().ok_or_else(|| value.to_string()),
            None => match self.variable(name) {
                Some(text) => text.parse().map_err(|_| text),
                None => return Ok(None),
            },
        };
        flag.map(Some).map_err(|found| refused(name, &format!("is {found}; it must be true or false")))
    }

    fn member(&self, name: &str) -> Option<&Value> {
        self.event.get(name).filter(|value| !value.is_null())
    }

    fn variable(&self, name: &str) -> Option<String> {
        (self.environment)(&format!("ROLLING_BALL_{}", name.to_uppercase())).filter(|value| !value.is_empty())
    }
}

fn text_at(event: &Value, pointer: &str) -> Result<String, Failure> {
    let field = pointer[1..].replace('/', ".");
    match event.pointer(pointer) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(other) => Err(refused(&field, &format!("is {other}; it must be a string that is not empty"))),
        None => Err(refused(
            &field,
            "is missing; send {\"bucket\", \"key\"} or S3's \"Object Created\" event from EventBridge",
        )),
    }
}

fn refused(field: &str, problem: &str) -> Failure {
    Failure::Request { field: field.to_owned(), problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request(event: Value) -> Result<Request, String> {
        Request::of(&event, |_| None).map_err(|failure| failure.to_string())
    }

    fn object_created(key: &str) -> Value {
        json!({
            "version": "0", "detail-type": "Object Created", "source": "aws.s3",
            "detail": {"bucket": {"name": "pictures"}, "object": {"key": key, "size": 5}, "reason": "PutObject"}
        })
    }

    #[test]
    fn an_event_from_eventbridge_names_the_object() {
        let request = request(object_created("in/a b+c.png")).unwrap();
        assert_eq!(request.source, Place { bucket: "pictures".into(), key: "in/a b+c.png".into() });
        assert_eq!(request.target, Place { bucket: "pictures".into(), key: "results/in/a b+c.png".into() });
        assert_eq!(request.settings.method, Method::Fast);
        assert_eq!(request.output, Output::Result);
    }

    #[test]
    fn a_plain_event_carries_its_options() {
        let request = request(json!({
            "bucket": "b", "key": "k.png", "radius": 12.5, "method": "imagej", "light_background": true,
            "output_bucket": "o", "output_key": "x.png", "output": "background", "anything": "else"
        }))
        .unwrap();
        assert_eq!(request.target, Place { bucket: "o".into(), key: "x.png".into() });
        assert_eq!((request.settings.radius, request.settings.method), (12.5, Method::ImageJ));
        assert!(request.settings.light_background);
        assert_eq!(request.output, Output::Background);
    }

    #[test]
    fn the_environment_completes_the_event() {
        let environment = |name: &str| {
            let value = match name {
                "ROLLING_BALL_RADIUS" => "7",
                "ROLLING_BALL_METHOD" => "direct",
                "ROLLING_BALL_OUTPUT_PREFIX" => "done/",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let request = Request::of(&json!({"bucket": "b", "key": "k", "radius": 9}), environment).unwrap();
        assert_eq!((request.settings.radius, request.settings.method), (9.0, Method::Direct));
        assert_eq!(request.target.key, "done/k");
    }

    #[test]
    fn a_result_does_not_set_off_another_one() {
        let message = request(object_created("results/in/a.png")).unwrap_err();
        assert!(message.contains("detail.object.key") && message.contains("in/"), "{message}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (event, says) in [
            (json!({}), "bucket is missing"),
            (json!({"bucket": "b"}), "key is missing"),
            (json!({"bucket": 5, "key": "k"}), "bucket is 5"),
            (json!({"bucket": "b", "key": ""}), "key is \"\""),
            (json!({"detail": {}}), "detail.bucket.name is missing"),
            (json!({"bucket": "b", "key": "k", "radius": "big"}), "radius is \"big\""),
            (json!({"bucket": "b", "key": "k", "method": "slow"}), "method"),
            (json!({"bucket": "b", "key": "k", "output": "both"}), "output is \"both\""),
            (json!({"bucket": "b", "key": "k", "light_background": 1}), "light_background is 1"),
            (json!("text"), "bucket is missing"),
        ] {
            let message = request(event.clone()).unwrap_err();
            assert!(message.contains(says), "{event}: {message}");
        }
    }
}
