//! EXPRESS executions over the in-memory store: places, crashes, and callers that go away.

#![expect(clippy::unwrap_used, reason = "a test stops at the first thing it did not expect")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use asl::states::task::Resource;
use connect::{BoxFuture, Call, Connector, Outcome};
use engine::Status;
use futures::FutureExt;
use service::{CreateMachine, Place, Refusal, Service, ServiceOptions, StartExecution};
use store::{EmbeddedStore, MemoryDisk, Shards, Store};
use tokio::sync::Semaphore;

/// Counts calls, and holds each until it is let go.
struct Gate {
    calls: AtomicUsize,
    called: Semaphore,
    answers: Semaphore,
}

impl Connector for Gate {
    fn supports(&self, _: &Resource) -> bool {
        true
    }

    fn perform(&self, call: Call) -> BoxFuture<'_, Outcome> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.called.add_permits(1);
        Box::pin(async move {
            self.answers.acquire().await.unwrap().forget();
            Outcome::Succeeded(call.input)
        })
    }
}

struct World {
    disk: MemoryDisk,
    store: Arc<EmbeddedStore>,
    gate: Arc<Gate>,
    service: Service,
}

/// Room for so many.
const RUNS: usize = 2;

impl World {
    async fn new() -> World {
        World::on(MemoryDisk::default()).await
    }

    async fn on(disk: MemoryDisk) -> World {
        let store = Arc::new(EmbeddedStore::on_memory(disk.clone()).unwrap());
        let none = || Semaphore::new(0);
        let gate = Arc::new(Gate { calls: AtomicUsize::new(0), called: none(), answers: none() });
        let place = Place { region: "us-east-1".into(), account: "000000000000".into() };
        let options = ServiceOptions { express_max: RUNS, ..ServiceOptions::new(place) };
        let service = Service::open(store.clone(), store.clone(), gate.clone(), options).await.unwrap();
        World { disk, store, gate, service }
    }

    async fn machine(&self) -> String {
        let definition = serde_json::json!({"StartAt": "A", "States": {"A": {"Type": "Task", "End": true,
            "Resource": "arn:aws:lambda:us-east-1:000000000000:function:f"}}});
        let request = CreateMachine {
            name: "m".into(),
            definition: definition.to_string(),
            express: true,
            ..CreateMachine::default()
        };
        self.service.create_machine(request).await.unwrap().machine.arn
    }

    async fn called(&self, times: u32) {
        self.gate.called.acquire_many(times).await.unwrap().forget();
    }

    /// Waits until no row asks for an execution to run again.
    async fn no_rows(&self) {
        while !self.store.outbox(Shards::ALL, None, 10).await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn order(machine: &str) -> StartExecution {
    StartExecution { machine_arn: machine.into(), input: Some("[1]".into()), ..StartExecution::default() }
}

#[tokio::test]
async fn whoever_finds_no_place_is_told_to_slow_down_and_places_come_back() {
    let world = World::new().await;
    let machine = world.machine().await;
    for _ in 0..RUNS {
        world.service.start_execution(order(&machine)).await.unwrap();
    }
    world.called(RUNS as u32).await;
    let refused = world.service.start_execution(order(&machine)).await;
    assert!(matches!(refused, Err(Refusal::Throttled)), "{refused:?}");
    let refused = world.service.start_sync_execution(order(&machine)).await.map(|ended| ended.arn);
    assert!(matches!(refused, Err(Refusal::Throttled)), "{refused:?}");
    world.gate.answers.add_permits(RUNS + 1);
    // The row goes before the place is free.
    world.no_rows().await;
    let ended = loop {
        match world.service.start_sync_execution(order(&machine)).await {
            Err(Refusal::Throttled) => tokio::task::yield_now().await,
            ended => break ended.unwrap(),
        }
    };
    assert_eq!((ended.status, ended.output.as_deref()), (Status::Succeeded, Some("[1]")));
}

#[tokio::test]
async fn a_crash_runs_again_what_was_started_and_not_what_has_ended() {
    let world = World::new().await;
    let machine = world.machine().await;
    world.gate.answers.add_permits(1);
    let first = world.service.start_execution(order(&machine)).await.unwrap().arn;
    world.called(1).await;
    world.no_rows().await;
    let second = world.service.start_execution(order(&machine)).await.unwrap().arn;
    assert_ne!(first, second);
    world.called(1).await;
    let mut waited = Box::pin(world.service.start_sync_execution(order(&machine)));
    assert!((&mut waited).now_or_never().is_none());
    drop(waited);

    let next = World::on(world.disk.clone()).await;
    next.called(1).await;
    next.gate.answers.add_permits(1);
    next.no_rows().await;
    assert_eq!(next.gate.calls.load(Ordering::SeqCst), 1, "one has a row");
}

#[tokio::test]
async fn a_run_goes_on_without_its_caller_and_gives_its_place_back() {
    let world = World::new().await;
    let machine = world.machine().await;
    for turn in 0..3 * RUNS {
        let service = world.service.clone();
        let request = order(&machine);
        let caller = tokio::spawn(async move {
            // The run before may still be on its way out.
            while let Err(Refusal::Throttled) = service.start_sync_execution(request.clone()).await {
                tokio::task::yield_now().await;
            }
        });
        world.called(1).await;
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled(), "{turn}");
        world.gate.answers.add_permits(1);
        while world.gate.answers.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(world.gate.calls.load(Ordering::SeqCst), 3 * RUNS);
}
