//! From objects to items: a reader for each format, and the ways in which one object leads to others (asl-facts 16.2).
//!
//! All of it runs on a thread of its own and pulls its bytes; a row that nobody wants any more ends it.

mod columns;
mod delimited;
mod document;
mod lines;
mod manifest;

use std::io::Read;
use std::sync::Arc;

use asl::json::Json;
use asl::states::map::distributed::{InputType, ManifestType, ReaderFormat, Source};
use asl::timestamp;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::datasets::{ReadItem, Reading};
use crate::s3::{Address, Client, Object};

/// The recorded text for what cannot be mapped over.
pub(crate) const NOT_ITERABLE: &str = "Attempting to map over non-iterable node.";

/// Why reading stopped before the end.
#[derive(Debug, PartialEq)]
pub(crate) enum Stop {
    /// Nobody wants more.
    Enough,
    /// The cause of `States.ItemReaderFailed`.
    Failed(String),
}

impl From<String> for Stop {
    fn from(cause: String) -> Self {
        Stop::Failed(cause)
    }
}

/// Takes rows: the key of an object's member, and the value.
pub(crate) type Sink<'a> = dyn FnMut(Option<Arc<str>>, Json) -> Result<(), Stop> + 'a;

/// Reads everything that a reader names into a channel.
pub(crate) fn read(
    runtime: &Handle,
    client: &Arc<Client>,
    address: &Address,
    reading: &Reading,
    into: &mpsc::Sender<Result<ReadItem, String>>,
) {
    let reader = Reader { runtime, client, into };
    let done = match reading.source {
        Source::Listing => reader.listing(address, &reading.format),
        Source::Object => reader.object(address, &reading.format),
    };
    if let Err(Stop::Failed(cause)) = done {
        // A run that has gone does not want to know.
        let _gone = into.blocking_send(Err(cause));
    }
}

struct Reader<'a> {
    runtime: &'a Handle,
    client: &'a Arc<Client>,
    into: &'a mpsc::Sender<Result<ReadItem, String>>,
}

