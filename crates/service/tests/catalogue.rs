//! Machines, their versions and aliases: numbers, routing, what goes with what, and how many there may be.

#![expect(clippy::unwrap_used, reason = "a test stops at the first thing it did not expect")]

use std::sync::Arc;
use std::time::Duration;

use asl::states::task::Resource;
use connect::{BoxFuture, Call, Connector, Outcome};
use service::{
    AskedRoute, Changed, CreateMachine, ListExecutions, Place, Publishing, Quotas, RedriveExecution, Refusal,
    Service, ServiceOptions, StartExecution, UpdateMachine,
};
use store::{Catalogue, EmbeddedStore, MemoryDisk};

const NONE: [u32; 0] = [];

struct Nobody;

impl Connector for Nobody {
    fn supports(&self, _: &Resource) -> bool {
        true
    }

    fn perform(&self, _: Call) -> BoxFuture<'_, Outcome> {
        Box::pin(std::future::pending())
    }
}

async fn open(disk: &MemoryDisk, quotas: Quotas) -> Service {
    let store = Arc::new(EmbeddedStore::on_memory(disk.clone()).unwrap());
    let place = Place { region: "us-east-1".into(), account: "000000000000".into() };
    let options = ServiceOptions { quotas, ..ServiceOptions::new(place) };
    Service::open(store.clone(), store, Arc::new(Nobody), options).await.unwrap()
}

async fn fresh() -> Service {
    open(&MemoryDisk::default(), Quotas::STRICT).await
}

fn definition(comment: &str) -> String {
    serde_json::json!({"Comment": comment, "StartAt": "W",
        "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": true}}})
    .to_string()
}

async fn create(service: &Service, name: &str, publish: bool) -> Result<Changed, Refusal> {
    let publish = publish.then(Publishing::default);
    let definition = definition("1");
    let request = CreateMachine { name: name.into(), definition, publish, ..CreateMachine::default() };
    service.create_machine(request).await
}

async fn update(service: &Service, arn: &str, comment: &str, publish: bool) -> Changed {
    let request = UpdateMachine {
        definition: Some(definition(comment)),
        publish: publish.then(Publishing::default),
        ..UpdateMachine::default()
    };
    service.update_machine(arn, request).await.unwrap()
}

async fn versions(service: &Service, arn: &str) -> Vec<u32> {
    let (versions, next) = service.list_versions(arn, None, 100).await.unwrap();
    assert_eq!(next, None);
    versions.iter().map(|version| version.number).collect()
}

fn routes<const N: usize>(routes: [(&str, i64); N]) -> Vec<AskedRoute> {
    routes.map(|(arn, weight)| (arn.to_owned(), weight)).into()
}

async fn start(service: &Service, arn: &str) -> Result<String, Refusal> {
    let request = StartExecution { machine_arn: arn.into(), ..StartExecution::default() };
    service.start_execution(request).await.map(|started| started.arn)
}

async fn listed(service: &Service, arn: &str) -> Vec<String> {
    let request = ListExecutions { machine_arn: arn.into(), limit: 100, ..ListExecutions::default() };
    let page = service.list_executions(request).await.unwrap();
    page.executions.into_iter().map(|execution| execution.arn).collect()
}

#[tokio::test]
async fn a_revision_has_one_version_and_numbers_only_grow() {
    let service = fresh().await;
    let created = create(&service, "m", false).await.unwrap();
    let arn = created.machine.arn;
    assert_eq!(created.version_arn, None);
    assert_eq!(versions(&service, &arn).await, NONE);
    for _ in 0..2 {
        let version = service.publish_version(&arn, Some("INITIAL"), Some("first".into())).await.unwrap();
        assert_eq!((version.number, version.arn.as_str()), (1, &*format!("{arn}:1")));
    }
    // An update that changes nothing makes no revision, so there is nothing new to publish.
    let same = update(&service, &arn, "1", true).await;
    assert_eq!((same.machine.revision_id, same.version_arn), (None, Some(format!("{arn}:1"))));
    let second = update(&service, &arn, "2", false).await.machine.revision_id.unwrap();
    let third = update(&service, &arn, "3", true).await;
    assert_eq!(third.version_arn, Some(format!("{arn}:2")));
    let refused = service.publish_version(&arn, Some(&second), None).await;
    let text = format!(
        "Failed to publish the State Machine version for revision {second}. The current State Machine revision is \
         {}.",
        third.machine.revision_id.unwrap()
    );
    assert!(matches!(refused, Err(Refusal::Conflict(told)) if told == text));
    // The last one goes, and its number does not come back.
    for _ in 0..2 {
        service.delete_version(&format!("{arn}:2")).await.unwrap();
        assert_eq!(versions(&service, &arn).await, [1]);
    }
    assert_eq!(service.publish_version(&arn, None, None).await.unwrap().number, 3);
    assert_eq!(versions(&service, &arn).await, [3, 1]);
    let first = service.describe_machine(&format!("{arn}:1")).await.unwrap();
    assert_eq!((first.description.as_deref(), first.revision_id), (Some("first"), None));
    assert_eq!(service.definition(&first.definition).await.unwrap(), definition("1"));
    assert!(matches!(
        service.describe_machine(&format!("{arn}:2")).await,
        Err(Refusal::StateMachineDoesNotExist(_))
    ));
}

