//! Multipart uploads.

use futures::TryStreamExt;
use s3s::dto::*;
use s3s::{S3Request, S3Response};

use super::object::{
    ReadConditions, algorithm_named, body_stream, checked_metadata, checksum_type, copy_source, http_date,
    plain_encoding, stored_class, trailers, write_conditions,
};
use super::{Protocol, owner, page_size, refuse, shown, tags, timestamp};
use crate::digest::{Algorithm, parse_md5};
use crate::endpoint::caller_of;
use crate::error::Error;
use crate::multipart::{Completion, NamedPart, UploadName, UploadQuery};
use crate::object::{PUT_BYTES_MAX, Upload};
use crate::rows::{Attributes, Checksums, PartRow, UploadRow};

type Answer<T> = Result<S3Response<T>, Error>;

pub(super) async fn begin(
    it: &Protocol,
    request: S3Request<CreateMultipartUploadInput>,
) -> Answer<CreateMultipartUploadOutput> {
    let input = request.input;
    refuse(input.sse_customer_algorithm.is_some(), "Encryption with customer keys (SSE-C)")?;
    refuse(input.object_lock_mode.is_some() || input.object_lock_legal_hold_status.is_some(), "Object Lock")?;
    let attributes = Attributes {
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
    };
    let algorithm = input.checksum_algorithm.as_ref().map(|a| a.as_str().to_owned());
    let known = algorithm_named(algorithm.as_deref())?;
    let kind = input.checksum_type.as_ref().map(|kind| kind.as_str().to_owned());
    let kind = match (known, kind.as_deref()) {
        (Some(Algorithm::Sha1 | Algorithm::Sha256), Some(ChecksumType::FULL_OBJECT)) => {
            return Err(Error::InvalidRequest(
                "The FULL_OBJECT checksum type cannot be used with the sha1 or sha256 checksum algorithm."
                    .into(),
            ));
        }
        (Some(Algorithm::Crc64Nvme), Some(ChecksumType::COMPOSITE)) => {
            return Err(Error::InvalidRequest(
                "The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.".into(),
            ));
        }
        (Some(Algorithm::Crc64Nvme), None) => Some(ChecksumType::FULL_OBJECT.to_owned()),
        (Some(_), None) => Some(ChecksumType::COMPOSITE.to_owned()),
        _ => kind,
    };
    let row = UploadRow::begin(attributes, known.map(|a| a.name().to_owned()), kind.clone());
    let name = it.store.begin_upload(&input.bucket, &input.key, row).await?;
    Ok(S3Response::new(CreateMultipartUploadOutput {
        bucket: Some(name.bucket),
        key: Some(name.key),
        upload_id: Some(name.upload_id),
        checksum_algorithm: known.map(|a| ChecksumAlgorithm::from_static(a.name())),
        checksum_type: kind.map(ChecksumType::from),
        ..Default::default()
    }))
}

pub(super) async fn put_part(it: &Protocol, request: S3Request<UploadPartInput>) -> Answer<UploadPartOutput> {
    let trailers = trailers(&request.extensions, request.trailing_headers.clone());
    let input = request.input;
    let algorithm = input.checksum_algorithm.as_ref().map(|a| a.as_str().to_owned());
    let upload = Upload {
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
    };
    let name = UploadName { bucket: input.bucket, key: input.key, upload_id: input.upload_id };
    let row = it.store.put_part(name, input.part_number, upload).await?;
    Ok(S3Response::new(UploadPartOutput {
        checksum_crc32: row.checksums.crc32,
        checksum_crc32c: row.checksums.crc32c,
        checksum_crc64nvme: row.checksums.crc64nvme,
        checksum_sha1: row.checksums.sha1,
        checksum_sha256: row.checksums.sha256,
        e_tag: Some(ETag::Strong(row.etag)),
        ..Default::default()
    }))
}

