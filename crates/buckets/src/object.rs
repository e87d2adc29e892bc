//! What can be done with one object: put, read, copy, delete, tag.
//!
//! A put has three steps: the bytes become a durable blob, the claims about them are checked, and one commit writes the
//! row and the outbox row. Before the commit nobody sees anything; after it everybody does.

use std::collections::BTreeMap;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, TryStreamExt, stream};

use crate::blobs::{NewBlob, Pin as BlobPin};
use crate::digest::{Algorithm, Digests, Hasher};
use crate::error::Error;
use crate::index::{Table, Txn};
use crate::outbox::{Caller, Change, Occurrence, record};
use crate::rows::{Attributes, BucketRow, Checksums, ObjectRow, Segment, Tags};
use crate::store::{Buckets, Inner, check_key, detached, no_bucket, now_ms, object_key};

/// S3's limit for one PUT, one part, and one copy.
pub(crate) const PUT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;

/// An object, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectInfo {
    /// The key.
    pub key: String,
    /// The size in bytes.
    pub size: u64,
    /// The ETag, without quotes.
    pub etag: String,
    /// When it was written, in milliseconds since 1970.
    pub modified_ms: u64,
    /// The media type that its writer gave.
    pub content_type: Option<String>,
    /// The `x-amz-meta-…` pairs.
    pub metadata: BTreeMap<String, String>,
}

impl ObjectInfo {
    pub(crate) fn of(key: &str, row: ObjectRow) -> Self {
        Self {
            key: key.to_owned(),
            size: row.size,
            etag: row.etag,
            modified_ms: row.modified_ms,
            content_type: row.attributes.content_type,
            metadata: row.attributes.metadata,
        }
    }
}

impl Buckets {
    /// Writes an object; its event, if the bucket has events, names `service` as the requester.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::KeyTooLong`], [`Error::DiskFull`], and failures of the disk.
    pub async fn put(
        &self,
        bucket: &str,
        key: &str,
        bytes: Bytes,
        content_type: Option<&str>,
        service: &str,
    ) -> Result<ObjectInfo, Error> {
        let request_id = uuid::Uuid::new_v4().simple().to_string();
        let caller = Caller { request_id, requester: service.to_owned(), source_ip: "127.0.0.1".to_owned() };
        let length = Some(bytes.len() as u64);
        let mut put = Put::new(bucket, key, Box::pin(stream::iter([Ok(bytes)])), caller);
        put.upload.length = length;
        put.attributes.content_type = content_type.map(str::to_owned);
        Ok(ObjectInfo::of(key, self.inner.put(put).await?))
    }

    /// An object with all its bytes. Meant for small ones; a large one is better streamed over HTTP.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::NoSuchKey`], and failures of the disk.
    pub async fn get(&self, bucket: &str, key: &str) -> Result<(ObjectInfo, Bytes), Error> {
        let (row, pin) = self.inner.open(bucket, key)?;
        let pieces: Vec<Bytes> = self.inner.blobs.read(&row.segments, 0..row.size, pin).try_collect().await?;
        let bytes = match <[Bytes; 1]>::try_from(pieces) {
            Ok([only]) => only,
            Err(pieces) => pieces.concat().into(),
        };
        Ok((ObjectInfo::of(key, row), bytes))
    }

    /// What a GET would answer, without the bytes.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::NoSuchKey`].
    pub fn head(&self, bucket: &str, key: &str) -> Result<ObjectInfo, Error> {
        Ok(ObjectInfo::of(key, self.inner.object(bucket, key)?))
    }
}

pub(crate) type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;
/// The checksums that arrive after the body; asked for once it is read.
pub(crate) type Trailers = Box<dyn FnOnce() -> Checksums + Send>;

/// A body and what the client claims about it.
pub(crate) struct Upload {
    pub body: BodyStream,
    pub length: Option<u64>,
    pub md5: Option<[u8; 16]>,
    pub checksums: Checksums,
    /// To be computed besides those that are claimed.
    pub algorithm: Option<Algorithm>,
    pub trailers: Option<Trailers>,
}

