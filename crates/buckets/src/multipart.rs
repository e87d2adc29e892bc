//! Multipart uploads: parts are blobs of their own, and completing an upload only writes rows.
//!
//! The finished object names its parts' blobs in order, so completion copies nothing, whatever the size. Uploads that are
//! neither completed nor aborted stay, as on S3 without a lifecycle rule.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use crc_fast::{CrcAlgorithm, checksum_combine};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::digest::{Algorithm, composite, multipart_etag};
use crate::error::Error;
use crate::index::{Table, Txn, decode};
use crate::listing::rolled_up;
use crate::object::{Upload, WriteConditions, put_in};
use crate::outbox::Caller;
use crate::rows::{Attributes, BucketRow, Checksums, ObjectRow, PartRow, Segment, UploadRow};
use crate::store::{Inner, check_key, detached, no_bucket, now_ms, object_key};

/// S3's limits.
const PARTS_MAX: u32 = 10_000;
const PART_BYTES_MIN: u64 = 5 * 1024 * 1024;

/// Which upload.
#[derive(Debug, Clone)]
pub(crate) struct UploadName {
    pub bucket: String,
    pub key: String,
    pub upload_id: String,
}

/// A part as CompleteMultipartUpload names it.
#[derive(Debug, Clone)]
pub(crate) struct NamedPart {
    pub number: i32,
    pub etag: Option<String>,
    pub checksums: Checksums,
}

/// CompleteMultipartUpload.
pub(crate) struct Completion {
    pub upload: UploadName,
    pub parts: Vec<NamedPart>,
    pub checksums: Checksums,
    pub size: Option<u64>,
    pub conditions: WriteConditions,
    pub caller: Caller,
}

/// A page of uploads or their rolled-up prefixes.
#[derive(Debug, Default)]
pub(crate) struct UploadPage {
    pub uploads: Vec<(UploadName, UploadRow)>,
    pub prefixes: Vec<String>,
    /// Key and upload id to go on after.
    pub next: Option<(String, String)>,
}

/// What to list of the uploads under way.
#[derive(Debug, Default)]
pub(crate) struct UploadQuery {
    pub bucket: String,
    pub prefix: String,
    pub delimiter: Option<String>,
    pub key_marker: Option<String>,
    pub upload_id_marker: Option<String>,
    pub max: usize,
}

impl Inner {
    pub(crate) async fn begin_upload(
        &self,
        bucket: &str,
        key: &str,
        row: UploadRow,
    ) -> Result<UploadName, Error> {
        check_key(key)?;
        self.blobs.require_room(0)?;
        let upload_id = uuid::Uuid::new_v4().simple().to_string();
        let name = UploadName { bucket: bucket.to_owned(), key: key.to_owned(), upload_id };
        let begun = name.clone();
        self.index
            .write(move |txn| {
                let bucket = txn.get::<BucketRow>(Table::Buckets, name.bucket.as_bytes())?;
                bucket.ok_or_else(|| no_bucket(&name.bucket))?;
                txn.put(Table::Uploads, &upload_key(&name), &row)
            })
            .await?;
        Ok(begun)
    }

    pub(crate) async fn put_part(
        self: &Arc<Self>,
        name: UploadName,
        number: i32,
        mut upload: Upload,
    ) -> Result<PartRow, Error> {
        let at = part_key(&name, part_number(number)?);
        let begun = self.upload(&name)?;
        let expected = begun.checksum_algorithm.as_deref().and_then(Algorithm::from_name);
        upload.algorithm = upload.algorithm.or(expected);
        let (new, digests) = self.receive(upload).await?;
        let row = PartRow {
            segment: new.segment(),
            etag: digests.etag(),
            modified_ms: now_ms(),
            checksums: digests.checksums,
        };
        let this = Arc::clone(self);
        detached(async move {
            let written = row.clone();
            let committed = this
                .index
                .write(move |txn| {
                    existing(txn, &name)?;
                    let old = txn.get::<PartRow>(Table::Parts, &at)?;
                    txn.put(Table::Parts, &at, &written)?;
                    Ok(old)
                })
                .await;
            if matches!(committed, Ok(_) | Err(Error::Index(_))) {
                new.keep();
            }
            this.blobs.remove(committed?.map(|old| old.segment));
            Ok(row)
        })
        .await
    }

