//! What a Map Run reads its items from and writes its results to, as a seam: the service streams through it and knows
//! no bucket, and tests need none.

use std::sync::Arc;

use asl::json::Json;
use asl::states::map::distributed::{ReaderFormat, Source};
use bytes::Bytes;

use crate::BoxFuture;

/// What an ItemReader asks for.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What is read.
    pub source: Source,
    /// The evaluated `Parameters` or `Arguments`, a JSON text.
    pub arguments: Arc<str>,
    /// How it reads.
    pub format: ReaderFormat,
}

/// One item that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadItem {
    /// Its name, when the items are the members of an object.
    pub key: Option<Arc<str>>,
    /// `S3://bucket` or `S3://bucket/key`.
    pub source: Arc<str>,
    /// Itself.
    pub value: Json,
}

/// Items, one after the other: whatever their number, few are in memory.
pub trait Items: Send {
    /// The next one, `None` after the last; or the cause of `States.ItemReaderFailed`.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<ReadItem>, String>>;
}

/// An object in the making.
pub trait Upload: Send {
    /// Adds bytes.
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), String>>;

    /// Makes the object; its size.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<u64, String>>;
}

/// Where items are read from and results are written to.
pub trait Datasets: Send + Sync + 'static {
    /// Opens a source of items; or the cause of `States.ItemReaderFailed`.
    fn read(&self, reading: Reading) -> BoxFuture<'_, Result<Box<dyn Items>, String>>;

    /// Begins an object; or the cause of `States.ResultWriterFailed`.
    fn write<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
        content_type: &'static str,
    ) -> BoxFuture<'a, Result<Box<dyn Upload>, String>>;
}

/// A server that reaches no store of objects.
#[derive(Debug, Default)]
pub struct NoDatasets;

const NONE: &str = "This server reaches no S3-compatible store: ItemReader and ResultWriter need one";

impl Datasets for NoDatasets {
    fn read(&self, _: Reading) -> BoxFuture<'_, Result<Box<dyn Items>, String>> {
        Box::pin(async { Err(NONE.to_owned()) })
    }

    fn write<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        _: &'static str,
    ) -> BoxFuture<'a, Result<Box<dyn Upload>, String>> {
        Box::pin(async { Err(NONE.to_owned()) })
    }
}
