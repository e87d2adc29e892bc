//! [`Events`]: the EventBridge service. A request's name and body in, JSON or a refusal out; events in, deliveries out.
//!
//! ```text
//!   PutRule, PutTargets ──► rows ──► rules in memory
//!   PutEvents, publish  ──► rules that match ──► deliveries written down ──► reply
//!                                                        └──► Targets::deliver, again and again until taken
//! ```
//!
//! An accepted event has been matched and its deliveries are durable: they happen at least once, over `kill -9` too. A
//! rule that is changed later does not change them.

use std::sync::{Arc, PoisonError, RwLock};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::delivery::{
    AGE_SECONDS_MAX, Deliverer, Delivery, Owed, RETRIES_MAX, Targets, delivery_name, now_seconds,
};
use crate::error::EventsError;
use crate::event::Event;
use crate::ops;
use crate::rule::{Buses, DEFAULT_BUS, Place, Rule, RuleRow, bus_name};
use crate::store::{EventStore, Kind};
use crate::target::Matched;
use crate::time::rfc3339;

/// The service. Clones share it.
#[derive(Clone)]
pub struct Events {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) place: Place,
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) targets: Arc<dyn Targets>,
    buses: RwLock<Buses>,
    /// One change of rules at a time: each reads, writes its row, and only then shows.
    pub(crate) changing: tokio::sync::Mutex<()>,
    deliverer: Deliverer,
}

impl Events {
    /// Loads buses and rules, and takes up the deliveries that an earlier run owed. Must be called within a Tokio
    /// runtime.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub async fn open(
        place: Place,
        store: Arc<dyn EventStore>,
        targets: Arc<dyn Targets>,
    ) -> Result<Self, EventsError> {
        let mut buses = Buses::default();
        for (bus, _) in store.load(Kind::Bus).await.map_err(EventsError::internal)? {
            buses.add(&bus);
        }
        for (key, row) in store.load(Kind::Rule).await.map_err(EventsError::internal)? {
            let row: RuleRow = serde_json::from_str(&row)
                .map_err(|e| EventsError::internal(format!("the row of rule {key} cannot be read: {e}")))?;
            buses.put(Rule::new(row)?);
        }
        let deliverer = Deliverer::new(Arc::clone(&store), Arc::clone(&targets));
        deliverer.resume().await?;
        let buses = RwLock::new(buses);
        let inner =
            Inner { place, store, targets, buses, changing: tokio::sync::Mutex::default(), deliverer };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Answers one request of the AWS JSON protocol, target `AWSEvents.OPERATION`.
    ///
    /// # Errors
    /// What AWS refuses, in its words.
    pub async fn handle(&self, operation: &str, body: &[u8]) -> Result<Value, EventsError> {
        let it = &*self.inner;
        match operation {
            "PutRule" => ops::rules::put(it, parse(body)?).await,
            "DescribeRule" => ops::rules::describe(it, parse(body)?),
            "ListRules" => ops::rules::list(it, parse(body)?),
            "DeleteRule" => ops::rules::delete(it, parse(body)?).await,
            "EnableRule" => ops::rules::switch(it, parse(body)?, true).await,
            "DisableRule" => ops::rules::switch(it, parse(body)?, false).await,
            "TestEventPattern" => ops::rules::test_pattern(&parse(body)?),
            "PutTargets" => ops::targets::put(it, parse(body)?).await,
            "ListTargetsByRule" => ops::targets::list(it, parse(body)?),
            "RemoveTargets" => ops::targets::remove(it, parse(body)?).await,
            "ListRuleNamesByTarget" => ops::targets::rules_of(it, parse(body)?),
            "PutEvents" => ops::put_events::put(it, parse(body)?).await,
            "CreateEventBus" => ops::buses::create(it, parse(body)?).await,
            "DescribeEventBus" => ops::buses::describe(it, parse(body)?),
            "ListEventBuses" => ops::buses::list(it, parse(body)?),
            "DeleteEventBus" => ops::buses::delete(it, parse(body)?).await,
            "TagResource" => ops::tags::tag(it, parse(body)?).await,
            "UntagResource" => ops::tags::untag(it, parse(body)?).await,
            "ListTagsForResource" => ops::tags::list(it, parse(body)?),
            _ => Err(EventsError::new(
                "UnknownOperationException",
                format!("The EventBridge operation {operation} is not implemented here."),
            )),
        }
    }

    /// Takes an event of this server's own (`aws.s3`, `aws.states`) on the default bus. `Ok` once every delivery that it
    /// leads to is durable; the same event may be published again.
    ///
    /// # Errors
    /// When the deliveries cannot be written down, or too many are owed: publish it again later.
    pub async fn publish(&self, event: &Event) -> Result<(), EventsError> {
        self.inner.accept(DEFAULT_BUS, event).await
    }

    /// Where this service says it is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.inner.place
    }
}