/// A PUT.
pub(crate) struct Put {
    pub bucket: String,
    pub key: String,
    pub upload: Upload,
    pub attributes: Attributes,
    pub conditions: WriteConditions,
    pub caller: Caller,
}

impl Put {
    pub(crate) fn new(bucket: &str, key: &str, body: BodyStream, caller: Caller) -> Self {
        let upload = Upload {
            body,
            length: None,
            md5: None,
            checksums: Checksums::default(),
            algorithm: None,
            trailers: None,
        };
        Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            upload,
            attributes: Attributes::default(),
            conditions: WriteConditions::default(),
            caller,
        }
    }
}

/// `*` or an ETag without quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Match {
    Any,
    Etag(String),
}

impl Match {
    pub(crate) fn holds(&self, etag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Etag(wanted) => wanted == etag,
        }
    }
}

/// If-Match and If-None-Match of a write.
#[derive(Debug, Clone, Default)]
pub(crate) struct WriteConditions {
    pub if_match: Option<Match>,
    pub if_none_match: Option<Match>,
}

impl WriteConditions {
    pub(crate) fn check(&self, key: &str, old: Option<&ObjectRow>) -> Result<(), Error> {
        if let Some(wanted) = &self.if_match {
            let old = old.ok_or_else(|| Error::NoSuchKey { key: key.to_owned() })?;
            if !wanted.holds(&old.etag) {
                return Err(Error::PreconditionFailed);
            }
        }
        match (&self.if_none_match, old) {
            (Some(unwanted), Some(old)) if unwanted.holds(&old.etag) => Err(Error::PreconditionFailed),
            _ => Ok(()),
        }
    }
}

/// A copy: the source was read and its conditions checked already.
pub(crate) struct Copy {
    pub source: ObjectRow,
    pub source_pin: BlobPin,
    pub bucket: String,
    pub key: String,
    pub attributes: Attributes,
    pub algorithm: Option<Algorithm>,
    pub caller: Caller,
}

impl Inner {
    pub(crate) async fn put(self: &Arc<Self>, put: Put) -> Result<ObjectRow, Error> {
        let Put { bucket, key, upload, attributes, conditions, caller } = put;
        check_key(&key)?;
        self.bucket(&bucket)?;
        // Refuse before the body is read, where that can be known; the commit decides.
        if conditions.if_match.is_some() || conditions.if_none_match.is_some() {
            conditions.check(&key, self.object(&bucket, &key).ok().as_ref())?;
        }
        let (new, digests) = self.receive(upload).await?;
        let row = ObjectRow {
            sequence: 0,
            segments: vec![new.segment()],
            size: new.segment().size,
            etag: digests.etag(),
            modified_ms: now_ms(),
            multipart: false,
            checksums: digests.checksums,
            attributes,
        };
        self.replace(Replacement {
            bucket,
            key,
            row,
            blobs: vec![new],
            conditions,
            reason: "PutObject",
            caller,
        })
        .await
    }

    /// Makes a body a blob, and checks what the client claimed about it.
    pub(crate) async fn receive(&self, upload: Upload) -> Result<(NewBlob, Digests), Error> {
        let Upload { body, length, md5, checksums: mut claimed, algorithm, trailers } = upload;
        self.blobs.require_room(length.unwrap_or(0))?;
        // Without a wish S3 computes CRC64NVME, and so do we: a later GET can then always be verified.
        let wished = claimed.algorithms().chain(algorithm).chain([Algorithm::Crc64Nvme]);
        let (new, digests) = self.blobs.write(body, Hasher::with(wished), PUT_BYTES_MAX).await?;
        if length.is_some_and(|announced| announced != new.segment().size) {
            return Err(Error::IncompleteBody);
        }
        if let Some(trailers) = trailers {
            let late = trailers();
            late.algorithms().for_each(|a| claimed.set(a, late.of(a).unwrap_or_default().to_owned()));
        }
        digests.verify(md5, &claimed)?;
        Ok((new, chosen(digests, &claimed, algorithm)))
    }

