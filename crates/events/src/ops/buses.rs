//! Event buses: `default`, which always exists, and named ones.

use serde::Deserialize;
use serde_json::{Value, json};

use super::page;
use crate::error::EventsError;
use crate::rule::{DEFAULT_BUS, bus_name};
use crate::service::Inner;
use crate::store::Kind;

/// AWS's limits.
const BUSES_MAX: usize = 100;
const NAME_CHARS_MAX: usize = 256;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct NamedBus {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct MaybeNamedBus {
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListBuses {
    name_prefix: Option<String>,
    limit: Option<usize>,
    next_token: Option<String>,
}

pub(crate) async fn create(it: &Inner, request: NamedBus) -> Result<Value, EventsError> {
    let name = request.name;
    let valid = (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if !valid {
        return Err(EventsError::validation(format!(
            "Parameter Name is not valid. Reason: {name} needs 1 to {NAME_CHARS_MAX} of the characters A-Z a-z 0-9 . - _"
        )));
    }
    let _changing = it.changing.lock().await;
    let (exists, count) = it.with_buses(|buses| (buses.rules(&name).is_some(), buses.names().count()));
    if exists {
        return Err(EventsError::new(
            "ResourceAlreadyExistsException",
            format!("Event bus {name} already exists."),
        ));
    }
    if count >= BUSES_MAX {
        return Err(EventsError::new(
            "LimitExceededException",
            "The requested resource exceeds the maximum number allowed.",
        ));
    }
    it.store.put(Kind::Bus, name.clone(), "{}".to_owned()).await.map_err(EventsError::internal)?;
    it.change_buses(|buses| buses.add(&name));
    Ok(json!({ "EventBusArn": it.place.bus_arn(&name) }))
}

pub(crate) fn describe(it: &Inner, request: MaybeNamedBus) -> Result<Value, EventsError> {
    let name = bus_name(request.name.as_deref());
    it.with_buses(|buses| buses.rules(name).map(|_| ())).ok_or_else(|| EventsError::no_bus(name))?;
    Ok(show(it, name))
}

pub(crate) fn list(it: &Inner, request: ListBuses) -> Result<Value, EventsError> {
    let prefix = request.name_prefix.as_deref().unwrap_or_default();
    it.with_buses(|buses| {
        let named = buses.names().filter(|name| name.starts_with(prefix)).map(|name| (name, name));
        page("EventBuses", named, request.limit, request.next_token.as_deref(), |name| show(it, name))
    })
}

pub(crate) async fn delete(it: &Inner, request: NamedBus) -> Result<Value, EventsError> {
    let name = bus_name(Some(&request.name)).to_owned();
    if name == DEFAULT_BUS {
        return Err(EventsError::validation("Cannot delete event bus default."));
    }
    let _changing = it.changing.lock().await;
    let rules = it.with_buses(|buses| buses.rules(&name).map(|rules| rules.len()));
    match rules {
        None => Ok(json!({})),
        Some(0) => {
            it.store.delete(Kind::Bus, name.clone()).await.map_err(EventsError::internal)?;
            it.change_buses(|buses| buses.remove(&name));
            Ok(json!({}))
        }
        Some(_) => Err(EventsError::validation(format!(
            "Event bus {name} cannot be deleted since it still has rules."
        ))),
    }
}

fn show(it: &Inner, name: &str) -> Value {
    json!({ "Name": name, "Arn": it.place.bus_arn(name) })
}
