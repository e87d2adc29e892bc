//! Functions as containers, where a Docker engine answers. The image is built here FROM scratch: this test program,
//! and the libraries that it is linked to. Nothing is pulled.

use std::{path::Path, process::Command, time::Duration};

use bollard::{
    Docker,
    query_parameters::{BuildImageOptionsBuilder, ListContainersOptionsBuilder, RemoveImageOptionsBuilder},
};
use futures::StreamExt;
use http_body_util::{Either, Full};
use lambda::{FunctionConfig, Host, HostOptions, ImageConfig, Invoke};
use serde_json::json;

use crate::functions::{ACCOUNT, FUNCTION_ARGS, REGION, call, error, json_of, process, result};

/// An engine and an image of this program; the image is removed at the end.
struct Image {
    docker: Docker,
    tag: String,
}

impl Image {
    /// Builds the image, or says why not.
    async fn build(tag: &str) -> Option<Image> {
        let host = Host::new(HostOptions::default());
        if let Err(reason) = host.containers().await {
            println!("skipped: {reason}");
            return None;
        }
        let docker = Docker::connect_with_defaults().unwrap().negotiate_version().await.unwrap();
        let tag = format!("loveless-test-{tag}-{}:latest", std::process::id());
        let options = BuildImageOptionsBuilder::new().t(&tag).rm(true).build();
        let context = Either::Left(Full::new(build_context(&tag).into()));
        let mut steps = docker.build_image(options, None, Some(context));
        while let Some(step) = steps.next().await {
            step.unwrap();
        }
        drop(steps);
        Some(Image { docker, tag })
    }

    fn function(&self) -> FunctionConfig {
        let target = self.tag.parse().unwrap();
        // The CPU share follows memory: enough for a debug build to start in time on a busy machine.
        FunctionConfig { target, memory_mb: 512, ..process("f") }
    }

    fn host(&self) -> Host {
        let host = Host::new(HostOptions::default());
        host.register(self.function()).unwrap();
        host
    }

