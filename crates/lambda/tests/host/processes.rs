//! Functions as local processes: answers, failures in Lambda's shapes, limits, the life of a pool.

use std::time::Duration;

use base64::Engine as _;
use lambda::{
    FunctionConfig, Host, HostOptions, ImageConfig, Invoke, InvokeError, InvokeKind, Invoked, Target,
};
use serde_json::{Value, json};

use crate::functions::{
    ACCOUNT, FUNCTION_ARGS, call, error, folder, host, is_running, json_of, process, result, until,
};

#[tokio::test]
async fn the_function_hears_what_lambda_tells_it() {
    let host = host();
    let context = base64::engine::general_purpose::STANDARD.encode(r#"{"custom":{"who":"me"}}"#);
    let mut invoke =
        Invoke::new("arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST", r#"{"do":"context"}"#);
    invoke.client_context = Some(context);
    invoke.trace = Some("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1".into());
    invoke.idempotency_id = Some("0b7f6c1e-5a43-4c7b-9d5f-3f4b6f0a7c11".into());
    let invoked = host.invoke(invoke).await.unwrap();
    let heard = json_of(&invoked.payload);
    assert_eq!(heard["request_id"], "0b7f6c1e-5a43-4c7b-9d5f-3f4b6f0a7c11");
    assert_eq!(invoked.request_id, "0b7f6c1e-5a43-4c7b-9d5f-3f4b6f0a7c11");
    assert_eq!(heard["arn"], "arn:aws:lambda:us-east-1:000000000000:function:f");
    assert_eq!(heard["trace"], "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1");
    assert_eq!(heard["client"], json!({"who": "me"}));
    assert!(heard["deadline"].as_u64().unwrap() > lambda::clock::now_ms());
    assert_eq!((invoked.status, invoked.executed_version.as_str()), (200, "$LATEST"));
}

#[tokio::test]
async fn the_environment_is_lambdas_and_nothing_of_ours() {
    let options = HostOptions {
        server_url: Some("http://127.0.0.1:8083".into()),
        environment: [("AWS_ENDPOINT_URL_S3".to_owned(), "http://127.0.0.1:9000".to_owned())].into(),
        ..HostOptions::default()
    };
    let host = Host::new(options);
    let mut function = process("f");
    function.environment = [("TABLE", "orders"), ("TZ", "Europe/Berlin")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    host.register(function).unwrap();
    let heard = result(&host, json!({"do": "environment"})).await;
    let expected = [
        ("AWS_LAMBDA_FUNCTION_NAME", "f"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_REGION", "us-east-1"),
        ("_HANDLER", "--nocapture"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:8083"),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9000"),
        ("TABLE", "orders"),
        ("TZ", "Europe/Berlin"),
    ];
    for (name, value) in expected {
        assert_eq!(heard[name], value, "{name}");
    }
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    assert_eq!(heard.get("CARGO_MANIFEST_DIR"), None, "the host's own environment must stay its own");
}

#[tokio::test]
async fn failures_have_lambdas_shapes_and_the_next_call_works() {
    let host = host();
    let cases = [
        ("fail", "OrderNotFound", "no order 7"),
        // The type that `lambda_runtime` gives a panic is its own affair.
        ("panic", "", "Lambda panicked: out of cheese"),
        ("exit", "Runtime.ExitError", "Error: Runtime exited with error: exit status 3"),
        ("big", "Function.ResponseSizeTooLarge", "maximum allowed payload size (6291556 bytes)."),
        ("hog", "Runtime.ExitError", "Error: Runtime exited with error: signal: killed"),
    ];
    for (behaviour, error_type, message) in cases {
        let error = error(&host, json!({"do": behaviour})).await;
        assert!(error_type.is_empty() || error["errorType"] == error_type, "{error}");
        let text = error["errorMessage"].as_str().unwrap();
        assert!(text.ends_with(message), "{behaviour}: {error}");
        assert_eq!(result(&host, json!({"after": behaviour})).await, json!({"after": behaviour}));
    }
}

#[tokio::test]
async fn a_timeout_kills_the_whole_process_group() {
    let (_folder, path) = folder();
    let host = Host::new(HostOptions::default());
    host.register(FunctionConfig { timeout_s: 1, ..process("f") }).unwrap();
    let event = json!({"do": "wait", "pids": path("pids"), "until": path("never")});
    let invoked = call(&host, event).await;
    let error = json_of(&invoked.payload);
    let message = error["errorMessage"].as_str().unwrap();
    assert!(
        message.ends_with(&format!("Z {} Task timed out after 1.00 seconds", invoked.request_id)),
        "{message}"
    );
    assert_eq!((error.get("errorType"), invoked.function_error.as_deref()), (None, Some("Unhandled")));
    let pids = std::fs::read_to_string(path("pids")).unwrap();
    for pid in pids.split(' ') {
        until(|| !is_running(pid)).await;
    }
}

#[tokio::test]
async fn a_failed_start_is_told_by_its_kind() {
    let host = Host::new(HostOptions::default());
    let mut exits = process("f");
    exits.environment.insert("INIT".into(), "exit".into());
    host.register(exits).unwrap();
    let died = error(&host, json!({})).await;
    assert_eq!(died["errorType"], "Runtime.ExitError");
    assert!(died["errorMessage"].as_str().unwrap().ends_with("exit status 7"), "{died}");

    let mut absent = process("f");
    absent.image_config =
        ImageConfig { entry_point: Some(vec!["/no/such/program".into()]), ..ImageConfig::default() };
    host.register(absent).unwrap();
    let absent = error(&host, json!({})).await;
    assert_eq!(absent["errorType"], "Runtime.InvalidEntrypoint");
    assert!(absent["errorMessage"].as_str().unwrap().contains("fork/exec /no/such/program"), "{absent}");

    let (_folder, path) = folder();
    std::fs::write(path("fn"), "#!/no/such/loader\n").unwrap();
    std::fs::set_permissions(path("fn"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let target = Target::Process { program: path("fn").to_str().unwrap().to_owned(), args: Vec::new() };
    host.register(FunctionConfig { target, ..process("f") }).unwrap();
    let unlinked = error(&host, json!({})).await;
    assert!(unlinked["errorMessage"].as_str().unwrap().contains("dynamic loader is missing"), "{unlinked}");
}

#[tokio::test]
async fn an_init_over_its_time_gets_a_second_chance() {
    let (_folder, path) = folder();
    let host = Host::new(HostOptions::default());
    let mut slow = process("f");
    slow.environment.insert("INIT".into(), path("marker").to_str().unwrap().to_owned());
    host.register(slow).unwrap();
    assert_eq!(result(&host, json!({"a": 1})).await, json!({"a": 1}));
    assert!(path("marker").exists(), "the first start did hang");
}

#[tokio::test]
async fn sandboxes_are_reused_grow_on_demand_and_end_with_their_revision() {
    let (_folder, path) = folder();
    let host = host();
    let pid = async |host: &Host| result(host, json!({"do": "pid"})).await;
    let first = pid(&host).await;
    assert_eq!(pid(&host).await, first, "a warm sandbox is reused");

    let event = json!({"do": "wait", "began": path("began"), "until": path("go")});
    let busy = tokio::spawn({
        let host = host.clone();
        async move { result(&host, event).await }
    });
    until(|| path("began").exists()).await;
    let second = pid(&host).await;
    std::fs::write(path("go"), "").unwrap();
    assert_eq!(busy.await.unwrap(), first, "the warm one was busy");
    assert_ne!(second, first, "so another one was started");

    host.register(FunctionConfig { memory_mb: 512, ..process("f") }).unwrap();
    until(|| ![&first, &second].iter().any(|pid| is_running(&pid.to_string()))).await;
    let heard = result(&host, json!({"do": "environment"})).await;
    assert_eq!(heard["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], "512");
}

#[tokio::test]
async fn a_sandbox_that_died_unseen_is_replaced() {
    let host = host();
    for _ in 0..5 {
        let pid = result(&host, json!({"do": "pid"})).await.to_string();
        std::process::Command::new("kill").args(["-9", &pid]).status().unwrap();
        until(|| !is_running(&pid)).await;
        assert_ne!(result(&host, json!({"do": "pid"})).await.to_string(), pid);
    }
}

#[tokio::test]
async fn idle_sandboxes_are_discarded() {
    let host = Host::new(HostOptions { idle_max: Duration::ZERO, ..HostOptions::default() });
    host.register(process("f")).unwrap();
    let pid = result(&host, json!({"do": "pid"})).await.to_string();
    until(|| !is_running(&pid)).await;
}

#[tokio::test]
async fn more_calls_than_allowed_are_refused_and_more_than_sandboxes_wait() {
    let (_folder, path) = folder();
    let host = Host::new(HostOptions { concurrency_max: 2, sandboxes_max: 1, ..HostOptions::default() });
    host.register(process("f")).unwrap();
    let event = json!({"do": "wait", "began": path("began"), "until": path("go")});
    let start = |event: Value| {
        let host = host.clone();
        tokio::spawn(async move { host.invoke(Invoke::new("f", event.to_string())).await })
    };
    let pid = |ended: Result<Result<Invoked, InvokeError>, _>| json_of(&ended.unwrap().unwrap().payload);
    let first = start(event);
    until(|| path("began").exists()).await;
    // Of two more, one waits for the sandbox, so the other must end first: refused.
    let (mut second, mut third) = (start(json!({"do": "pid"})), start(json!({"do": "pid"})));
    let (refused, waiting) = tokio::select! {
        refused = &mut second => (refused, third),
        refused = &mut third => (refused, second),
    };
    let refused = refused.unwrap().unwrap_err();
    assert_eq!((refused.name(), refused.status()), ("TooManyRequestsException", 429));
    std::fs::write(path("go"), "").unwrap();
    assert_eq!(pid(first.await), pid(waiting.await), "both ran in the one sandbox");
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_stop_the_function() {
    let (_folder, path) = folder();
    let host = host();
    let event = json!({"do": "wait", "began": path("began"), "until": path("go"), "done": path("done")});
    let caller = tokio::spawn({
        let host = host.clone();
        async move { call(&host, event).await }
    });
    until(|| path("began").exists()).await;
    caller.abort();
    assert!(caller.await.is_err());
    std::fs::write(path("go"), "").unwrap();
    until(|| path("done").exists()).await;
}

#[tokio::test]
async fn events_run_later_and_dry_runs_never() {
    let (_folder, path) = folder();
    let host = host();
    std::fs::write(path("go"), "").unwrap();
    let of = |kind, done: &str| {
        let event = json!({"do": "wait", "until": path("go"), "done": path(done)});
        Invoke { kind, ..Invoke::new("f", event.to_string()) }
    };
    let dry = host.invoke(of(InvokeKind::DryRun, "dry")).await.unwrap();
    assert_eq!((dry.status, dry.payload.len()), (204, 0));
    let event = host.invoke(of(InvokeKind::Event, "event")).await.unwrap();
    assert_eq!((event.status, event.payload.len(), event.function_error), (202, 0, None));
    until(|| path("event").exists()).await;
    assert!(!path("dry").exists());
}

#[tokio::test]
async fn the_log_tail_is_the_invocations_own() {
    let host = host();
    call(&host, json!({"print": "of another call"})).await;
    let invoke = Invoke { log_tail: true, ..Invoke::new("f", r#"{"print":"hello log"}"#) };
    let invoked = host.invoke(invoke).await.unwrap();
    let tail = base64::engine::general_purpose::STANDARD.decode(invoked.log_tail.unwrap()).unwrap();
    let tail = String::from_utf8(tail).unwrap();
    let id = &invoked.request_id;
    assert!(tail.starts_with(&format!("START RequestId: {id} Version: $LATEST\n")), "{tail}");
    assert!(tail.contains("\nhello log\n") && !tail.contains("another call"), "{tail}");
    assert!(tail.contains(&format!("\nEND RequestId: {id}\nREPORT RequestId: {id}\tDuration: ")), "{tail}");
    assert!(tail.contains("Memory Size: 256 MB\tMax Memory Used: "), "{tail}");
}

#[tokio::test]
async fn shutdown_lets_work_end_then_kills_and_takes_no_more() {
    let (_folder, path) = folder();
    let host = host();
    let start = |name: &str| {
        let event = json!({
            "do": "wait", "pids": path(&format!("{name}-pids")), "began": path(&format!("{name}-began")), "until": path(name)
        });
        let host = host.clone();
        tokio::spawn(async move { host.invoke(Invoke::new("f", event.to_string())).await })
    };
    let (ends, hangs) = (start("ends"), start("never"));
    until(|| path("ends-began").exists() && path("never-began").exists()).await;
    std::fs::write(path("ends"), "").unwrap();
    assert_eq!(ends.await.unwrap().unwrap().function_error, None);
    host.shutdown(Duration::from_millis(50)).await;
    assert_eq!(hangs.await.unwrap().unwrap_err().name(), "ServiceException");
    for name in ["ends-pids", "never-pids"] {
        let pids = std::fs::read_to_string(path(name)).unwrap();
        for pid in pids.split(' ') {
            assert!(!is_running(pid), "{name} {pid}");
        }
    }
    assert_eq!(host.invoke(Invoke::new("f", "{}")).await.unwrap_err().name(), "ServiceException");
}

#[tokio::test]
async fn refusals_have_lambdas_names_and_texts() {
    let host = host();
    let arn = |account: &str, name: &str| format!("arn:aws:lambda:us-east-1:{account}:function:{name}");
    let unknown = |account: &str, name: &str, version: &str| {
        format!("Function not found: {}:{version}", arn(account, name))
    };
    let cases = [
        ("g".to_owned(), "{}", "ResourceNotFoundException", unknown(ACCOUNT, "g", "$LATEST")),
        ("f:prod".to_owned(), "{}", "ResourceNotFoundException", unknown(ACCOUNT, "f", "prod")),
        (
            arn("123456789012", "f"),
            "{}",
            "ResourceNotFoundException",
            unknown("123456789012", "f", "$LATEST"),
        ),
        ("a b".to_owned(), "{}", "InvalidParameterValueException", "FunctionName: 'a b' must be".to_owned()),
        (
            "f".to_owned(),
            "{",
            "InvalidRequestContentException",
            "Could not parse request body into json: ".to_owned(),
        ),
    ];
    for (function, payload, name, message) in cases {
        let refused = host.invoke(Invoke::new(function.as_str(), payload)).await.unwrap_err();
        assert_eq!(refused.name(), name, "{function}");
        assert!(refused.to_string().starts_with(&message), "{refused}");
    }
}

#[tokio::test]
async fn images_are_refused_by_name_where_containers_are_off() {
    let host = Host::new(HostOptions { docker: lambda::Docker::Off, ..HostOptions::default() });
    let image = FunctionConfig::new("f", "fn:latest".parse().unwrap(), ACCOUNT, "us-east-1");
    host.register(image).unwrap();
    let refused = host.invoke(Invoke::new("f", "{}")).await.unwrap_err();
    assert_eq!(refused.name(), "ServiceException");
    assert!(
        refused.to_string().contains("fn:latest") && refused.to_string().contains("switched off"),
        "{refused}"
    );
}

#[tokio::test]
async fn image_config_overrides_program_and_arguments_each_by_itself() {
    let host = Host::new(HostOptions::default());
    let folder = tempfile::tempdir().unwrap();
    let mut function = process("f");
    let program = std::env::current_exe().unwrap().to_str().unwrap().to_owned();
    let mut command = vec![program];
    command.extend(FUNCTION_ARGS.map(str::to_owned));
    function.image_config = ImageConfig {
        entry_point: Some(vec!["/usr/bin/env".into(), "FROM_ENTRY=1".into()]),
        command: Some(command),
        working_directory: Some(folder.path().to_str().unwrap().to_owned()),
    };
    host.register(function).unwrap();
    let heard = result(&host, json!({"do": "environment"})).await;
    assert_eq!(heard["FROM_ENTRY"], "1");
    assert_eq!(heard["LAMBDA_TASK_ROOT"], folder.path().to_str().unwrap());
}
