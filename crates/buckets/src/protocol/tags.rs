//! Tags of objects and buckets.

use s3s::dto::*;
use s3s::{S3Request, S3Response};

use super::Protocol;
use crate::error::Error;
use crate::rows::Tags;

/// S3's limits.
const OBJECT_TAGS_MAX: usize = 10;
const BUCKET_TAGS_MAX: usize = 50;
const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;

type Answer<T> = Result<S3Response<T>, Error>;

pub(super) async fn of_object(
    it: &Protocol,
    request: S3Request<GetObjectTaggingInput>,
) -> Answer<GetObjectTaggingOutput> {
    let row = it.store.object(&request.input.bucket, &request.input.key)?;
    Ok(S3Response::new(GetObjectTaggingOutput { tag_set: tag_set(row.attributes.tags), version_id: None }))
}

pub(super) async fn set_of_object(
    it: &Protocol,
    request: S3Request<PutObjectTaggingInput>,
) -> Answer<PutObjectTaggingOutput> {
    let PutObjectTaggingInput { bucket, key, tagging, .. } = request.input;
    let tags = checked(pairs(tagging.tag_set), OBJECT_TAGS_MAX)?;
    it.store.set_tags(&bucket, &key, tags).await?;
    Ok(S3Response::new(PutObjectTaggingOutput::default()))
}

pub(super) async fn delete_of_object(
    it: &Protocol,
    request: S3Request<DeleteObjectTaggingInput>,
) -> Answer<DeleteObjectTaggingOutput> {
    it.store.set_tags(&request.input.bucket, &request.input.key, Tags::new()).await?;
    Ok(S3Response::new(DeleteObjectTaggingOutput::default()))
}

pub(super) async fn of_bucket(
    it: &Protocol,
    request: S3Request<GetBucketTaggingInput>,
) -> Answer<GetBucketTaggingOutput> {
    let tags = it.store.bucket(&request.input.bucket)?.tags.ok_or(Error::NoSuchTagSet)?;
    Ok(S3Response::new(GetBucketTaggingOutput { tag_set: tag_set(tags) }))
}

pub(super) async fn set_of_bucket(
    it: &Protocol,
    request: S3Request<PutBucketTaggingInput>,
) -> Answer<PutBucketTaggingOutput> {
    let tags = checked(pairs(request.input.tagging.tag_set), BUCKET_TAGS_MAX)?;
    it.store.set_bucket_tags(&request.input.bucket, Some(tags)).await?;
    Ok(S3Response::new(PutBucketTaggingOutput {}))
}

pub(super) async fn delete_of_bucket(
    it: &Protocol,
    request: S3Request<DeleteBucketTaggingInput>,
) -> Answer<DeleteBucketTaggingOutput> {
    it.store.set_bucket_tags(&request.input.bucket, None).await?;
    Ok(S3Response::new(DeleteBucketTaggingOutput {}))
}

/// The `x-amz-tagging` header: `name=value&…`, URL-encoded.
pub(super) fn from_header(header: Option<&str>) -> Result<Tags, Error> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        let decoded = percent_encoding::percent_decode_str(&text).decode_utf8().map(|t| t.into_owned());
        decoded.map_err(|_| Error::InvalidTag("The x-amz-tagging header is not URL-encoded UTF-8.".into()))
    };
    let given = header.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let tags = given.map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        Ok((decode(key)?, decode(value)?))
    });
    checked(tags.collect::<Result<_, Error>>()?, OBJECT_TAGS_MAX)
}

fn pairs(tags: TagSet) -> Tags {
    tags.into_iter().map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default())).collect()
}

fn tag_set(tags: Tags) -> TagSet {
    tags.into_iter().map(|(key, value)| Tag { key: Some(key), value: Some(value) }).collect()
}

fn checked(tags: Tags, max: usize) -> Result<Tags, Error> {
    if tags.len() > max {
        return Err(Error::InvalidTag(format!("There can be at most {max} tags.")));
    }
    for (at, (key, value)) in tags.iter().enumerate() {
        if key.is_empty() || key.chars().count() > KEY_CHARS_MAX {
            return Err(Error::InvalidTag("The TagKey you have provided is invalid".into()));
        }
        if value.chars().count() > VALUE_CHARS_MAX {
            return Err(Error::InvalidTag("The TagValue you have provided is invalid".into()));
        }
        if tags.iter().take(at).any(|(earlier, _)| earlier == key) {
            return Err(Error::InvalidTag("Cannot provide multiple Tags with the same key".into()));
        }
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_a_query_string() {
        let tags = from_header(Some("a=1&b+c=%C3%BC&d")).unwrap();
        let expected = [("a", "1"), ("b c", "ü"), ("d", "")];
        assert_eq!(tags, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert!(from_header(None).unwrap().is_empty());
        for refused in ["a=1&a=2", "=x", "a=%FF"] {
            assert!(matches!(from_header(Some(refused)), Err(Error::InvalidTag(_))), "{refused}");
        }
    }
}
