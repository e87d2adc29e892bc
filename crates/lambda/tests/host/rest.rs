//! Lambda's REST calls: a function's life, errors on the wire, what the store is told; and real boto3.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use http::{Method, Request};
use lambda::{FunctionConfig, FunctionStore, Host, HostOptions, LambdaRest, StoreError, http::StoreFuture};
use serde_json::{Value, json};

use crate::{
    endpoint::serve,
    functions::{json_of, process},
    python::{python, run_script},
};

/// A store in memory that can be told to fail.
#[derive(Default)]
pub(crate) struct MemoryStore {
    pub(crate) kept: Mutex<BTreeMap<String, FunctionConfig>>,
    full: AtomicBool,
}

impl MemoryStore {
    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, FunctionConfig>)) -> Result<(), StoreError> {
        if self.full.load(Ordering::SeqCst) {
            return Err("No space left on device".into());
        }
        change(&mut self.kept.lock().unwrap());
        Ok(())
    }
}

impl FunctionStore for MemoryStore {
    fn save<'a>(&'a self, function: &'a FunctionConfig) -> StoreFuture<'a, ()> {
        Box::pin(async { self.change(|kept| drop(kept.insert(function.name.clone(), function.clone()))) })
    }

    fn delete<'a>(&'a self, name: &'a str) -> StoreFuture<'a, ()> {
        Box::pin(async { self.change(|kept| drop(kept.remove(name))) })
    }

    fn load_all(&self) -> StoreFuture<'_, Vec<FunctionConfig>> {
        Box::pin(async { Ok(self.kept.lock().unwrap().values().cloned().collect()) })
    }
}

async fn rest() -> (LambdaRest, Arc<MemoryStore>) {
    let store = Arc::new(MemoryStore::default());
    let host = Host::new(HostOptions::default());
    (LambdaRest::open(host, Arc::clone(&store) as _).await.unwrap(), store)
}

/// Sends a call; gives status, `x-amzn-errortype` and the body.
async fn send(rest: &LambdaRest, method: Method, path: &str, body: impl Into<Bytes>) -> (u16, String, Value) {
    let uri = format!("/2015-03-31/functions{path}");
    let request = Request::builder().method(method).uri(uri).body(body.into()).unwrap();
    let response = rest.handle(request).await;
    assert!(response.headers().contains_key("x-amzn-requestid"));
    let error = response.headers().get("x-amzn-errortype").map(|name| name.to_str().unwrap().to_owned());
    let body = if response.body().is_empty() { Value::Null } else { json_of(response.body()) };
    (response.status().as_u16(), error.unwrap_or_default(), body)
}

fn image_uri() -> String {
    process("f").target.to_string()
}

fn create_body() -> Value {
    json!({
        "FunctionName": "f",
        "PackageType": "Image",
        "Code": {"ImageUri": image_uri()},
        "Role": "arn:aws:iam::000000000000:role/r",
        "Timeout": 120,
        "MemorySize": 256,
        "Environment": {"Variables": {"TABLE": "orders"}},
        "ImageConfig": {"WorkingDirectory": "/tmp"},
    })
}

