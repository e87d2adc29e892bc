//! What functions and rules keep, as rows of the store's catalogue.

use std::sync::Arc;

use events::{EventStore, Kind};
use futures::future::BoxFuture;
use lambda::{FunctionConfig, FunctionStore};
use store::{Catalogue, EmbeddedStore, Expect, PutOutcome, StoreError};

/// The kind of the catalogue's function rows; the key is the name.
const FUNCTIONS: &str = "function";
/// Rows read at a time.
const ROWS_PER_READ: usize = 500;

/// The catalogue, seen by functions and rules.
#[derive(Clone)]
pub(crate) struct Rows(pub(crate) Arc<EmbeddedStore>);

impl Rows {
    /// Writes a row over whatever is there: its owner has put the writers in order.
    async fn put(&self, kind: &str, key: &str, body: Vec<u8>) -> Result<(), StoreError> {
        let mut expect = Expect::Absent;
        loop {
            match self.0.put(kind, key, expect, body.clone().into()).await? {
                PutOutcome::Stored { .. } => return Ok(()),
                PutOutcome::Conflict { actual: Some(version) } => expect = Expect::Version(version),
                PutOutcome::Conflict { actual: None } => expect = Expect::Absent,
            }
        }
    }

    async fn all(&self, kind: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let mut found: Vec<(String, Vec<u8>)> = Vec::new();
        loop {
            let after = found.last().map(|(key, _)| key.clone());
            let page = Catalogue::list(&*self.0, kind, after.as_deref(), ROWS_PER_READ).await?;
            let last = page.len() < ROWS_PER_READ;
            found.extend(page.into_iter().map(|(key, row)| (key, row.body.to_vec())));
            if last {
                return Ok(found);
            }
        }
    }
}

impl FunctionStore for Rows {
    fn save<'a>(&'a self, function: &'a FunctionConfig) -> BoxFuture<'a, Result<(), lambda::StoreError>> {
        Box::pin(async move { Ok(self.put(FUNCTIONS, &function.name, serde_json::to_vec(function)?).await?) })
    }

    fn delete<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), lambda::StoreError>> {
        Box::pin(async move {
            Catalogue::delete(&*self.0, FUNCTIONS, name, None).await?;
            Ok(())
        })
    }

    fn load_all(&self) -> BoxFuture<'_, Result<Vec<FunctionConfig>, lambda::StoreError>> {
        Box::pin(async move {
            let rows = self.all(FUNCTIONS).await?;
            rows.iter().map(|(_, body)| Ok(serde_json::from_slice(body)?)).collect()
        })
    }
}

/// The kind of the catalogue's rows for each kind of EventBridge's.
fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Bus => "event-bus",
        Kind::Rule => "event-rule",
        Kind::Pending => "event-delivery",
    }
}

impl EventStore for Rows {
    fn put(&self, kind: Kind, key: String, row: String) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            Rows::put(self, kind_name(kind), &key, row.into_bytes()).await.map_err(|error| error.to_string())
        })
    }

    fn delete(&self, kind: Kind, key: String) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let deleted = Catalogue::delete(&*self.0, kind_name(kind), &key, None).await;
            deleted.map(|_| ()).map_err(|error| error.to_string())
        })
    }

    fn load(&self, kind: Kind) -> BoxFuture<'_, Result<Vec<(String, String)>, String>> {
        Box::pin(async move {
            let rows = self.all(kind_name(kind)).await.map_err(|error| error.to_string())?;
            let text = |(key, body): (String, Vec<u8>)| {
                String::from_utf8(body).map(|row| (key, row)).map_err(|error| error.to_string())
            };
            rows.into_iter().map(text).collect()
        })
    }
}