    pub(crate) async fn copy(self: &Arc<Self>, copy: Copy) -> Result<ObjectRow, Error> {
        let Copy { source, source_pin, bucket, key, attributes, algorithm, caller } = copy;
        check_key(&key)?;
        self.bucket(&bucket)?;
        if source.size > PUT_BYTES_MAX {
            return Err(Error::InvalidRequest(format!(
                "The specified copy source is larger than the maximum allowable size for a copy source: {PUT_BYTES_MAX}"
            )));
        }
        let mut row = ObjectRow { attributes, modified_ms: now_ms(), multipart: false, ..source.clone() };
        let has_checksum = algorithm.is_none_or(|a| source.checksums.of(a).is_some());
        let new = match source.segments.as_slice() {
            // The same file under a second name: no byte is copied.
            [only] if !source.multipart && has_checksum => {
                let new = self.blobs.link(only).await?;
                drop(source_pin);
                new
            }
            segments => {
                self.blobs.require_room(source.size)?;
                let body = self.blobs.read(segments, 0..source.size, source_pin).map_err(Error::Disk);
                let algorithm = algorithm.or_else(|| source.checksums.algorithms().next());
                let hasher = Hasher::with(algorithm.into_iter().chain([Algorithm::Crc64Nvme]));
                let (new, digests) = self.blobs.write(Box::pin(body), hasher, PUT_BYTES_MAX).await?;
                row.etag = digests.etag();
                row.checksums = chosen(digests, &Checksums::default(), algorithm).checksums;
                new
            }
        };
        row.segments = vec![new.segment()];
        let conditions = WriteConditions::default();
        self.replace(Replacement {
            bucket,
            key,
            row,
            blobs: vec![new],
            conditions,
            reason: "CopyObject",
            caller,
        })
        .await
    }

    /// A version of an object that stays readable while the pin lives.
    pub(crate) fn open(&self, bucket: &str, key: &str) -> Result<(ObjectRow, BlobPin), Error> {
        loop {
            let row = self.object(bucket, key)?;
            let pin = self.blobs.pin(&row.segments);
            // If a writer was faster than the pin, its version is the one to read.
            if self.object(bucket, key)?.sequence == row.sequence {
                return Ok((row, pin));
            }
        }
    }

    /// Deletes an object; one that is not there counts as deleted, as S3 has it.
    pub(crate) async fn delete(
        self: &Arc<Self>,
        bucket: &str,
        key: &str,
        if_match: Option<Match>,
        caller: Caller,
    ) -> Result<(), Error> {
        let (this, bucket, key) = (Arc::clone(self), bucket.to_owned(), key.to_owned());
        check_key(&key)?;
        detached(async move {
            let removed = this.index.write(move |txn| delete_in(txn, bucket, key, if_match, caller)).await?;
            this.outbox_changed();
            this.blobs.remove(removed);
            Ok(())
        })
        .await
    }

    pub(crate) async fn set_tags(&self, bucket: &str, key: &str, tags: Tags) -> Result<(), Error> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        check_key(&key)?;
        self.index
            .write(move |txn| {
                let at = object_key(&bucket, &key);
                txn.get::<BucketRow>(Table::Buckets, bucket.as_bytes())?.ok_or_else(|| no_bucket(&bucket))?;
                let row = txn.get::<ObjectRow>(Table::Objects, &at)?;
                let mut row = row.ok_or(Error::NoSuchKey { key })?;
                row.attributes.tags = tags;
                txn.put(Table::Objects, &at, &row)
            })
            .await
    }

    /// Commits a new version of an object, and removes the bytes of the old one.
    pub(crate) async fn replace(self: &Arc<Self>, it: Replacement) -> Result<ObjectRow, Error> {
        let this = Arc::clone(self);
        detached(async move {
            let Replacement { bucket, key, row, blobs, conditions, reason, caller } = it;
            let committed = this
                .index
                .write(move |txn| {
                    let old = txn.get::<ObjectRow>(Table::Objects, &object_key(&bucket, &key))?;
                    conditions.check(&key, old.as_ref())?;
                    let row = put_in(txn, bucket, key, row, reason, caller)?;
                    Ok((row, old))
                })
                .await;
            if matches!(committed, Ok(_) | Err(Error::Index(_))) {
                // After a failed commit the row may still be in the journal: then its bytes must be there too.
                blobs.into_iter().for_each(NewBlob::keep);
            }
            let (row, old) = committed?;
            this.outbox_changed();
            this.blobs.remove(old.into_iter().flat_map(|old| old.segments));
            Ok(row)
        })
        .await
    }
}

