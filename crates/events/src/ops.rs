//! The operations of the EventBridge API, a file for each group: its requests, what it checks, its answers.

pub(crate) mod buses;
pub(crate) mod put_events;
pub(crate) mod rules;
pub(crate) mod tags;
pub(crate) mod targets;

use serde_json::{Map, Value};

use crate::error::EventsError;

/// AWS's largest page, which is also the default.
const PAGE_MAX: usize = 100;

/// One page of `items` (sorted by their keys) under the member `name`, and the token of the next.
fn page<'i, T: 'i>(
    name: &str,
    items: impl Iterator<Item = (&'i str, T)>,
    limit: Option<usize>,
    token: Option<&str>,
    show: impl Fn(T) -> Value,
) -> Result<Value, EventsError> {
    let limit = limit.unwrap_or(PAGE_MAX);
    if limit == 0 || limit > PAGE_MAX {
        return Err(EventsError::validation(format!(
            "1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must have \
             value between 1 and {PAGE_MAX}"
        )));
    }
    let after = match token {
        None => None,
        Some(token) => {
            let key = hex::decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            Some(key.ok_or_else(|| EventsError::validation("Token is invalid."))?)
        }
    };
    let mut rest = items.skip_while(|(key, _)| after.as_deref().is_some_and(|after| *key <= after));
    let mut shown = Vec::new();
    let mut last = "";
    for (key, item) in rest.by_ref().take(limit) {
        last = key;
        shown.push(show(item));
    }
    let mut answer = Map::from_iter([(name.to_owned(), Value::Array(shown))]);
    if rest.next().is_some() {
        answer.insert("NextToken".to_owned(), Value::from(hex::encode(last)));
    }
    Ok(Value::Object(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_one_another() {
        let items = ["a", "b", "c", "d", "e"];
        let get = |limit: usize, token: Option<&str>| {
            page("Names", items.iter().map(|i| (*i, *i)), Some(limit), token, Value::from)
        };
        let (mut seen, mut token) = (Vec::new(), None::<String>);
        loop {
            let answer = get(2, token.as_deref()).unwrap();
            seen.push(answer["Names"].to_string());
            let Some(next) = answer.get("NextToken") else { break };
            token = next.as_str().map(str::to_owned);
        }
        assert_eq!(seen, [r#"["a","b"]"#, r#"["c","d"]"#, r#"["e"]"#]);
        assert_eq!(get(0, None).unwrap_err().code, "ValidationException");
        assert_eq!(get(5, Some("xyz")).unwrap_err().message, "Token is invalid.");
    }
}