    pub(crate) async fn complete_upload(
        self: &Arc<Self>,
        completion: Completion,
    ) -> Result<ObjectRow, Error> {
        let this = Arc::clone(self);
        detached(async move {
            let (row, gone) = this.index.write(move |txn| complete_in(txn, completion)).await?;
            this.outbox_changed();
            this.blobs.remove(gone);
            Ok(row)
        })
        .await
    }

    pub(crate) async fn abort_upload(self: &Arc<Self>, name: UploadName) -> Result<(), Error> {
        let this = Arc::clone(self);
        detached(async move {
            let gone = this
                .index
                .write(move |txn| {
                    existing(txn, &name)?;
                    remove_upload(txn, &name)
                })
                .await?;
            this.blobs.remove(gone.into_values().map(|part| part.segment));
            Ok(())
        })
        .await
    }

    /// The row of an upload under way.
    pub(crate) fn upload(&self, name: &UploadName) -> Result<UploadRow, Error> {
        let found = self.index.read(|view| {
            view.get::<BucketRow>(Table::Buckets, name.bucket.as_bytes())?
                .ok_or_else(|| no_bucket(&name.bucket))?;
            view.get(Table::Uploads, &upload_key(name))
        })?;
        found.ok_or_else(|| no_upload(name))
    }

    /// Up to `max` parts after the number `after`, and whether there are more.
    pub(crate) fn parts(
        &self,
        name: &UploadName,
        after: u32,
        max: usize,
    ) -> Result<(Vec<(u32, PartRow)>, bool), Error> {
        self.index.read(|view| {
            let from = part_key(name, after);
            let rows = view.rows(Table::Parts, Bound::Excluded(&from));
            let mut parts = Vec::new();
            for row in rows {
                let (at, value) = row?;
                let Some(number) = at.strip_prefix(name.upload_id.as_bytes()) else { break };
                if parts.len() >= max {
                    return Ok((parts, true));
                }
                parts.push((number_of(number)?, decode(&value)?));
            }
            Ok((parts, false))
        })
    }

    pub(crate) fn uploads(&self, query: &UploadQuery) -> Result<UploadPage, Error> {
        self.bucket(&query.bucket)?;
        let delimiter = query.delimiter.as_deref().filter(|d| !d.is_empty());
        let within = object_key(&query.bucket, &query.prefix);
        let base = object_key(&query.bucket, "").len();
        self.index.read(|view| {
            let mut page = UploadPage::default();
            let mut last = None;
            for row in view.rows(Table::Uploads, Bound::Included(&within)) {
                let (at, value) = row?;
                if !at.starts_with(&within) {
                    break;
                }
                let (key, upload_id) = split_upload_key(at.get(base..).unwrap_or_default())?;
                let rolled = rolled_up(&key, &query.prefix, delimiter).map(str::to_owned);
                if before_marker(query, rolled.as_deref().unwrap_or(&key), &upload_id)
                    || (rolled.is_some() && page.prefixes.last() == rolled.as_ref())
                {
                    continue;
                }
                if page.uploads.len() + page.prefixes.len() >= query.max {
                    page.next = last;
                    break;
                }
                if let Some(rolled) = rolled {
                    last = Some((rolled.clone(), String::new()));
                    page.prefixes.push(rolled);
                    continue;
                }
                last = Some((key.clone(), upload_id.clone()));
                let name = UploadName { bucket: query.bucket.clone(), key, upload_id };
                page.uploads.push((name, decode(&value)?));
            }
            Ok(page)
        })
    }
}

