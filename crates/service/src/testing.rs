//! A service for the tests of this crate's own parts: nothing is pushed, and the store is in memory.

use std::sync::Arc;

use asl::states::task::Resource;
use connect::{BoxFuture, Call, Connector, Outcome};
use store::EmbeddedStore;

use crate::{CreateMachine, Place, Service, ServiceOptions, StartExecution};

struct Nobody;

impl Connector for Nobody {
    fn supports(&self, _: &Resource) -> bool {
        true
    }

    fn perform(&self, _: Call) -> BoxFuture<'_, Outcome> {
        Box::pin(std::future::pending())
    }
}

pub(crate) async fn open() -> Service {
    let store = Arc::new(EmbeddedStore::in_memory().unwrap());
    let place = Place { region: "us-east-1".into(), account: "000000000000".into() };
    Service::open(store.clone(), store, Arc::new(Nobody), ServiceOptions::new(place)).await.unwrap()
}

/// A machine with one state, and its ARN.
pub(crate) async fn machine(service: &Service, state: serde_json::Value) -> String {
    let definition = serde_json::json!({"StartAt": "A", "States": {"A": state}});
    let request =
        CreateMachine { name: "m".into(), definition: definition.to_string(), ..CreateMachine::default() };
    service.create_machine(request).await.unwrap().arn
}

pub(crate) async fn start(service: &Service, machine_arn: &str) -> String {
    let request = StartExecution { machine_arn: machine_arn.into(), ..StartExecution::default() };
    service.start_execution(request).await.unwrap().arn
}