#[tokio::test]
async fn versions_page_newest_first() {
    let service = fresh().await;
    let arn = create(&service, "m", true).await.unwrap().machine.arn;
    let other = create(&service, "m-1", true).await.unwrap().machine.arn;
    for comment in 2..=12 {
        update(&service, &arn, &comment.to_string(), true).await;
    }
    for limit in [1, 5, 11, 12, 13] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let (page, next) = service.list_versions(&arn, after.as_deref(), limit).await.unwrap();
            seen.extend(page.iter().map(|version| version.number));
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, (1..=12).rev().collect::<Vec<u32>>(), "in pages of {limit}");
    }
    assert_eq!(versions(&service, &other).await, [1]);
}

/// The machine's row says that there is a version; the server died before the version's row was there.
#[tokio::test]
async fn a_version_that_a_crash_cut_off_is_completed() {
    let disk = MemoryDisk::default();
    let service = open(&disk, Quotas::STRICT).await;
    let arn = create(&service, "m", true).await.unwrap().machine.arn;
    let store = EmbeddedStore::on_memory(disk.clone()).unwrap();
    let rows = Catalogue::list(&store, "machine-version", None, 10).await.unwrap();
    let [(key, _)] = &rows[..] else { panic!("one version: {rows:?}") };
    store.delete("machine-version", key, None).await.unwrap();
    drop(service);
    let service = open(&disk, Quotas::STRICT).await;
    assert_eq!(versions(&service, &arn).await, NONE);
    assert_eq!(service.publish_version(&arn, None, None).await.unwrap().number, 1);
    assert_eq!(versions(&service, &arn).await, [1]);
}

#[tokio::test]
async fn creating_again_is_the_same_only_with_the_same_publishing() {
    let service = fresh().await;
    let first = create(&service, "m", true).await.unwrap();
    assert_eq!(first.version_arn, Some(format!("{}:1", first.machine.arn)));
    assert_eq!(create(&service, "m", true).await.unwrap(), first);
    assert!(matches!(create(&service, "m", false).await, Err(Refusal::StateMachineAlreadyExists(_))));
    let described = CreateMachine {
        name: "m".into(),
        definition: definition("1"),
        publish: Some(Publishing { description: Some("said".into()) }),
        ..CreateMachine::default()
    };
    let refused = service.create_machine(described).await;
    assert!(matches!(refused, Err(Refusal::StateMachineAlreadyExists(_))));
    assert_eq!(versions(&service, &first.machine.arn).await, [1]);
}

