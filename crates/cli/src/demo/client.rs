//! The demo's client: plain AWS requests over HTTP, as any AWS SDK sends them, against the demo's own server.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

/// A client of one server.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) endpoint: String,
    http: reqwest::Client,
}

impl Client {
    pub(crate) fn new(endpoint: String) -> Result<Client> {
        let http = reqwest::Client::builder().no_proxy().build().context("no HTTP client")?;
        Ok(Client { endpoint, http })
    }

    /// An operation of Step Functions.
    pub(crate) async fn states(&self, operation: &str, body: Value) -> Result<Value> {
        self.json("AWSStepFunctions", "application/x-amz-json-1.0", operation, body).await
    }

    /// An operation of EventBridge.
    pub(crate) async fn events(&self, operation: &str, body: Value) -> Result<Value> {
        self.json("AWSEvents", "application/x-amz-json-1.1", operation, body).await
    }

    async fn json(&self, target: &str, content_type: &str, operation: &str, body: Value) -> Result<Value> {
        let request = self
            .http
            .post(&self.endpoint)
            .header("content-type", content_type)
            .header("x-amz-target", format!("{target}.{operation}"))
            .body(body.to_string());
        let answer = request.send().await.with_context(|| format!("{operation} got no answer"))?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{operation} was refused: {status} {text}");
        if text.is_empty() { Ok(json!({})) } else { Ok(serde_json::from_str(&text)?) }
    }

    /// CreateFunction.
    pub(crate) async fn create_function(&self, body: Value) -> Result<Value> {
        let request = self.http.post(format!("{}/2015-03-31/functions", self.endpoint));
        let answer = request.header("content-type", "application/json").body(body.to_string()).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "CreateFunction was refused: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// GetFunction.
    pub(crate) async fn function(&self, name: &str) -> Result<Value> {
        let answer = self.http.get(format!("{}/2015-03-31/functions/{name}", self.endpoint)).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "GetFunction was refused: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// CreateBucket, with its changes told to EventBridge.
    pub(crate) async fn create_bucket(&self, bucket: &str) -> Result<()> {
        self.put(bucket, Vec::new()).await?;
        let notification = "<NotificationConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                            <EventBridgeConfiguration/></NotificationConfiguration>";
        self.put(&format!("{bucket}?notification"), notification.into()).await
    }

    /// PutObject, or any other PUT of S3.
    pub(crate) async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<()> {
        let answer = self.http.put(format!("{}/{path}", self.endpoint)).body(bytes).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "PUT {path} was refused: {status} {text}");
        Ok(())
    }

    /// GetObject.
    pub(crate) async fn get(&self, path: &str) -> Result<Vec<u8>> {
        let answer = self.http.get(format!("{}/{path}", self.endpoint)).send().await?;
        let status = answer.status();
        if !status.is_success() {
            bail!("GET {path} was refused: {status} {}", answer.text().await?);
        }
        Ok(answer.bytes().await?.to_vec())
    }

    /// Whether the server answers at all.
    pub(crate) async fn answers(&self) -> bool {
        self.states("ListStateMachines", json!({})).await.is_ok()
    }
}
