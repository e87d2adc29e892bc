//! A service for the tests of this crate's own parts: nothing is pushed, and the store is in memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use asl::states::task::Resource;
use connect::{BoxFuture, Call, Connector, Outcome};
use store::{Catalogue, EmbeddedStore, Expect, MemoryDisk, PutOutcome};
use tokio::sync::Notify;

use crate::{CreateMachine, Place, Service, ServiceOptions, StartExecution};

pub(crate) struct Nobody;

impl Connector for Nobody {
    fn supports(&self, _: &Resource) -> bool {
        true
    }

    fn perform(&self, _: Call) -> BoxFuture<'_, Outcome> {
        Box::pin(std::future::pending())
    }
}

pub(crate) async fn open() -> Service {
    open_on(&MemoryDisk::default()).await
}

/// A service over what is on a disk.
pub(crate) async fn open_on(disk: &MemoryDisk) -> Service {
    let store = Arc::new(EmbeddedStore::on_memory(disk.clone()).unwrap());
    let place = Place { region: "us-east-1".into(), account: "000000000000".into() };
    Service::open(store.clone(), store, Arc::new(Nobody), ServiceOptions::new(place)).await.unwrap()
}

/// Puts another text in the place of a definition, as no request could.
pub(crate) async fn overwrite_definition(disk: &MemoryDisk, hash: &str, text: &str) {
    let store = EmbeddedStore::on_memory(disk.clone()).unwrap();
    let row = store.get("definition", hash).await.unwrap().unwrap();
    let text = text.to_owned().into_bytes().into();
    let put = store.put("definition", hash, Expect::Version(row.version), text).await.unwrap();
    assert!(matches!(put, PutOutcome::Stored { .. }));
}

/// A machine with one state, and its ARN.
pub(crate) async fn machine(service: &Service, state: serde_json::Value) -> String {
    let definition = serde_json::json!({"StartAt": "A", "States": {"A": state}});
    let request =
        CreateMachine { name: "m".into(), definition: definition.to_string(), ..CreateMachine::default() };
    service.create_machine(request).await.unwrap().machine.arn
}

pub(crate) async fn start(service: &Service, machine_arn: &str) -> String {
    let request = StartExecution { machine_arn: machine_arn.into(), ..StartExecution::default() };
    service.start_execution(request).await.unwrap().arn
}

/// Where a computation waits until the test lets it pass.
#[derive(Default)]
pub(crate) struct Gate {
    reached: Notify,
    open: Mutex<bool>,
    opened: Condvar,
}

/// Bounds a hang of a test.
const HANG: Duration = Duration::from_secs(120);

impl Gate {
    /// Holds this thread until the gate is open.
    pub(crate) fn pass(&self) {
        self.reached.notify_one();
        let open = self.open.lock().unwrap();
        let (open, waited) = self.opened.wait_timeout_while(open, HANG, |open| !*open).unwrap();
        drop(open);
        assert!(!waited.timed_out(), "nobody opened the gate");
    }

    /// Comes back when a thread is held.
    pub(crate) async fn reached(&self) {
        tokio::time::timeout(HANG, self.reached.notified()).await.expect("a thread comes to the gate");
    }

    pub(crate) fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

/// What happens to decisions that ask for an activity: nothing, unless a test says so.
#[derive(Default)]
pub(crate) struct Disturbance {
    by_activity: Mutex<HashMap<String, Trouble>>,
}

#[derive(Clone, Default)]
pub(crate) enum Trouble {
    #[default]
    None,
    /// The decision does not go on until the gate is open.
    Held(Arc<Gate>),
    /// The decision panics, and is counted.
    Panic(Arc<AtomicUsize>),
}

impl Disturbance {
    pub(crate) fn set(&self, activity: &str, trouble: Trouble) {
        self.by_activity.lock().unwrap().insert(activity.to_owned(), trouble);
    }

    pub(crate) fn meet(&self, activity: &str) {
        let trouble = self.by_activity.lock().unwrap().get(activity).cloned().unwrap_or_default();
        match trouble {
            Trouble::None => {}
            Trouble::Held(gate) => gate.pass(),
            Trouble::Panic(count) => {
                count.fetch_add(1, Ordering::SeqCst);
                panic!("on purpose")
            }
        }
    }
}