#[tokio::test]
async fn routings_are_held_against_the_rules() {
    let service = fresh().await;
    let arn = create(&service, "m", true).await.unwrap().machine.arn;
    let other = create(&service, "n", true).await.unwrap().version_arn.unwrap();
    update(&service, &arn, "2", true).await;
    let (one, two, three) = (format!("{arn}:1"), format!("{arn}:2"), format!("{arn}:3"));
    let cases = [
        (
            routes([(&arn, 100)]),
            format!("Routing configuration must contain state machine version ARNs. Received: [{arn}]"),
        ),
        (
            routes([(&one, 50), ("nonsense", 50)]),
            format!(
                "Routing configuration must contain state machine version ARNs. Received: [{one}, nonsense]"
            ),
        ),
        (
            routes([(&one, 50), (&one, 50)]),
            format!(
                "Routing configuration must contain distinct state machine version ARNs. Received: [{one}, {one}]"
            ),
        ),
        (
            routes([(&two, 70), (&one, 29)]),
            "Sum of routing configuration weights must equal 100. Received: [70, 29]".into(),
        ),
        (
            routes([(&one, 50), (&other, 50)]),
            format!(
                "Routing configuration must contain versions of the same state machine. Received: [{one}, {other}]"
            ),
        ),
    ];
    for (routing, text) in cases {
        let refused = service.create_alias("live", None, &routing).await;
        assert!(matches!(&refused, Err(Refusal::InvalidRouting(told)) if *told == text), "{refused:?}");
    }
    for absent in [&three, "arn:aws:states:us-east-1:000000000000:stateMachine:absent:1"] {
        let refused = service.create_alias("live", None, &routes([(absent, 100)])).await;
        assert!(matches!(refused, Err(Refusal::ResourceNotFound(_))), "{absent}");
    }
    let alias = service.create_alias("live", None, &routes([(&two, 70), (&one, 30)])).await.unwrap();
    // The order of the routes says nothing.
    let again = service.create_alias("live", None, &routes([(&one, 30), (&two, 70)])).await.unwrap();
    assert_eq!(again, alias);
    for (description, weights) in [(None, (29, 71)), (Some("said".to_owned()), (30, 70))] {
        let routing = routes([(&one, weights.0), (&two, weights.1)]);
        let refused = service.create_alias("live", description, &routing).await;
        assert!(matches!(refused, Err(Refusal::Conflict(_))), "{refused:?}");
    }
    let refused = service.update_alias(&alias.arn, None, Some(&routes([(&other, 100)]))).await;
    assert!(matches!(refused, Err(Refusal::Validation(_))), "{refused:?}");
    let refused = service.delete_version(&one).await;
    let text = "Version to be deleted must not be referenced by an alias. Current list of aliases referencing this \
                version: [live]";
    assert!(matches!(&refused, Err(Refusal::Conflict(told)) if told == text), "{refused:?}");
    let updated = service.update_alias(&alias.arn, Some("said".into()), Some(&routes([(&two, 100)]))).await;
    assert_eq!(updated.unwrap().created_ms, alias.created_ms);
    service.delete_version(&one).await.unwrap();
    for _ in 0..2 {
        service.delete_alias(&alias.arn).await.unwrap();
    }
    assert!(matches!(service.describe_alias(&alias.arn).await, Err(Refusal::ResourceNotFound(_))));
    assert!(matches!(start(&service, &alias.arn).await, Err(Refusal::StateMachineDoesNotExist(_))));
}

#[tokio::test]
async fn what_was_started_through_is_remembered_and_listed() {
    let service = fresh().await;
    let arn = create(&service, "m", true).await.unwrap().machine.arn;
    update(&service, &arn, "2", true).await;
    update(&service, &arn, "3", false).await;
    let (one, two) = (format!("{arn}:1"), format!("{arn}:2"));
    let alias = service.create_alias("live", None, &routes([(&one, 0), (&two, 100)])).await.unwrap().arn;
    let plain = start(&service, &arn).await.unwrap();
    let by_version = start(&service, &one).await.unwrap();
    let by_alias = start(&service, &alias).await.unwrap();
    for (execution, text, version, through) in [
        (&plain, "3", None, None),
        (&by_version, "1", Some(&one), None),
        (&by_alias, "2", Some(&two), Some(&alias)),
    ] {
        let record = service.describe_execution(execution).await.unwrap().record;
        assert_eq!(service.definition(&record.definition).await.unwrap(), definition(text));
        assert_eq!(record.machine_arn, arn);
        assert_eq!(
            (record.origin.version_arn.as_ref(), record.origin.alias_arn.as_ref()),
            (version, through)
        );
    }
    assert_eq!(listed(&service, &arn).await.len(), 3);
    assert_eq!(listed(&service, &one).await, std::slice::from_ref(&by_version));
    assert_eq!(listed(&service, &two).await, std::slice::from_ref(&by_alias));
    assert_eq!(listed(&service, &alias).await, std::slice::from_ref(&by_alias));
    // It is listed there when it has ended, too.
    service.stop_execution(&by_alias, None, None).await.unwrap();
    assert_eq!(listed(&service, &alias).await, [by_alias]);
    // Aliases of one version only.
    let second = service.create_alias("second", None, &routes([(&two, 100)])).await.unwrap().arn;
    let aliases = async |arn: &str| {
        let (aliases, _) = service.list_aliases(arn, None, 100).await.unwrap();
        aliases.into_iter().map(|alias| alias.arn).collect::<Vec<_>>()
    };
    assert_eq!(aliases(&arn).await, [alias.clone(), second.clone()]);
    assert_eq!(aliases(&one).await, [alias]);
    let (page, next) = service.list_aliases(&arn, None, 1).await.unwrap();
    let (rest, end) = service.list_aliases(&arn, next.as_deref(), 1).await.unwrap();
    assert_eq!((page.len(), rest[0].arn.as_str(), end), (1, &*second, None));
}

