//! ListObjects in both versions: one query of the store, two shapes of answer.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as TOKEN;
use s3s::dto::*;
use s3s::{S3Request, S3Response};

use super::{Protocol, owner, page_size, shown, timestamp};
use crate::error::Error;
use crate::listing::{Page, Query};
use crate::rows::{Checksums, ObjectRow};

type Answer<T> = Result<S3Response<T>, Error>;

pub(super) async fn v1(it: &Protocol, request: S3Request<ListObjectsInput>) -> Answer<ListObjectsOutput> {
    let ListObjectsInput { bucket, prefix, delimiter, marker, max_keys, encoding_type, .. } = request.input;
    let max = page_size(max_keys, "max-keys")?;
    let query = Query {
        bucket: bucket.clone(),
        prefix: prefix.clone().unwrap_or_default(),
        delimiter: delimiter.clone(),
        after: marker.clone().filter(|m| !m.is_empty()),
        max,
    };
    let page = run(it, query).await?;
    let encoding = encoding_type.as_ref();
    let show = |text: &String| shown(text, encoding);
    let next = page.next.as_ref().map(show);
    let (contents, common_prefixes) = items(it, &page, encoding, true);
    Ok(S3Response::new(ListObjectsOutput {
        name: Some(bucket),
        prefix: Some(prefix.as_ref().map(show).unwrap_or_default()),
        marker: Some(marker.as_ref().map(show).unwrap_or_default()),
        max_keys: i32::try_from(max).ok(),
        is_truncated: Some(next.is_some()),
        contents: Some(contents),
        common_prefixes: Some(common_prefixes),
        // Only a rolled-up listing names its marker; otherwise it is the last key.
        next_marker: next.filter(|_| delimiter.is_some()),
        delimiter: delimiter.as_ref().map(show),
        encoding_type,
        request_charged: None,
    }))
}

pub(super) async fn v2(it: &Protocol, request: S3Request<ListObjectsV2Input>) -> Answer<ListObjectsV2Output> {
    let ListObjectsV2Input {
        bucket,
        prefix,
        delimiter,
        start_after,
        continuation_token,
        max_keys,
        encoding_type,
        fetch_owner,
        ..
    } = request.input;
    let max = page_size(max_keys, "max-keys")?;
    let after = match &continuation_token {
        Some(token) => Some(token_key(token)?),
        None => start_after.clone().filter(|key| !key.is_empty()),
    };
    let prefix_text = prefix.clone().unwrap_or_default();
    let query =
        Query { bucket: bucket.clone(), prefix: prefix_text, delimiter: delimiter.clone(), after, max };
    let page = run(it, query).await?;
    let encoding = encoding_type.as_ref();
    let show = |text: &String| shown(text, encoding);
    let (contents, common_prefixes) = items(it, &page, encoding, fetch_owner == Some(true));
    Ok(S3Response::new(ListObjectsV2Output {
        name: Some(bucket),
        prefix: Some(prefix.as_ref().map(show).unwrap_or_default()),
        max_keys: i32::try_from(max).ok(),
        key_count: i32::try_from(contents.len() + common_prefixes.len()).ok(),
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.map(|key| TOKEN.encode(key)),
        continuation_token,
        contents: Some(contents),
        common_prefixes: Some(common_prefixes),
        delimiter: delimiter.as_ref().map(show),
        start_after: start_after.as_ref().map(show),
        encoding_type,
        request_charged: None,
    }))
}

/// Reads the index off the event loop: a page can cost a thousand rows.
async fn run(it: &Protocol, query: Query) -> Result<Page, Error> {
    let store = std::sync::Arc::clone(&it.store);
    let listed = tokio::task::spawn_blocking(move || store.list(&query)).await;
    listed.map_err(|e| Error::Index(format!("a listing ended early: {e}")))?
}

fn token_key(token: &str) -> Result<String, Error> {
    let key = TOKEN.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    key.ok_or_else(|| Error::InvalidArgument("The continuation token provided is incorrect".into()))
}

fn items(
    it: &Protocol,
    page: &Page,
    encoding: Option<&EncodingType>,
    with_owner: bool,
) -> (ObjectList, CommonPrefixList) {
    let object = |(key, row): &(String, ObjectRow)| Object {
        key: Some(shown(key, encoding)),
        size: i64::try_from(row.size).ok(),
        e_tag: Some(ETag::Strong(row.etag.clone())),
        last_modified: Some(timestamp(row.modified_ms)),
        owner: with_owner.then(|| owner(&it.account)),
        storage_class: Some(ObjectStorageClass::from(storage_class(row))),
        checksum_algorithm: algorithms(&row.checksums),
        checksum_type: super::object::checksum_type(row),
        restore_status: None,
    };
    let prefix = |prefix: &String| CommonPrefix { prefix: Some(shown(prefix, encoding)) };
    (page.objects.iter().map(object).collect(), page.prefixes.iter().map(prefix).collect())
}

fn storage_class(row: &ObjectRow) -> String {
    row.attributes.storage_class.clone().unwrap_or_else(|| ObjectStorageClass::STANDARD.to_owned())
}

fn algorithms(checksums: &Checksums) -> Option<ChecksumAlgorithmList> {
    let list: ChecksumAlgorithmList =
        checksums.algorithms().map(|a| ChecksumAlgorithm::from_static(a.name())).collect();
    (!list.is_empty()).then_some(list)
}