impl Inner {
    pub(crate) fn with_buses<T>(&self, look: impl FnOnce(&Buses) -> T) -> T {
        look(&self.buses.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn change_buses(&self, change: impl FnOnce(&mut Buses)) {
        change(&mut self.buses.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// The row of a rule, or why there is none.
    pub(crate) fn rule(&self, bus: Option<&str>, name: &str) -> Result<RuleRow, EventsError> {
        let bus = bus_name(bus);
        self.with_buses(|buses| {
            buses.rules(bus).ok_or_else(|| EventsError::no_bus(bus))?;
            let rule = buses.rule(bus, name).ok_or_else(|| EventsError::no_rule(bus, name))?;
            Ok(rule.row.clone())
        })
    }

    /// Writes a rule down, then shows it. The caller holds `changing`.
    pub(crate) async fn save(&self, row: RuleRow) -> Result<(), EventsError> {
        let rule = Rule::new(row.clone())?;
        let text = serde_json::to_string(&row).map_err(EventsError::internal)?;
        self.store
            .put(Kind::Rule, rule_key(&row.bus, &row.name), text)
            .await
            .map_err(EventsError::internal)?;
        self.change_buses(|buses| buses.put(rule));
        Ok(())
    }

    /// Matches an event and writes its deliveries down.
    pub(crate) async fn accept(&self, bus: &str, event: &Event) -> Result<(), EventsError> {
        self.deliverer.require_room()?;
        let value = event.to_value();
        let accepted_seconds = now_seconds();
        let ingestion_time = rfc3339(accepted_seconds);
        let owed = self.with_buses(|buses| {
            let rules = buses.wanting(bus, &value);
            let deliveries =
                rules.into_iter().flat_map(|rule| self.owed(rule, event, &value, &ingestion_time));
            deliveries.map(|owed| Owed { accepted_seconds, ..owed }).collect::<Vec<_>>()
        });
        self.deliverer.accept(owed).await
    }

    fn owed(&self, rule: &RuleRow, event: &Event, value: &Value, ingestion_time: &str) -> Vec<Owed> {
        let rule_arn = self.place.rule_arn(&rule.bus, &rule.name);
        let matched = Matched { rule_arn: &rule_arn, rule_name: &rule.name, ingestion_time };
        let mut owed = Vec::new();
        for target in &rule.targets {
            let input = match target.input_for(value, matched) {
                Ok(input) => input,
                Err(error) => {
                    // As on AWS, one target's template does not hold up the others.
                    tracing::warn!(error, rule_arn, target = target.id, "a target's input could not be made");
                    continue;
                }
            };
            let policy = target.retry_policy;
            let delivery = Delivery {
                name: delivery_name(&event.id, &rule_arn, &target.id),
                target_arn: target.arn.clone(),
                role_arn: target.role_arn.clone(),
                input,
                rule_arn: rule_arn.clone(),
                event_id: event.id.clone(),
            };
            owed.push(Owed {
                delivery,
                accepted_seconds: 0,
                age_seconds_max: policy
                    .and_then(|p| p.maximum_event_age_in_seconds)
                    .unwrap_or(AGE_SECONDS_MAX),
                retries_max: policy.and_then(|p| p.maximum_retry_attempts).unwrap_or(RETRIES_MAX),
            });
        }
        owed
    }
}

/// A bus's name has no slash at its end and a rule's has none at all, so the key is unambiguous.
pub(crate) fn rule_key(bus: &str, rule: &str) -> String {
    format!("{bus}/{rule}")
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, EventsError> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|e| EventsError::new("SerializationException", e.to_string()))
}