pub(super) async fn copy_part(
    it: &Protocol,
    request: S3Request<UploadPartCopyInput>,
) -> Answer<UploadPartCopyOutput> {
    let input = request.input;
    let (from_bucket, from_key) = copy_source(&input.copy_source)?;
    let (source, pin) = it.store.open(&from_bucket, &from_key)?;
    ReadConditions {
        if_match: input.copy_source_if_match,
        if_none_match: input.copy_source_if_none_match,
        if_modified_since: input.copy_source_if_modified_since,
        if_unmodified_since: input.copy_source_if_unmodified_since,
    }
    .check_copy(&source)?;
    let range = match input.copy_source_range.as_deref() {
        None => 0..source.size,
        Some(text) => match Range::parse(text) {
            Ok(Range::Int { first, last: Some(last) }) if last < source.size => first..last + 1,
            _ => {
                return Err(Error::InvalidArgument(format!(
                    "Range specified is not valid for source object of size: {}",
                    source.size
                )));
            }
        },
    };
    let length = range.end - range.start;
    if length > PUT_BYTES_MAX {
        return Err(Error::EntityTooLarge);
    }
    let upload = Upload {
        body: Box::pin(it.store.blobs.read(&source.segments, range, pin).map_err(Error::Disk)),
        length: Some(length),
        md5: None,
        checksums: Checksums::default(),
        algorithm: None,
        trailers: None,
    };
    let name = UploadName { bucket: input.bucket, key: input.key, upload_id: input.upload_id };
    let row = it.store.put_part(name, input.part_number, upload).await?;
    let result = CopyPartResult {
        checksum_crc32: row.checksums.crc32,
        checksum_crc32c: row.checksums.crc32c,
        checksum_crc64nvme: row.checksums.crc64nvme,
        checksum_sha1: row.checksums.sha1,
        checksum_sha256: row.checksums.sha256,
        e_tag: Some(ETag::Strong(row.etag)),
        last_modified: Some(timestamp(row.modified_ms)),
    };
    Ok(S3Response::new(UploadPartCopyOutput { copy_part_result: Some(result), ..Default::default() }))
}

