//! Operations on one object (and DeleteObjects, which is many of one).

use futures::StreamExt;
use s3s::dto::*;
use s3s::{S3Request, S3Response, StdError, TrailingHeaders};

use super::{Protocol, refuse, tags, timestamp};
use crate::digest::{Algorithm, parse_md5};
use crate::endpoint::caller_of;
use crate::error::Error;
use crate::object::{BodyStream, Copy, Match, Put, Trailers, Upload, WriteConditions, wanted_range};
use crate::rows::{Attributes, Checksums, ObjectRow};
use crate::unsigned::LateChecksums;

/// S3's limits.
const DELETES_MAX: usize = 1000;
const METADATA_BYTES_MAX: usize = 2048;
const DEFAULT_TYPE: &str = "binary/octet-stream";
/// What a client without a version in mind may say.
const NULL_VERSION: &str = "null";

type Answer<T> = Result<S3Response<T>, Error>;

pub(super) async fn put(it: &Protocol, request: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
    let caller = caller_of(&request.extensions)?;
    let trailers = trailers(&request.extensions, request.trailing_headers.clone());
    let input = request.input;
    refuse(input.sse_customer_algorithm.is_some(), "Encryption with customer keys (SSE-C)")?;
    refuse(input.object_lock_mode.is_some() || input.object_lock_legal_hold_status.is_some(), "Object Lock")?;
    refuse(input.write_offset_bytes.is_some(), "Appending (x-amz-write-offset-bytes)")?;
    let algorithm = input.checksum_algorithm.as_ref().map(|a| a.as_str().to_owned());
    let put = Put {
        upload: Upload {
            body: body_stream(input.body),
            length: input.content_length.and_then(|l| u64::try_from(l).ok()),
            md5: input.content_md5.as_deref().map(parse_md5).transpose()?,
            checksums: Checksums {
                crc32: input.checksum_crc32,
                crc32c: input.checksum_crc32c,
                crc64nvme: input.checksum_crc64nvme,
                sha1: input.checksum_sha1,
                sha256: input.checksum_sha256,
            },
            algorithm: algorithm_named(algorithm.as_deref())?,
            trailers,
        },
        attributes: Attributes {
            content_type: input.content_type,
            content_encoding: plain_encoding(input.content_encoding),
            content_language: input.content_language,
            content_disposition: input.content_disposition,
            cache_control: input.cache_control,
            expires: input.expires.as_ref().and_then(http_date),
            website_redirect: input.website_redirect_location,
            storage_class: stored_class(input.storage_class)?,
            metadata: checked_metadata(input.metadata)?,
            tags: tags::from_header(input.tagging.as_deref())?,
        },
        conditions: write_conditions(input.if_match, input.if_none_match),
        caller,
        bucket: input.bucket,
        key: input.key,
    };
    let row = it.store.put(put).await?;
    Ok(S3Response::new(PutObjectOutput {
        checksum_type: checksum_type(&row),
        checksum_crc32: row.checksums.crc32,
        checksum_crc32c: row.checksums.crc32c,
        checksum_crc64nvme: row.checksums.crc64nvme,
        checksum_sha1: row.checksums.sha1,
        checksum_sha256: row.checksums.sha256,
        e_tag: Some(ETag::Strong(row.etag)),
        ..Default::default()
    }))
}

pub(super) async fn get(it: &Protocol, request: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
    let input = request.input;
    check_version(input.version_id.as_deref(), &input.key)?;
    let (row, pin) = it.store.open(&input.bucket, &input.key)?;
    let conditions = ReadConditions {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
        if_modified_since: input.if_modified_since,
        if_unmodified_since: input.if_unmodified_since,
    };
    conditions.check(&row)?;
    let range = wanted_range(&row, input.range.as_ref(), input.part_number)?;
    let bytes = range.clone().unwrap_or(0..row.size);
    let body = it.store.blobs.read(&row.segments, bytes.clone(), pin);
    let head = head_output(row, range, input.part_number, input.checksum_mode.is_some());
    Ok(S3Response::new(GetObjectOutput {
        body: Some(StreamingBlob::wrap(body)),
        accept_ranges: head.accept_ranges,
        cache_control: head.cache_control,
        checksum_crc32: head.checksum_crc32,
        checksum_crc32c: head.checksum_crc32c,
        checksum_crc64nvme: head.checksum_crc64nvme,
        checksum_sha1: head.checksum_sha1,
        checksum_sha256: head.checksum_sha256,
        checksum_type: head.checksum_type,
        content_disposition: head.content_disposition,
        content_encoding: head.content_encoding,
        content_language: head.content_language,
        content_length: head.content_length,
        content_range: head.content_range,
        content_type: head.content_type,
        e_tag: head.e_tag,
        expires: head.expires,
        last_modified: head.last_modified,
        metadata: head.metadata,
        parts_count: head.parts_count,
        storage_class: head.storage_class,
        website_redirect_location: head.website_redirect_location,
        ..Default::default()
    }))
}