fn complete_in(txn: &mut Txn<'_>, it: Completion) -> Result<(ObjectRow, Vec<Segment>), Error> {
    let Completion { upload: name, parts: named, checksums: claimed, size, conditions, caller } = it;
    let begun = existing(txn, &name)?;
    let mut uploaded = remove_upload(txn, &name)?;
    let mut parts = Vec::with_capacity(named.len());
    let mut before = 0;
    for part in &named {
        let number = part_number(part.number)?;
        if number <= before {
            return Err(Error::InvalidPartOrder);
        }
        before = number;
        let row = uploaded.remove(&number).filter(|row| agrees(row, part));
        parts.push(row.ok_or(Error::InvalidPart { part: number })?);
    }
    let Some((_, all_but_last)) = parts.split_last() else {
        return Err(Error::InvalidRequest("You must specify at least one part".into()));
    };
    if all_but_last.iter().any(|part| part.segment.size < PART_BYTES_MIN) {
        return Err(Error::EntityTooSmall);
    }
    let total = parts.iter().map(|part| part.segment.size).sum();
    if size.is_some_and(|announced| announced != total) {
        return Err(Error::InvalidRequest(format!(
            "The parts have {total} bytes, the request announced another x-amz-mp-object-size."
        )));
    }
    let checksums = object_checksums(&begun, &parts);
    for algorithm in claimed.algorithms() {
        if checksums.of(algorithm).is_some_and(|computed| Some(computed) != claimed.of(algorithm)) {
            return Err(Error::BadDigest { algorithm: algorithm.name() });
        }
    }
    let at = object_key(&name.bucket, &name.key);
    let old = txn.get::<ObjectRow>(Table::Objects, &at)?;
    conditions.check(&name.key, old.as_ref())?;
    let row = ObjectRow {
        sequence: 0,
        etag: multipart_etag(parts.iter().map(|part| part.etag.as_str()))?,
        segments: parts.into_iter().map(|part| part.segment).collect(),
        size: total,
        modified_ms: now_ms(),
        multipart: true,
        checksums,
        attributes: begun.attributes,
    };
    let row = put_in(txn, name.bucket, name.key, row, "CompleteMultipartUpload", caller)?;
    let unused = uploaded.into_values().map(|part| part.segment);
    let gone = unused.chain(old.into_iter().flat_map(|old| old.segments)).collect();
    Ok((row, gone))
}

/// Whether an uploaded part is the one that the client means.
fn agrees(row: &PartRow, named: &NamedPart) -> bool {
    named.etag.as_ref().is_none_or(|etag| *etag == row.etag)
        && named
            .checksums
            .algorithms()
            .all(|a| row.checksums.of(a).is_none_or(|computed| named.checksums.of(a) == Some(computed)))
}

/// The checksum of the whole object: of its bytes for `FULL_OBJECT`, else of its parts' checksums.
fn object_checksums(upload: &UploadRow, parts: &[PartRow]) -> Checksums {
    let mut checksums = Checksums::default();
    let algorithm = upload.checksum_algorithm.as_deref().and_then(Algorithm::from_name);
    let algorithm = algorithm.unwrap_or(Algorithm::Crc64Nvme);
    let value = match (algorithm, upload.checksum_type.as_deref()) {
        (Algorithm::Crc64Nvme, _) => full_object(algorithm, parts),
        (Algorithm::Crc32 | Algorithm::Crc32c, Some("FULL_OBJECT")) => full_object(algorithm, parts),
        _ => composite(algorithm, parts.iter().map(|part| &part.checksums)),
    };
    if let Some(value) = value {
        checksums.set(algorithm, value);
    }
    checksums
}

/// The CRC of the concatenation, from the CRCs of the parts: nothing is read again.
fn full_object(algorithm: Algorithm, parts: &[PartRow]) -> Option<String> {
    let (crc, bytes) = match algorithm {
        Algorithm::Crc32 => (CrcAlgorithm::Crc32IsoHdlc, 4),
        Algorithm::Crc32c => (CrcAlgorithm::Crc32Iscsi, 4),
        Algorithm::Crc64Nvme => (CrcAlgorithm::Crc64Nvme, 8),
        Algorithm::Sha1 | Algorithm::Sha256 => return None,
    };
    let mut combined = None;
    for part in parts {
        let value = BASE64.decode(part.checksums.of(algorithm)?).ok()?;
        let value = value.into_iter().fold(0, |sum, byte| (sum << 8) | u64::from(byte));
        combined = Some(match combined {
            None => value,
            Some(before) => checksum_combine(crc, before, value, part.segment.size),
        });
    }
    let big_endian = combined?.to_be_bytes();
    Some(BASE64.encode(big_endian.get(8 - bytes..)?))
}