pub(super) async fn complete(
    it: &Protocol,
    request: S3Request<CompleteMultipartUploadInput>,
) -> Answer<CompleteMultipartUploadOutput> {
    let caller = caller_of(&request.extensions)?;
    let input = request.input;
    let named = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
    if named.is_empty() {
        return Err(Error::MalformedXml);
    }
    let part = |part: CompletedPart| NamedPart {
        number: part.part_number.unwrap_or_default(),
        etag: part.e_tag.map(ETag::into_value),
        checksums: Checksums {
            crc32: part.checksum_crc32,
            crc32c: part.checksum_crc32c,
            crc64nvme: part.checksum_crc64nvme,
            sha1: part.checksum_sha1,
            sha256: part.checksum_sha256,
        },
    };
    let location = format!("/{}/{}", input.bucket, input.key);
    let (bucket, key) = (input.bucket.clone(), input.key.clone());
    let completion = Completion {
        upload: UploadName { bucket: input.bucket, key: input.key, upload_id: input.upload_id },
        parts: named.into_iter().map(part).collect(),
        checksums: Checksums {
            crc32: input.checksum_crc32,
            crc32c: input.checksum_crc32c,
            crc64nvme: input.checksum_crc64nvme,
            sha1: input.checksum_sha1,
            sha256: input.checksum_sha256,
        },
        size: input.mpu_object_size.and_then(|size| u64::try_from(size).ok()),
        conditions: write_conditions(input.if_match, input.if_none_match),
        caller,
    };
    let row = it.store.complete_upload(completion).await?;
    Ok(S3Response::new(CompleteMultipartUploadOutput {
        bucket: Some(bucket),
        key: Some(key),
        location: Some(location),
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

pub(super) async fn abort(
    it: &Protocol,
    request: S3Request<AbortMultipartUploadInput>,
) -> Answer<AbortMultipartUploadOutput> {
    let AbortMultipartUploadInput { bucket, key, upload_id, .. } = request.input;
    it.store.bucket(&bucket)?;
    it.store.abort_upload(UploadName { bucket, key, upload_id }).await?;
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}

pub(super) async fn parts(it: &Protocol, request: S3Request<ListPartsInput>) -> Answer<ListPartsOutput> {
    let ListPartsInput { bucket, key, upload_id, max_parts, part_number_marker, .. } = request.input;
    let max = page_size(max_parts, "max-parts")?;
    let name = UploadName { bucket, key, upload_id };
    let upload = it.store.upload(&name)?;
    let after = part_number_marker.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    let (found, more) = it.store.parts(&name, after, max)?;
    let last = found.last().and_then(|(number, _)| i32::try_from(*number).ok());
    let part = |(number, row): (u32, PartRow)| Part {
        part_number: i32::try_from(number).ok(),
        size: i64::try_from(row.segment.size).ok(),
        e_tag: Some(ETag::Strong(row.etag)),
        last_modified: Some(timestamp(row.modified_ms)),
        checksum_crc32: row.checksums.crc32,
        checksum_crc32c: row.checksums.crc32c,
        checksum_crc64nvme: row.checksums.crc64nvme,
        checksum_sha1: row.checksums.sha1,
        checksum_sha256: row.checksums.sha256,
    };
    Ok(S3Response::new(ListPartsOutput {
        parts: Some(found.into_iter().map(part).collect()),
        is_truncated: Some(more),
        next_part_number_marker: last,
        part_number_marker: Some(part_number_marker.unwrap_or(0)),
        max_parts: i32::try_from(max).ok(),
        initiator: Some(Initiator { display_name: None, id: Some(it.account.clone()) }),
        owner: Some(owner(&it.account)),
        storage_class: Some(StorageClass::from(
            upload.attributes.storage_class.unwrap_or_else(|| StorageClass::STANDARD.to_owned()),
        )),
        checksum_algorithm: upload.checksum_algorithm.map(ChecksumAlgorithm::from),
        checksum_type: upload.checksum_type.map(ChecksumType::from),
        bucket: Some(name.bucket),
        key: Some(name.key),
        upload_id: Some(name.upload_id),
        ..Default::default()
    }))
}

pub(super) async fn uploads(
    it: &Protocol,
    request: S3Request<ListMultipartUploadsInput>,
) -> Answer<ListMultipartUploadsOutput> {
    let input = request.input;
    let encoding = input.encoding_type.as_ref();
    let max = page_size(input.max_uploads, "max-uploads")?;
    let query = UploadQuery {
        bucket: input.bucket.clone(),
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.clone(),
        key_marker: input.key_marker.clone(),
        upload_id_marker: input.upload_id_marker.clone(),
        max,
    };
    let page = it.store.uploads(&query)?;
    let upload = |(name, row): (UploadName, UploadRow)| MultipartUpload {
        key: Some(shown(&name.key, encoding)),
        upload_id: Some(name.upload_id),
        initiated: Some(timestamp(row.begun_ms)),
        initiator: Some(Initiator { display_name: None, id: Some(it.account.clone()) }),
        owner: Some(owner(&it.account)),
        storage_class: Some(StorageClass::from(
            row.attributes.storage_class.unwrap_or_else(|| StorageClass::STANDARD.to_owned()),
        )),
        checksum_algorithm: row.checksum_algorithm.map(ChecksumAlgorithm::from),
        checksum_type: row.checksum_type.map(ChecksumType::from),
    };
    let show = |text: &String| shown(text, encoding);
    let prefix = |prefix: &String| CommonPrefix { prefix: Some(show(prefix)) };
    Ok(S3Response::new(ListMultipartUploadsOutput {
        common_prefixes: Some(page.prefixes.iter().map(prefix).collect()),
        uploads: Some(page.uploads.into_iter().map(upload).collect()),
        is_truncated: Some(page.next.is_some()),
        next_key_marker: page.next.as_ref().map(|(key, _)| show(key)),
        next_upload_id_marker: page.next.map(|(_, id)| id),
        max_uploads: i32::try_from(max).ok(),
        prefix: input.prefix.as_ref().map(show),
        delimiter: input.delimiter.as_ref().map(show),
        key_marker: input.key_marker.as_ref().map(show),
        upload_id_marker: input.upload_id_marker,
        encoding_type: input.encoding_type,
        bucket: Some(input.bucket),
        request_charged: None,
    }))
}