pub(super) async fn head(it: &Protocol, request: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
    let input = request.input;
    check_version(input.version_id.as_deref(), &input.key)?;
    let row = it.store.object(&input.bucket, &input.key)?;
    let conditions = ReadConditions {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
        if_modified_since: input.if_modified_since,
        if_unmodified_since: input.if_unmodified_since,
    };
    conditions.check(&row)?;
    let range = wanted_range(&row, input.range.as_ref(), input.part_number)?;
    let partial = range.is_some();
    let mut response =
        S3Response::new(head_output(row, range, input.part_number, input.checksum_mode.is_some()));
    if partial {
        response.status = Some(http::StatusCode::PARTIAL_CONTENT);
    }
    Ok(response)
}

pub(super) async fn attributes(
    it: &Protocol,
    request: S3Request<GetObjectAttributesInput>,
) -> Answer<GetObjectAttributesOutput> {
    let input = request.input;
    check_version(input.version_id.as_deref(), &input.key)?;
    let row = it.store.object(&input.bucket, &input.key)?;
    // The library leaves a header that lists several of them as one.
    let asked = input.object_attributes.iter().flat_map(|a| a.as_str().split(','));
    let asked: Vec<&str> = asked.map(str::trim).collect();
    let wants = |name: &str| asked.contains(&name);
    let kind = checksum_type(&row);
    let parts = row.multipart.then(|| GetObjectAttributesParts {
        total_parts_count: i32::try_from(row.segments.len()).ok(),
        ..Default::default()
    });
    Ok(S3Response::new(GetObjectAttributesOutput {
        e_tag: wants(ObjectAttributes::ETAG).then(|| ETag::Strong(row.etag.clone())),
        object_size: if wants(ObjectAttributes::OBJECT_SIZE) { i64::try_from(row.size).ok() } else { None },
        storage_class: wants(ObjectAttributes::STORAGE_CLASS).then(|| {
            let class = row.attributes.storage_class.clone();
            StorageClass::from(class.unwrap_or_else(|| StorageClass::STANDARD.to_owned()))
        }),
        checksum: wants(ObjectAttributes::CHECKSUM).then(|| Checksum {
            checksum_crc32: row.checksums.crc32.clone(),
            checksum_crc32c: row.checksums.crc32c.clone(),
            checksum_crc64nvme: row.checksums.crc64nvme.clone(),
            checksum_sha1: row.checksums.sha1.clone(),
            checksum_sha256: row.checksums.sha256.clone(),
            checksum_type: kind,
        }),
        object_parts: parts.filter(|_| wants(ObjectAttributes::OBJECT_PARTS)),
        last_modified: Some(timestamp(row.modified_ms)),
        ..Default::default()
    }))
}