#[tokio::test]
async fn a_machine_takes_its_versions_and_aliases_along() {
    let disk = MemoryDisk::default();
    let service = open(&disk, Quotas::STRICT).await;
    let arn = create(&service, "m", true).await.unwrap().machine.arn;
    let neighbour = create(&service, "m-", true).await.unwrap().machine.arn;
    let (version, alias) = (format!("{arn}:1"), format!("{arn}:live"));
    service.create_alias("live", None, &routes([(&version, 100)])).await.unwrap();
    let execution = start(&service, &alias).await.unwrap();
    // A version's ARN is no machine's, and a label's is refused.
    service.delete_machine(&version).await.unwrap();
    assert!(matches!(service.delete_machine(&format!("{arn}/label")).await, Err(Refusal::LabelledArn(_))));
    service.delete_machine(&arn).await.unwrap();
    while !matches!(service.describe_machine(&arn).await, Err(Refusal::StateMachineDoesNotExist(_))) {
        for through in [&arn, &version, &alias] {
            let refused = start(&service, through).await;
            assert!(
                matches!(
                    refused,
                    Err(Refusal::StateMachineDeleting(_) | Refusal::StateMachineDoesNotExist(_))
                ),
                "{refused:?}"
            );
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(matches!(service.describe_machine(&version).await, Err(Refusal::StateMachineDoesNotExist(_))));
    assert!(matches!(service.describe_alias(&alias).await, Err(Refusal::ResourceNotFound(_))));
    assert!(matches!(service.list_versions(&arn, None, 9).await, Err(Refusal::InvalidArn(_))));
    assert!(service.describe_execution(&execution).await.unwrap().record.stopped_ms.is_some());
    // The next machine of the name has nothing of it.
    create(&service, "m", false).await.unwrap();
    assert_eq!(versions(&service, &arn).await, NONE);
    assert_eq!(versions(&service, &neighbour).await, [1]);
    assert_eq!(service.publish_version(&arn, None, None).await.unwrap().number, 1);
}

#[tokio::test]
async fn there_are_no_more_than_there_may_be() {
    let quotas = Quotas {
        machines_max: 2,
        activities_max: 1,
        open_executions_max: 1,
        versions_max: 2,
        aliases_max: 1,
        ..Quotas::STRICT
    };
    let disk = MemoryDisk::default();
    let service = open(&disk, quotas).await;
    let arn = create(&service, "m", true).await.unwrap().machine.arn;
    create(&service, "n", false).await.unwrap();
    // One of them again is not another one.
    create(&service, "n", false).await.unwrap();
    assert!(matches!(create(&service, "o", false).await, Err(Refusal::StateMachineLimitExceeded(2))));

    update(&service, &arn, "2", true).await;
    update(&service, &arn, "3", false).await;
    let refused = service.publish_version(&arn, None, None).await;
    assert!(matches!(refused, Err(Refusal::ServiceQuotaExceeded(_))), "{refused:?}");
    service.delete_version(&format!("{arn}:1")).await.unwrap();
    assert_eq!(service.publish_version(&arn, None, None).await.unwrap().number, 3);

    let routing = routes([(&format!("{arn}:3"), 100)]);
    service.create_alias("live", None, &routing).await.unwrap();
    service.create_alias("live", None, &routing).await.unwrap();
    let refused = service.create_alias("second", None, &routing).await;
    assert!(matches!(refused, Err(Refusal::ServiceQuotaExceeded(_))), "{refused:?}");

    service.create_activity("a", vec![], None).await.unwrap();
    service.create_activity("a", vec![], None).await.unwrap();
    let refused = service.create_activity("b", vec![], None).await;
    assert!(matches!(refused, Err(Refusal::ActivityLimitExceeded(1))));

    let named = |name: &str| StartExecution {
        machine_arn: arn.clone(),
        name: Some(name.into()),
        ..StartExecution::default()
    };
    let first = service.start_execution(named("e")).await.unwrap();
    assert_eq!(service.start_execution(named("e")).await.unwrap(), first);
    for _ in 0..2 {
        let refused = service.start_execution(named("f")).await;
        assert!(matches!(refused, Err(Refusal::ExecutionLimitExceeded(1))), "{refused:?}");
    }
    // What is counted survives a restart, and an end makes room.
    drop(service);
    let service = open(&disk, quotas).await;
    assert!(matches!(create(&service, "o", false).await, Err(Refusal::StateMachineLimitExceeded(2))));
    let refused = service.start_execution(named("f")).await;
    assert!(matches!(refused, Err(Refusal::ExecutionLimitExceeded(1))), "{refused:?}");
    service.stop_execution(&first.arn, None, None).await.unwrap();
    let second = service.start_execution(named("f")).await.unwrap();
    let redrive = RedriveExecution { arn: first.arn, ..RedriveExecution::default() };
    let refused = service.redrive_execution(redrive.clone()).await;
    assert!(matches!(refused, Err(Refusal::ExecutionLimitExceeded(1))), "{refused:?}");
    service.stop_execution(&second.arn, None, None).await.unwrap();
    service.redrive_execution(redrive).await.unwrap();
    // What goes on again counts again.
    let refused = service.start_execution(named("g")).await;
    assert!(matches!(refused, Err(Refusal::ExecutionLimitExceeded(1))), "{refused:?}");
}
