//! An S3-compatible store as Map Runs see it: objects and listings streamed in, results streamed out.
//!
//! Requests are signed by a library that does no IO, and sent by the HTTP client that the server has anyway. Nothing
//! holds an object whole: what is read goes row by row through a thread of its own, because the libraries that read
//! CSV, JSON and gzip pull their bytes, and that thread stands still while nobody wants more.

mod client;
mod object;
mod upload;

use std::sync::Arc;

use asl::json::Json;
use asl::states::map::distributed::Source;
use tokio::sync::mpsc;

pub use client::S3Access;
pub(crate) use client::{Address, Client};
pub(crate) use object::{Object, Ranges};

use crate::BoxFuture;
use crate::datasets::{Datasets, Items, ReadItem, Reading, Upload};
use crate::rows;

/// Rows that wait for the Map Run: each may have 8 MB.
const ROWS_WAITING_MAX: usize = 16;

/// Map Runs' access to a store.
pub struct S3Datasets {
    client: Arc<Client>,
}

impl S3Datasets {
    /// Access to the store that `access` names.
    ///
    /// # Errors
    /// The endpoint is no URL, or the system gives no HTTP client.
    pub fn new(access: S3Access) -> Result<S3Datasets, String> {
        Ok(S3Datasets { client: Arc::new(Client::new(access)?) })
    }
}

impl Datasets for S3Datasets {
    fn read(&self, reading: Reading) -> BoxFuture<'_, Result<Box<dyn Items>, String>> {
        Box::pin(async move {
            let arguments = Json::parse(&reading.arguments).map_err(|error| error.message().to_owned())?;
            let address = Address::of(&arguments, reading.source == Source::Object)?;
            let (into, rows) = mpsc::channel(ROWS_WAITING_MAX);
            let (client, runtime) = (self.client.clone(), tokio::runtime::Handle::current());
            let work = move || rows::read(&runtime, &client, &address, &reading, &into);
            std::thread::Builder::new()
                .name("item-reader".into())
                .spawn(work)
                .map_err(|error| format!("the system gives no thread to read items with: {error}"))?;
            Ok(Box::new(Rows(rows)) as Box<dyn Items>)
        })
    }

    fn write<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
        content_type: &'static str,
    ) -> BoxFuture<'a, Result<Box<dyn Upload>, String>> {
        Box::pin(async move {
            let upload = upload::S3Upload::new(self.client.clone(), bucket, key, content_type);
            Ok(Box::new(upload) as Box<dyn Upload>)
        })
    }
}

/// Rows from a reading thread. It ends when this is dropped.
struct Rows(mpsc::Receiver<Result<ReadItem, String>>);

impl Items for Rows {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<ReadItem>, String>> {
        Box::pin(async move { self.0.recv().await.transpose() })
    }
}