pub(super) async fn copy(it: &Protocol, request: S3Request<CopyObjectInput>) -> Answer<CopyObjectOutput> {
    let caller = caller_of(&request.extensions)?;
    let input = request.input;
    refuse(input.sse_customer_algorithm.is_some(), "Encryption with customer keys (SSE-C)")?;
    let (from_bucket, from_key) = copy_source(&input.copy_source)?;
    let (source, source_pin) = it.store.open(&from_bucket, &from_key)?;
    ReadConditions {
        if_match: input.copy_source_if_match,
        if_none_match: input.copy_source_if_none_match,
        if_modified_since: input.copy_source_if_modified_since,
        if_unmodified_since: input.copy_source_if_unmodified_since,
    }
    .check_copy(&source)?;
    let replaces = |directive: Option<&str>| directive == Some("REPLACE");
    let replaces_metadata = replaces(input.metadata_directive.as_ref().map(MetadataDirective::as_str));
    let replaces_tags = replaces(input.tagging_directive.as_ref().map(TaggingDirective::as_str));
    let onto_itself = from_bucket == input.bucket && from_key == input.key;
    if onto_itself
        && !replaces_metadata
        && input.storage_class.is_none()
        && input.website_redirect_location.is_none()
    {
        return Err(Error::InvalidRequest(
            "This copy request is illegal because it is trying to copy an object to itself without changing the \
             object's metadata, storage class, website redirect location or encryption attributes."
                .into(),
        ));
    }
    let mut attributes = if replaces_metadata {
        Attributes {
            content_type: input.content_type,
            content_encoding: plain_encoding(input.content_encoding),
            content_language: input.content_language,
            content_disposition: input.content_disposition,
            cache_control: input.cache_control,
            expires: input.expires.as_ref().and_then(http_date),
            metadata: checked_metadata(input.metadata)?,
            tags: source.attributes.tags.clone(),
            ..Attributes::default()
        }
    } else {
        source.attributes.clone()
    };
    attributes.storage_class = stored_class(input.storage_class)?;
    attributes.website_redirect = input.website_redirect_location;
    if replaces_tags {
        attributes.tags = tags::from_header(input.tagging.as_deref())?;
    }
    let algorithm = input.checksum_algorithm.as_ref().map(|a| a.as_str().to_owned());
    let algorithm = algorithm_named(algorithm.as_deref())?;
    let copy =
        Copy { source, source_pin, bucket: input.bucket, key: input.key, attributes, algorithm, caller };
    let row = it.store.copy(copy).await?;
    let result = CopyObjectResult {
        checksum_type: checksum_type(&row),
        checksum_crc32: row.checksums.crc32,
        checksum_crc32c: row.checksums.crc32c,
        checksum_crc64nvme: row.checksums.crc64nvme,
        checksum_sha1: row.checksums.sha1,
        checksum_sha256: row.checksums.sha256,
        e_tag: Some(ETag::Strong(row.etag)),
        last_modified: Some(timestamp(row.modified_ms)),
    };
    Ok(S3Response::new(CopyObjectOutput { copy_object_result: Some(result), ..Default::default() }))
}

pub(super) async fn delete(
    it: &Protocol,
    request: S3Request<DeleteObjectInput>,
) -> Answer<DeleteObjectOutput> {
    let caller = caller_of(&request.extensions)?;
    let input = request.input;
    check_version(input.version_id.as_deref(), &input.key)?;
    it.store.delete(&input.bucket, &input.key, input.if_match.map(matched), caller).await?;
    Ok(S3Response::new(DeleteObjectOutput::default()))
}

pub(super) async fn delete_many(
    it: &Protocol,
    request: S3Request<DeleteObjectsInput>,
) -> Answer<DeleteObjectsOutput> {
    let caller = caller_of(&request.extensions)?;
    let DeleteObjectsInput { bucket, delete, .. } = request.input;
    it.store.bucket(&bucket)?;
    if delete.objects.is_empty() || delete.objects.len() > DELETES_MAX {
        return Err(Error::MalformedXml);
    }
    let quiet = delete.quiet == Some(true);
    // All at once: the index makes them one group with one sync.
    let deletes = delete.objects.into_iter().map(|object| {
        let (bucket, caller) = (bucket.clone(), caller.clone());
        async move {
            let if_match = object.e_tag.map(|etag| Match::Etag(etag.into_value()));
            let checked = check_version(object.version_id.as_deref(), &object.key);
            let outcome = match checked {
                Ok(()) => it.store.delete(&bucket, &object.key, if_match, caller).await,
                Err(error) => Err(error),
            };
            (object.key, outcome)
        }
    });
    let outcomes = futures::future::join_all(deletes).await;
    let mut answer = DeleteObjectsOutput { deleted: Some(Vec::new()), ..Default::default() };
    let mut errors = Vec::new();
    for (key, outcome) in outcomes {
        match outcome {
            Ok(()) if quiet => {}
            Ok(()) => {
                let deleted = DeletedObject { key: Some(key), ..Default::default() };
                answer.deleted.get_or_insert_default().push(deleted);
            }
            Err(error) => errors.push(s3s::dto::Error {
                code: Some(error.code().0.to_owned()),
                key: Some(key),
                message: Some(error.to_string()),
                version_id: None,
            }),
        }
    }
    answer.errors = (!errors.is_empty()).then_some(errors);
    Ok(S3Response::new(answer))
}