    /// Containers of this test's image.
    async fn containers(&self) -> usize {
        let filters = std::collections::HashMap::from([("ancestor", vec![self.tag.as_str()])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        self.docker.list_containers(Some(options)).await.unwrap().len()
    }

    async fn remove(self) {
        let options = RemoveImageOptionsBuilder::new().force(true).build();
        self.docker.remove_image(&self.tag, Some(options), None).await.unwrap();
    }
}

/// A tar archive: Dockerfile, this program as `/fn`, its libraries where the loader looks. The label makes each test's
/// image one of its own, not another name of the same.
fn build_context(tag: &str) -> Vec<u8> {
    let program = std::env::current_exe().unwrap();
    let mut archive = tar::Builder::new(Vec::new());
    // Engines refuse the extension for files with holes.
    archive.sparse(false);
    archive.append_path_with_name(&program, "root/fn").unwrap();
    let linked = Command::new("ldd").arg(&program).output().expect("ldd is there").stdout;
    for word in
        String::from_utf8(linked).unwrap().split_ascii_whitespace().filter(|word| word.starts_with('/'))
    {
        let real = std::fs::canonicalize(word).unwrap();
        archive.append_path_with_name(real, Path::new("root").join(word.trim_start_matches('/'))).unwrap();
    }
    let words = serde_json::to_string(&FUNCTION_ARGS).unwrap();
    let file = format!(
        "FROM scratch\nLABEL test={tag}\nCOPY root/ /\nENV OWN=image\nENTRYPOINT [\"/fn\"]\nCMD {words}\n"
    );
    let mut header = tar::Header::new_gnu();
    header.set_size(file.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    archive.append_data(&mut header, "Dockerfile", file.as_bytes()).unwrap();
    archive.into_inner().unwrap()
}

#[tokio::test]
async fn a_container_runs_fails_and_recovers_as_a_process_does() {
    let Some(image) = Image::build("life").await else { return };
    let host = image.host();
    assert_eq!(result(&host, json!({"a": 1})).await, json!({"a": 1}));
    let heard = result(&host, json!({"do": "environment"})).await;
    assert_eq!((&heard["OWN"], &heard["_HANDLER"]), (&json!("image"), &json!("--nocapture")));
    assert_eq!(heard["LAMBDA_TASK_ROOT"], "/var/task");
    let cases = [
        ("fail", "OrderNotFound", "no order 7"),
        ("exit", "Runtime.ExitError", "Error: Runtime exited with error: exit status 3"),
        ("big", "Function.ResponseSizeTooLarge", "(6291556 bytes)."),
    ];
    for (behaviour, error_type, message) in cases {
        let error = error(&host, json!({"do": behaviour})).await;
        assert_eq!(error["errorType"], error_type);
        assert!(error["errorMessage"].as_str().unwrap().ends_with(message), "{error}");
    }
    let tailed =
        host.invoke(Invoke { log_tail: true, ..Invoke::new("f", r#"{"print":"hello"}"#) }).await.unwrap();
    assert_eq!(json_of(&tailed.payload), json!({"print": "hello"}));

    let digest = host.image_digest(&image.tag).await.unwrap();
    assert!(digest.starts_with("sha256:") && digest.len() == 71, "{digest}");
    host.shutdown(Duration::ZERO).await;
    assert_eq!(image.containers().await, 0, "shutdown leaves no container");
    image.remove().await;
}

#[tokio::test]
async fn a_container_has_lambdas_walls() {
    let Some(image) = Image::build("walls").await else { return };
    let host = Host::new(HostOptions::default());
    // At the smallest size the hog is over its memory, and the engine ends it.
    host.register(FunctionConfig { memory_mb: 256, ..image.function() }).unwrap();
    let over = error(&host, json!({"do": "hog"})).await;
    assert!(over["errorMessage"].as_str().unwrap().ends_with("signal: killed"), "{over}");

    // The root is read-only, /tmp is not: the function says where it failed by exiting.
    let event = json!({"do": "wait", "began": "/tmp/began", "until": "/tmp/began"});
    assert!(result(&host, event).await.is_u64());
    let event = json!({"do": "wait", "began": "/began", "until": "/tmp"});
    assert!(call(&host, event).await.function_error.is_some(), "the root must be read-only");

    host.register(FunctionConfig { timeout_s: 1, ..image.function() }).unwrap();
    let late = error(&host, json!({"do": "wait", "until": "/tmp/never"})).await;
    assert!(late["errorMessage"].as_str().unwrap().ends_with("Task timed out after 1.00 seconds"), "{late}");
    host.shutdown(Duration::ZERO).await;
    image.remove().await;
}

#[tokio::test]
async fn a_broken_image_gets_a_clear_error() {
    let Some(image) = Image::build("broken").await else { return };
    let host = Host::new(HostOptions::default());
    host.register(FunctionConfig::new("f", "no-such-image:1".parse().unwrap(), ACCOUNT, REGION)).unwrap();
    let refused = host.invoke(Invoke::new("f", "{}")).await.unwrap_err();
    assert_eq!(refused.name(), "ResourceConflictException");
    assert!(refused.to_string().contains("no image 'no-such-image:1'"), "{refused}");

    let entry_point =
        ImageConfig { entry_point: Some(vec!["/no-such-program".into()]), ..ImageConfig::default() };
    host.register(FunctionConfig { image_config: entry_point, ..image.function() }).unwrap();
    let failed = error(&host, json!({})).await;
    assert_eq!(failed["errorType"], "Runtime.InvalidEntrypoint", "{failed}");

    let mut exits = image.function();
    exits.environment.insert("INIT".into(), "exit".into());
    host.register(exits).unwrap();
    let failed = error(&host, json!({})).await;
    assert!(failed["errorMessage"].as_str().unwrap().ends_with("exit status 7"), "{failed}");
    host.shutdown(Duration::ZERO).await;
    image.remove().await;
}

#[tokio::test]
async fn what_a_dead_server_left_behind_is_removed() {
    let Some(image) = Image::build("leftover").await else { return };
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let label = ("loveless".to_owned(), format!("{} {} 1", host.trim(), std::process::id()));
    let body = bollard::models::ContainerCreateBody {
        image: Some(image.tag.clone()),
        labels: Some([label].into()),
        ..Default::default()
    };
    image.docker.create_container(None, body).await.unwrap();
    assert_eq!(image.containers().await, 1);
    let server = image.host();
    server.containers().await.unwrap();
    assert_eq!(image.containers().await, 0);
    image.remove().await;
}