#[tokio::test]
async fn a_function_is_created_changed_invoked_and_deleted() {
    let (rest, store) = rest().await;
    let (status, _, made) = send(&rest, Method::POST, "", create_body().to_string()).await;
    assert_eq!(status, 201, "{made}");
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
    assert_eq!((&made["FunctionArn"], &made["State"]), (&json!(arn), &json!("Active")));
    assert_eq!(made["Environment"]["Variables"]["TABLE"], "orders");
    assert_eq!(made["ImageConfigResponse"]["ImageConfig"], json!({"WorkingDirectory": "/tmp"}));
    assert_eq!(store.kept.lock().unwrap()["f"].memory_mb, 256);

    let encoded = arn.replace(':', "%3A");
    let (status, _, echoed) = send(&rest, Method::POST, &format!("/{encoded}/invocations"), "[1]").await;
    assert_eq!((status, echoed), (200, json!([1])));

    let change = json!({"Timeout": 9, "RevisionId": made["RevisionId"]}).to_string();
    let (status, _, changed) = send(&rest, Method::PUT, "/f/configuration", change.clone()).await;
    assert_eq!((status, &changed["Timeout"], &changed["MemorySize"]), (200, &json!(9), &json!(256)));
    let (status, error, _) = send(&rest, Method::PUT, "/f/configuration", change).await;
    assert_eq!((status, error.as_str()), (412, "PreconditionFailedException"));
    let (status, _, _) = send(&rest, Method::PUT, "/f/code", r#"{"ImageUri":"fn:2"}"#).await;
    assert_eq!(status, 200);
    let (_, _, found) = send(&rest, Method::GET, "/f", "").await;
    assert_eq!((&found["Code"]["ImageUri"], &found["Configuration"]["Timeout"]), (&json!("fn:2"), &json!(9)));

    // Another server over the same store has it too.
    let again = LambdaRest::open(Host::new(HostOptions::default()), Arc::clone(&store) as _).await.unwrap();
    let (status, _, same) = send(&again, Method::GET, "/f/configuration", "").await;
    assert_eq!((status, &same), (200, &found["Configuration"]));

    assert_eq!(send(&rest, Method::DELETE, "/f", "").await.0, 204);
    assert_eq!(send(&rest, Method::GET, "/f", "").await.1, "ResourceNotFoundException");
    assert!(store.kept.lock().unwrap().is_empty());
}

#[tokio::test]
async fn refusals_are_lambdas() {
    let (rest, _) = rest().await;
    send(&rest, Method::POST, "", create_body().to_string()).await;
    let create = |key: &str, value: Value| {
        let mut body = create_body();
        body["FunctionName"] = json!("g");
        body[key] = value;
        (Method::POST, "", body.to_string())
    };
    let invalid = "InvalidParameterValueException";
    let cases = [
        (create("FunctionName", json!("f")), 409, "ResourceConflictException", "Function already exist: f"),
        (create("FunctionName", json!("no name")), 400, invalid, "FunctionName: 'no name'"),
        (create("Code", json!({"ZipFile": "UEs="})), 400, invalid, "Zip packages are not run here"),
        (create("Code", json!({})), 400, invalid, "Code.ImageUri"),
        (create("Timeout", json!(901)), 400, invalid, "Timeout: 901 must be from 1 to 900"),
        (create("MemorySize", json!(64)), 400, invalid, "MemorySize: 64"),
        (
            create("Timeout", json!("x")),
            400,
            "InvalidRequestContentException",
            "Could not parse request body",
        ),
        (
            (Method::POST, "", "{".to_owned()),
            400,
            "InvalidRequestContentException",
            "Could not parse request body",
        ),
        (
            (Method::POST, "/f/invocations", "{".to_owned()),
            400,
            "InvalidRequestContentException",
            "Could not parse",
        ),
        (
            (Method::POST, "/g/invocations", String::new()),
            404,
            "ResourceNotFoundException",
            "Function not found: ",
        ),
        (
            (Method::GET, "/f?Qualifier=prod", String::new()),
            404,
            "ResourceNotFoundException",
            "Function not found: ",
        ),
        (
            (Method::GET, "/f/policy", String::new()),
            404,
            "UnknownOperationException",
            "GET /2015-03-31/functions/f",
        ),
        ((Method::GET, "?MaxItems=0", String::new()), 400, invalid, "MaxItems"),
    ];
    for ((method, path, body), status, name, message) in cases {
        let (got_status, got_name, body) = send(&rest, method, path, body).await;
        let got = body["Message"].as_str().unwrap_or_default();
        assert_eq!((got_status, got_name.as_str(), &body["Type"]), (status, name, &json!("User")), "{got}");
        assert!(got.starts_with(message), "{got}");
    }
}

#[tokio::test]
async fn what_the_store_refuses_is_not_registered() {
    let (rest, store) = rest().await;
    store.full.store(true, Ordering::SeqCst);
    let (status, error, body) = send(&rest, Method::POST, "", create_body().to_string()).await;
    assert_eq!((status, error.as_str(), &body["Type"]), (500, "ServiceException", &json!("Service")));
    assert!(body["Message"].as_str().unwrap().contains("No space left on device"), "{body}");
    assert_eq!(rest.host().get("f"), None);
}

#[tokio::test]
async fn lists_come_in_pages() {
    let (rest, _) = rest().await;
    for index in 0..51 {
        let mut body = create_body();
        body["FunctionName"] = json!(format!("f-{index:02}"));
        assert_eq!(send(&rest, Method::POST, "", body.to_string()).await.0, 201);
    }
    let (_, _, first) = send(&rest, Method::GET, "/", "").await;
    assert_eq!(first["Functions"].as_array().unwrap().len(), 50);
    let marker = first["NextMarker"].as_str().unwrap();
    let (_, _, second) = send(&rest, Method::GET, &format!("?Marker={marker}"), "").await;
    assert_eq!(second["Functions"][0]["FunctionName"], "f-50");
    assert_eq!(second.get("NextMarker"), None);
    let (_, _, few) = send(&rest, Method::GET, "?MaxItems=2", "").await;
    assert_eq!((few["Functions"].as_array().unwrap().len(), &few["NextMarker"]), (2, &json!("f-01")));
}

#[tokio::test]
async fn boto3_creates_and_invokes_by_endpoint_url_alone() {
    let Some(python) = python("boto3") else { return };
    let (rest, _) = rest().await;
    let url = format!("http://{}", serve(rest).await);
    let script = r#"
import base64, json, os, boto3
client = boto3.client("lambda")
made = client.create_function(FunctionName="f", Role="arn:aws:iam::000000000000:role/r", PackageType="Image",
                              Code={"ImageUri": os.environ["IMAGE_URI"]}, Timeout=120, MemorySize=256)
assert made["State"] == "Active", made
client.get_waiter("function_active_v2").wait(FunctionName="f")
got = client.invoke(FunctionName=made["FunctionArn"], Payload=json.dumps({"print": "hi", "n": 1}), LogType="Tail")
assert json.load(got["Payload"]) == {"print": "hi", "n": 1} and "FunctionError" not in got, got
assert "\nhi\n" in base64.b64decode(got["LogResult"]).decode(), got
assert got["StatusCode"] == 200 and got["ExecutedVersion"] == "$LATEST", got
got = client.invoke(FunctionName="f", Payload=json.dumps({"do": "fail"}))
assert got["FunctionError"] == "Unhandled" and json.load(got["Payload"])["errorType"] == "OrderNotFound", got
assert client.invoke(FunctionName="f", InvocationType="DryRun")["StatusCode"] == 204
assert client.invoke(FunctionName="f", InvocationType="Event", Payload="{}")["StatusCode"] == 202
def refused(name, call, **arguments):
    try:
        call(**arguments)
    except client.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == name, error
        assert error.response["Error"]["Message"], error
    else:
        raise AssertionError(name)
refused("ResourceNotFoundException", client.invoke, FunctionName="g")
refused("InvalidRequestContentException", client.invoke, FunctionName="f", Payload="{")
refused("InvalidParameterValueException", client.create_function, FunctionName="z", Role="arn:aws:iam::000000000000:role/r",
        Runtime="python3.12", Handler="a.b", Code={"ZipFile": b"PK"})
assert [f["FunctionName"] for f in client.list_functions()["Functions"]] == ["f"]
assert client.update_function_configuration(FunctionName="f", Timeout=7)["Timeout"] == 7
assert client.get_function(FunctionName="f")["Configuration"]["Timeout"] == 7
client.delete_function(FunctionName="f")
refused("ResourceNotFoundException", client.get_function, FunctionName="f")
"#;
    run_script(&python, script, &[("AWS_ENDPOINT_URL", &url), ("IMAGE_URI", &image_uri())]).await;
}