/// A version of an object that is ready to be committed.
pub(crate) struct Replacement {
    pub bucket: String,
    pub key: String,
    pub row: ObjectRow,
    pub blobs: Vec<NewBlob>,
    pub conditions: WriteConditions,
    pub reason: &'static str,
    pub caller: Caller,
}

/// Writes the row of an object and, if the bucket wants events, the outbox row.
pub(crate) fn put_in(
    txn: &mut Txn<'_>,
    bucket: String,
    key: String,
    mut row: ObjectRow,
    reason: &'static str,
    caller: Caller,
) -> Result<ObjectRow, Error> {
    let settings =
        txn.get::<BucketRow>(Table::Buckets, bucket.as_bytes())?.ok_or_else(|| no_bucket(&bucket))?;
    row.sequence = txn.next_sequence();
    txn.put(Table::Objects, &object_key(&bucket, &key), &row)?;
    if settings.event_bridge {
        let what = Change::Created { size: row.size, etag: row.etag.clone() };
        record(txn, row.sequence, row.modified_ms, Occurrence { bucket, key, what, reason, caller })?;
    }
    Ok(row)
}

fn delete_in(
    txn: &mut Txn<'_>,
    bucket: String,
    key: String,
    if_match: Option<Match>,
    caller: Caller,
) -> Result<Vec<Segment>, Error> {
    let settings =
        txn.get::<BucketRow>(Table::Buckets, bucket.as_bytes())?.ok_or_else(|| no_bucket(&bucket))?;
    let at = object_key(&bucket, &key);
    let old = txn.get::<ObjectRow>(Table::Objects, &at)?;
    WriteConditions { if_match, if_none_match: None }.check(&key, old.as_ref())?;
    let Some(old) = old else { return Ok(Vec::new()) };
    txn.remove(Table::Objects, &at);
    if settings.event_bridge {
        let sequence = txn.next_sequence();
        let what = Change::Deleted;
        record(txn, sequence, now_ms(), Occurrence { bucket, key, what, reason: "DeleteObject", caller })?;
    }
    Ok(old.segments)
}

/// Keeps the checksums that the client named; without any, S3's default.
fn chosen(mut digests: Digests, claimed: &Checksums, algorithm: Option<Algorithm>) -> Digests {
    let wished: Vec<Algorithm> = claimed.algorithms().chain(algorithm).collect();
    if !wished.is_empty() && !wished.contains(&Algorithm::Crc64Nvme) {
        digests.checksums.crc64nvme = None;
    }
    digests
}

/// The bytes that a Range header, or a part number, means. `None` is the whole object.
pub(crate) fn wanted_range(
    row: &ObjectRow,
    range: Option<&s3s::dto::Range>,
    part: Option<i32>,
) -> Result<Option<Range<u64>>, Error> {
    if let Some(range) = range {
        return range.check(row.size).map(Some).map_err(|_| Error::InvalidRange);
    }
    let Some(part) = part else { return Ok(None) };
    let index = usize::try_from(part).ok().and_then(|n| n.checked_sub(1)).ok_or(Error::InvalidPartNumber)?;
    let segment = row.segments.get(index).ok_or(Error::InvalidPartNumber)?;
    let begin = row.segments.iter().take(index).map(|s| s.size).sum();
    Ok(Some(begin..begin + segment.size))
}