/// If-Match and its kin on a read, or on the source of a copy.
#[derive(Default)]
pub(super) struct ReadConditions {
    pub if_match: Option<ETagCondition>,
    pub if_none_match: Option<ETagCondition>,
    pub if_modified_since: Option<Timestamp>,
    pub if_unmodified_since: Option<Timestamp>,
}

impl ReadConditions {
    fn check(self, row: &ObjectRow) -> Result<(), Error> {
        let not_modified = Error::NotModified { etag: row.etag.clone(), modified_ms: row.modified_ms };
        self.check_with(row, not_modified)
    }

    /// A copy knows no 304: every condition that fails is a failed precondition.
    pub(super) fn check_copy(self, row: &ObjectRow) -> Result<(), Error> {
        self.check_with(row, Error::PreconditionFailed)
    }

    fn check_with(self, row: &ObjectRow, not_modified: Error) -> Result<(), Error> {
        // Dates on the wire have whole seconds.
        let modified = timestamp(row.modified_ms / 1000 * 1000);
        match (self.if_match, self.if_unmodified_since) {
            (Some(wanted), _) if !matched(wanted.clone()).holds(&row.etag) => {
                return Err(Error::PreconditionFailed);
            }
            (None, Some(since)) if modified > since => return Err(Error::PreconditionFailed),
            _ => {}
        }
        match (self.if_none_match, self.if_modified_since) {
            (Some(known), _) if matched(known.clone()).holds(&row.etag) => Err(not_modified),
            (None, Some(since)) if modified <= since => Err(not_modified),
            _ => Ok(()),
        }
    }
}

/// Everything that HEAD and GET say besides the bytes.
fn head_output(
    row: ObjectRow,
    range: Option<std::ops::Range<u64>>,
    part: Option<i32>,
    with_checksums: bool,
) -> HeadObjectOutput {
    // A checksum of the whole says nothing about a piece of it.
    let kind = checksum_type(&row).filter(|_| with_checksums && range.is_none());
    let checksums = if kind.is_some() { row.checksums } else { Checksums::default() };
    let length = range.as_ref().map_or(row.size, |r| r.end - r.start);
    let content_range = range.map(|r| match r.end {
        0 => format!("bytes */{}", row.size),
        end => format!("bytes {}-{}/{}", r.start, end - 1, row.size),
    });
    let attributes = row.attributes;
    HeadObjectOutput {
        accept_ranges: Some("bytes".into()),
        cache_control: attributes.cache_control,
        checksum_crc32: checksums.crc32,
        checksum_crc32c: checksums.crc32c,
        checksum_crc64nvme: checksums.crc64nvme,
        checksum_sha1: checksums.sha1,
        checksum_sha256: checksums.sha256,
        checksum_type: kind,
        content_disposition: attributes.content_disposition,
        content_encoding: attributes.content_encoding,
        content_language: attributes.content_language,
        content_length: i64::try_from(length).ok(),
        content_range,
        content_type: Some(attributes.content_type.unwrap_or_else(|| DEFAULT_TYPE.into())),
        e_tag: Some(ETag::Strong(row.etag)),
        expires: attributes.expires.and_then(|e| Timestamp::parse(TimestampFormat::HttpDate, &e).ok()),
        last_modified: Some(timestamp(row.modified_ms)),
        metadata: Some(attributes.metadata.into_iter().collect()),
        parts_count: part.filter(|_| row.multipart).and_then(|_| i32::try_from(row.segments.len()).ok()),
        storage_class: attributes.storage_class.map(StorageClass::from),
        website_redirect_location: attributes.website_redirect,
        ..Default::default()
    }
}

pub(super) fn checksum_type(row: &ObjectRow) -> Option<ChecksumType> {
    row.checksums.algorithms().next()?;
    let kind = if row.checksums.is_composite() { ChecksumType::COMPOSITE } else { ChecksumType::FULL_OBJECT };
    Some(ChecksumType::from_static(kind))
}

pub(super) fn algorithm_named(name: Option<&str>) -> Result<Option<Algorithm>, Error> {
    let Some(name) = name else { return Ok(None) };
    let known = Algorithm::from_name(name);
    known.map(Some).ok_or_else(|| Error::InvalidRequest("Checksum algorithm provided is unsupported.".into()))
}

pub(super) fn write_conditions(
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
) -> WriteConditions {
    WriteConditions { if_match: if_match.map(matched), if_none_match: if_none_match.map(matched) }
}