impl Reader<'_> {
    /// What is listed, or the rows of what is listed.
    fn listing(&self, address: &Address, format: &ReaderFormat) -> Result<(), Stop> {
        let source: Arc<str> = format!("S3://{}", address.bucket).into();
        let mut token: Option<String> = None;
        loop {
            let page = self.runtime.block_on(self.client.list(address, token.as_deref()))?;
            for found in page.contents {
                if !format.flatten {
                    let modified = timestamp::parse(&found.last_modified).unwrap_or_default() / 1000;
                    let class = found.storage_class.as_deref().unwrap_or("STANDARD");
                    // The names and their order are recorded.
                    let value = Json::object([
                        ("Etag", Json::from(&*found.etag)),
                        ("LastModified", Json::from(modified)),
                        ("Key", Json::from(&*found.key)),
                        ("Size", Json::from(i64::try_from(found.size).unwrap_or(i64::MAX))),
                        ("StorageClass", Json::from(class)),
                    ]);
                    self.send(None, value, &source)?;
                } else if !(found.size == 0 && found.key.ends_with('/')) {
                    // What ends with a slash and is empty stands for a folder.
                    self.file(&address.object(&address.bucket, &found.key), format)?;
                }
            }
            match page.next_continuation_token {
                Some(next) => token = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// The rows of an object, or of those that a manifest names.
    fn object(&self, address: &Address, format: &ReaderFormat) -> Result<(), Stop> {
        let Some(kind) = format.manifest else { return self.file(address, format) };
        let object = Object::open(self.runtime, self.client, address.clone())?;
        match kind {
            ManifestType::S3Inventory => {
                let inventory = manifest::inventory(object, &address.bucket)?;
                for key in &inventory.files {
                    self.file(&address.object(&inventory.bucket, key), &inventory.format)?;
                }
            }
            ManifestType::AthenaData => {
                for (bucket, key) in manifest::athena(object)? {
                    self.file(&address.object(&bucket, &key), format)?;
                }
            }
        }
        Ok(())
    }

    /// The rows of one file.
    fn file(&self, address: &Address, format: &ReaderFormat) -> Result<(), Stop> {
        let object = Object::open(self.runtime, self.client, address.clone())?;
        let source: Arc<str> = format!("S3://{}/{}", address.bucket, address.key).into();
        let mut sink = |key, value| self.send(key, value, &source);
        if format.input_type == Some(InputType::Parquet) {
            return columns::read(columns::ParquetObject(object.into_ranges()?), &mut sink);
        }
        if format.manifest.is_some() && address.key.ends_with(".gz") {
            return rows(flate2::read::MultiGzDecoder::new(object), format, &mut sink);
        }
        rows(object, format, &mut sink)
    }

    fn send(&self, key: Option<Arc<str>>, value: Json, source: &Arc<str>) -> Result<(), Stop> {
        let item = ReadItem { key, source: source.clone(), value };
        self.into.blocking_send(Ok(item)).map_err(|_| Stop::Enough)
    }
}

/// The rows of a stream of bytes.
pub(crate) fn rows(bytes: impl Read, format: &ReaderFormat, sink: &mut Sink<'_>) -> Result<(), Stop> {
    match format.input_type {
        Some(InputType::Csv) => delimited::read(bytes, format, sink),
        Some(InputType::JsonLines) => lines::read(bytes, sink),
        Some(InputType::Json) => document::read(bytes, format.pointer.as_deref().unwrap_or_default(), sink),
        // Parquet is not read from front to back.
        Some(InputType::Parquet | InputType::Manifest) | None => {
            Err(Stop::Failed("The ItemReader has no InputType for this object".to_owned()))
        }
    }
}

/// The items in a text that stands for what a reader read: an array, or an object when the items are its members.
///
/// # Errors
/// The cause of `States.ItemReaderFailed`.
pub fn read_items(text: &str, source: Source, format: &ReaderFormat) -> Result<Json, String> {
    // What is no text by itself, a listing, Parquet or a manifest's files, is told as an array.
    let array = ReaderFormat { input_type: Some(InputType::Json), ..ReaderFormat::default() };
    let is_listing = source == Source::Listing && !format.flatten;
    let is_array =
        is_listing || matches!(format.input_type, Some(InputType::Parquet | InputType::Manifest) | None);
    let (mut members, mut elements) = (asl::json::Object::new(), Vec::new());
    let mut sink = |key: Option<Arc<str>>, value: Json| {
        match key {
            Some(key) => _ = members.insert(key, value),
            None => elements.push(value),
        }
        Ok(())
    };
    match rows(text.as_bytes(), if is_array { &array } else { format }, &mut sink) {
        Err(Stop::Failed(cause)) => Err(cause),
        Ok(()) | Err(Stop::Enough) if members.is_empty() => Ok(Json::from(elements)),
        Ok(()) | Err(Stop::Enough) => Ok(Json::from(members)),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// All rows as lines, and the failure as the last one.
    pub(crate) fn read_text(text: &[u8], format: &ReaderFormat) -> Vec<String> {
        let mut seen = Vec::new();
        let mut sink = |key: Option<Arc<str>>, value: Json| {
            let key = key.map(|key| format!("{key}: ")).unwrap_or_default();
            seen.push(format!("{key}{}", value.to_text()));
            Ok(())
        };
        let done = rows(text, format, &mut sink);
        if let Err(Stop::Failed(cause)) = done {
            seen.push(format!("! {cause}"));
        }
        seen
    }

    #[test]
    fn a_reader_ends_when_nobody_wants_more() {
        let format = ReaderFormat { input_type: Some(InputType::Json), ..ReaderFormat::default() };
        let mut seen = 0;
        let mut sink = |_: Option<Arc<str>>, _: Json| {
            seen += 1;
            if seen == 2 { Err(Stop::Enough) } else { Ok(()) }
        };
        assert_eq!(rows(&b"[1,2,3,4]"[..], &format, &mut sink), Err(Stop::Enough));
        assert_eq!(seen, 2);
    }
}