fn existing(txn: &Txn<'_>, name: &UploadName) -> Result<UploadRow, Error> {
    txn.get(Table::Uploads, &upload_key(name))?.ok_or_else(|| no_upload(name))
}

/// Removes the rows of an upload, and returns its parts.
fn remove_upload(txn: &mut Txn<'_>, name: &UploadName) -> Result<BTreeMap<u32, PartRow>, Error> {
    txn.remove(Table::Uploads, &upload_key(name));
    let mut parts = BTreeMap::new();
    for (at, part) in txn.scan::<PartRow>(Table::Parts, name.upload_id.as_bytes())? {
        txn.remove(Table::Parts, &at);
        let number = at.strip_prefix(name.upload_id.as_bytes()).unwrap_or_default();
        parts.insert(number_of(number)?, part);
    }
    Ok(parts)
}

fn no_upload(name: &UploadName) -> Error {
    Error::NoSuchUpload { upload_id: name.upload_id.clone() }
}

fn part_number(number: i32) -> Result<u32, Error> {
    u32::try_from(number).ok().filter(|n| (1..=PARTS_MAX).contains(n)).ok_or_else(|| {
        Error::InvalidArgument(format!("Part number must be an integer between 1 and {PARTS_MAX}, inclusive"))
    })
}

fn upload_key(name: &UploadName) -> Vec<u8> {
    [&object_key(&name.bucket, &name.key), b"\0".as_slice(), name.upload_id.as_bytes()].concat()
}

/// Key and upload id of an upload's row; the id has no NUL, so the last one separates.
fn split_upload_key(rest: &[u8]) -> Result<(String, String), Error> {
    let at = rest.iter().rposition(|byte| *byte == 0);
    let at = at.ok_or_else(|| Error::Index("an upload's row key has no upload id".into()))?;
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    Ok((text(rest.get(..at)), text(rest.get(at + 1..))))
}

fn before_marker(query: &UploadQuery, key: &str, upload_id: &str) -> bool {
    let Some(marker) = query.key_marker.as_deref().filter(|m| !m.is_empty()) else { return false };
    match query.upload_id_marker.as_deref().filter(|m| !m.is_empty()) {
        Some(id_marker) if key == marker => upload_id <= id_marker,
        _ => key <= marker,
    }
}

fn part_key(name: &UploadName, number: u32) -> Vec<u8> {
    [name.upload_id.as_bytes(), &number.to_be_bytes()].concat()
}

fn number_of(key: &[u8]) -> Result<u32, Error> {
    let bytes = key.try_into().map_err(|_| Error::Index("a part's row key has no part number".into()))?;
    Ok(u32::from_be_bytes(bytes))
}

impl UploadRow {
    pub(crate) fn begin(attributes: Attributes, algorithm: Option<String>, kind: Option<String>) -> Self {
        Self { begun_ms: now_ms(), attributes, checksum_algorithm: algorithm, checksum_type: kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Hasher;

    #[test]
    fn the_crc_of_a_whole_object_comes_from_its_parts() {
        let (one, two) = (vec![7_u8; 1000], b"the rest".to_vec());
        let part = |bytes: &[u8]| {
            let mut hasher = Hasher::with(Algorithm::ALL);
            hasher.update(bytes);
            let segment = Segment { blob: String::new(), size: bytes.len() as u64 };
            let digests = hasher.finish();
            PartRow { segment, etag: digests.etag(), modified_ms: 0, checksums: digests.checksums }
        };
        let parts = [part(&one), part(&two)];
        let whole = part(&[one, two].concat());
        for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
            assert_eq!(
                full_object(algorithm, &parts).as_deref(),
                whole.checksums.of(algorithm),
                "{algorithm:?}"
            );
        }
        assert_eq!(full_object(Algorithm::Sha256, &parts), None);
    }

    #[test]
    fn part_numbers_go_from_1_to_10000() {
        assert_eq!(part_number(1).unwrap(), 1);
        assert_eq!(part_number(10_000).unwrap(), 10_000);
        for refused in [0, -1, 10_001] {
            assert!(matches!(part_number(refused), Err(Error::InvalidArgument(_))));
        }
    }
}