fn matched(condition: ETagCondition) -> Match {
    match condition {
        ETagCondition::Any => Match::Any,
        ETagCondition::ETag(etag) => Match::Etag(etag.into_value()),
    }
}

pub(super) fn copy_source(source: &CopySource) -> Result<(String, String), Error> {
    match source {
        CopySource::Bucket { bucket, key, version_id } => {
            check_version(version_id.as_deref(), key)?;
            Ok((bucket.to_string(), key.to_string()))
        }
        CopySource::AccessPoint { .. } | CopySource::Outpost { .. } => Err(Error::NotImplemented(
            "Copying from an access point is not implemented here: name the source as BUCKET/KEY.".into(),
        )),
    }
}

/// Objects have one version here, which S3 calls `null`.
fn check_version(version: Option<&str>, key: &str) -> Result<(), Error> {
    match version {
        None | Some("" | NULL_VERSION) => Ok(()),
        Some(_) => Err(Error::NoSuchVersion { key: key.to_owned() }),
    }
}

/// The checksums that follow the body, wherever the body was decoded.
pub(super) fn trailers(extensions: &http::Extensions, verified: Option<TrailingHeaders>) -> Option<Trailers> {
    if let Some(late) = extensions.get::<LateChecksums>().cloned() {
        return Some(Box::new(move || late.take()));
    }
    let verified = verified?;
    Some(Box::new(move || {
        let mut late = Checksums::default();
        let headers = verified.take().unwrap_or_default();
        for algorithm in Algorithm::ALL {
            if let Some(value) = headers.get(algorithm.header()).and_then(|v| v.to_str().ok()) {
                late.set(algorithm, value.to_owned());
            }
        }
        late
    }))
}

pub(super) fn body_stream(body: Option<StreamingBlob>) -> BodyStream {
    match body {
        Some(body) => Box::pin(body.map(|bytes| bytes.map_err(body_error))),
        None => Box::pin(futures::stream::empty()),
    }
}

/// Finds our own error among its wrappings, or sorts the library's by its text: its types are private.
fn body_error(error: StdError) -> Error {
    let error = match error.downcast::<Error>() {
        Ok(ours) => return *ours,
        Err(other) => other,
    };
    let text = error.to_string();
    if text.contains("Sha256Mismatch") {
        Error::ContentSha256Mismatch
    } else if text.contains("SignatureMismatch") {
        Error::ChunkSignatureMismatch
    } else if text.contains("Incomplete") || text.contains("LengthMismatch") {
        Error::IncompleteBody
    } else {
        Error::BadBody(text)
    }
}

pub(super) fn plain_encoding(encoding: Option<String>) -> Option<String> {
    // `aws-chunked` is how the body travelled, not what it is.
    let encoding = encoding?;
    let kept: Vec<&str> =
        encoding.split(',').map(str::trim).filter(|e| !e.is_empty() && *e != "aws-chunked").collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

pub(super) fn http_date(moment: &Timestamp) -> Option<String> {
    let mut text = Vec::new();
    moment.format(TimestampFormat::HttpDate, &mut text).ok()?;
    String::from_utf8(text).ok()
}

/// The storage class to remember: none for the standard one, as S3 does not name it either.
pub(super) fn stored_class(class: Option<StorageClass>) -> Result<Option<String>, Error> {
    const KNOWN: [&str; 8] = [
        StorageClass::DEEP_ARCHIVE,
        StorageClass::GLACIER,
        StorageClass::GLACIER_IR,
        StorageClass::INTELLIGENT_TIERING,
        StorageClass::ONEZONE_IA,
        StorageClass::REDUCED_REDUNDANCY,
        StorageClass::STANDARD,
        StorageClass::STANDARD_IA,
    ];
    match class.as_ref().map(StorageClass::as_str) {
        None | Some(StorageClass::STANDARD) => Ok(None),
        Some(known) if KNOWN.contains(&known) => Ok(Some(known.to_owned())),
        Some(_) => Err(Error::InvalidStorageClass),
    }
}

pub(super) fn checked_metadata(
    metadata: Option<Metadata>,
) -> Result<std::collections::BTreeMap<String, String>, Error> {
    let metadata = metadata.unwrap_or_default();
    let bytes: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > METADATA_BYTES_MAX {
        return Err(Error::MetadataTooLarge);
    }
    Ok(metadata.into_iter().collect())
}
