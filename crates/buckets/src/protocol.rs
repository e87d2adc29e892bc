//! S3's operations as our protocol library spells them: typed input in, typed output or error out.
//!
//! This file is the list of what we speak; operations that are absent answer `NotImplemented`. Each group translates in a
//! file of its own between S3's types and the store's, and decides nothing that the store could.

mod bucket;
mod list;
mod multipart;
mod object;
mod tags;

use std::sync::Arc;

use s3s::dto::*;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use crate::error::Error;
use crate::store::Inner;

/// The store behind S3's operations.
pub(crate) struct Protocol {
    pub store: Arc<Inner>,
    pub region: String,
    pub account: String,
}

type Answer<T> = S3Result<S3Response<T>>;

/// The operations and where they are.
macro_rules! operations {
    ($($operation:ident($input:ty) -> $output:ty = $place:ident::$function:ident;)*) => {
        #[async_trait::async_trait]
        impl S3 for Protocol {
            $(
                async fn $operation(&self, request: S3Request<$input>) -> Answer<$output> {
                    let answer = $place::$function(self, request).await;
                    answer.map_err(s3_error)
                }
            )*
        }
    };
}

operations! {
    list_buckets(ListBucketsInput) -> ListBucketsOutput = bucket::list;
    create_bucket(CreateBucketInput) -> CreateBucketOutput = bucket::create;
    head_bucket(HeadBucketInput) -> HeadBucketOutput = bucket::head;
    delete_bucket(DeleteBucketInput) -> DeleteBucketOutput = bucket::delete;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput = bucket::location;
    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput = bucket::versioning;
    get_bucket_notification_configuration(GetBucketNotificationConfigurationInput)
        -> GetBucketNotificationConfigurationOutput = bucket::notification;
    put_bucket_notification_configuration(PutBucketNotificationConfigurationInput)
        -> PutBucketNotificationConfigurationOutput = bucket::set_notification;

    put_object(PutObjectInput) -> PutObjectOutput = object::put;
    get_object(GetObjectInput) -> GetObjectOutput = object::get;
    head_object(HeadObjectInput) -> HeadObjectOutput = object::head;
    get_object_attributes(GetObjectAttributesInput) -> GetObjectAttributesOutput = object::attributes;
    copy_object(CopyObjectInput) -> CopyObjectOutput = object::copy;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput = object::delete;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput = object::delete_many;

    list_objects(ListObjectsInput) -> ListObjectsOutput = list::v1;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output = list::v2;

    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput = multipart::begin;
    upload_part(UploadPartInput) -> UploadPartOutput = multipart::put_part;
    upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput = multipart::copy_part;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput = multipart::complete;
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput = multipart::abort;
    list_parts(ListPartsInput) -> ListPartsOutput = multipart::parts;
    list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput = multipart::uploads;

    get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput = tags::of_object;
    put_object_tagging(PutObjectTaggingInput) -> PutObjectTaggingOutput = tags::set_of_object;
    delete_object_tagging(DeleteObjectTaggingInput) -> DeleteObjectTaggingOutput = tags::delete_of_object;
    get_bucket_tagging(GetBucketTaggingInput) -> GetBucketTaggingOutput = tags::of_bucket;
    put_bucket_tagging(PutBucketTaggingInput) -> PutBucketTaggingOutput = tags::set_of_bucket;
    delete_bucket_tagging(DeleteBucketTaggingInput) -> DeleteBucketTaggingOutput = tags::delete_of_bucket;
}

/// Our error in S3's words.
pub(crate) fn s3_error(error: Error) -> S3Error {
    let (code, status) = error.code();
    if error.is_ours() {
        tracing::error!(%error, "an S3 request failed");
    }
    let code = S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::InternalError);
    let mut refused = S3Error::with_message(code, error.to_string());
    if let Ok(status) = http::StatusCode::from_u16(status) {
        refused.set_status_code(status);
    }
    if let Error::NotModified { etag, modified_ms } = &error {
        let mut headers = http::HeaderMap::new();
        if let Ok(etag) = ETag::Strong(etag.clone()).to_http_header() {
            headers.insert(http::header::ETAG, etag);
        }
        let mut date = Vec::new();
        let formatted = timestamp(*modified_ms).format(TimestampFormat::HttpDate, &mut date);
        if let (Ok(()), Ok(date)) = (formatted, http::HeaderValue::from_bytes(&date)) {
            headers.insert(http::header::LAST_MODIFIED, date);
        }
        refused.set_headers(headers);
    }
    refused
}

/// Refuses what would silently be ignored otherwise.
fn refuse(asked: bool, what: &str) -> Result<(), Error> {
    if asked {
        return Err(Error::NotImplemented(format!(
            "{what} is not implemented here: leave it out of the request."
        )));
    }
    Ok(())
}

fn timestamp(ms: u64) -> Timestamp {
    (std::time::UNIX_EPOCH + std::time::Duration::from_millis(ms)).into()
}

fn owner(account: &str) -> Owner {
    Owner { display_name: None, id: Some(account.to_owned()) }
}

/// Percent-encodes a key for a listing with `encoding-type=url`.
fn shown(key: &str, encoding: Option<&EncodingType>) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const PLAIN: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/');
    match encoding {
        Some(encoding) if encoding.as_str() == EncodingType::URL => {
            utf8_percent_encode(key, PLAIN).to_string()
        }
        _ => key.to_owned(),
    }
}

/// A page size as S3 reads it: at most 1000, which is also the default.
fn page_size(asked: Option<i32>, name: &str) -> Result<usize, Error> {
    let Some(asked) = asked else { return Ok(crate::listing::PAGE_MAX) };
    let size = usize::try_from(asked);
    let size = size.map_err(|_| {
        Error::InvalidArgument(format!("Argument {name} must be an integer between 0 and 2147483647"))
    })?;
    Ok(size.min(crate::listing::PAGE_MAX))
}
