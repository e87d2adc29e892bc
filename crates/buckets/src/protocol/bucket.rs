//! Operations on a bucket as a whole.

use s3s::dto::*;
use s3s::{S3Request, S3Response};

use super::{Protocol, owner, refuse, timestamp};
use crate::error::Error;
use crate::rows::BucketRow;

/// The region that S3 reports as "no location".
const CLASSIC_REGION: &str = "us-east-1";
const BUCKETS_PAGE_MAX: usize = 10_000;

type Answer<T> = Result<S3Response<T>, Error>;

pub(super) async fn list(it: &Protocol, request: S3Request<ListBucketsInput>) -> Answer<ListBucketsOutput> {
    let ListBucketsInput { prefix, continuation_token, max_buckets, .. } = request.input;
    let max = max_buckets.and_then(|m| usize::try_from(m).ok()).unwrap_or(BUCKETS_PAGE_MAX);
    let after = continuation_token.as_deref().unwrap_or_default();
    let wanted = prefix.as_deref().unwrap_or_default();
    let rows = it.store.buckets()?;
    let mut rows = rows.into_iter().filter(|(name, _)| name.as_str() > after && name.starts_with(wanted));
    let page: Vec<(String, BucketRow)> = rows.by_ref().take(max).collect();
    let continuation_token = rows.next().and_then(|_| page.last()).map(|(name, _)| name.clone());
    let bucket = |(name, row): (String, BucketRow)| Bucket {
        bucket_region: Some(row.location.unwrap_or_else(|| it.region.clone())),
        creation_date: Some(timestamp(row.created_ms)),
        name: Some(name),
    };
    Ok(S3Response::new(ListBucketsOutput {
        buckets: Some(page.into_iter().map(bucket).collect()),
        continuation_token,
        owner: Some(owner(&it.account)),
        prefix,
    }))
}

pub(super) async fn create(
    it: &Protocol,
    request: S3Request<CreateBucketInput>,
) -> Answer<CreateBucketOutput> {
    let CreateBucketInput { bucket, create_bucket_configuration, object_lock_enabled_for_bucket, .. } =
        request.input;
    refuse(object_lock_enabled_for_bucket == Some(true), "Object Lock")?;
    let asked = create_bucket_configuration.and_then(|c| c.location_constraint);
    let location = asked.map(|c| c.as_str().to_owned());
    let location = location.or_else(|| (it.region != CLASSIC_REGION).then(|| it.region.clone()));
    match it.store.create_bucket(&bucket, location).await {
        // AWS's oldest region answers one's own bucket with success; scripts count on it.
        Err(Error::BucketAlreadyOwnedByYou { .. }) if it.region == CLASSIC_REGION => {}
        outcome => outcome?,
    }
    Ok(S3Response::new(CreateBucketOutput { location: Some(format!("/{bucket}")) }))
}

pub(super) async fn head(it: &Protocol, request: S3Request<HeadBucketInput>) -> Answer<HeadBucketOutput> {
    let row = it.store.bucket(&request.input.bucket)?;
    let region = row.location.unwrap_or_else(|| it.region.clone());
    Ok(S3Response::new(HeadBucketOutput { bucket_region: Some(region), ..Default::default() }))
}

pub(super) async fn delete(
    it: &Protocol,
    request: S3Request<DeleteBucketInput>,
) -> Answer<DeleteBucketOutput> {
    it.store.delete_bucket(&request.input.bucket).await?;
    // s3s answers 204 on its own.
    Ok(S3Response::new(DeleteBucketOutput {}))
}

pub(super) async fn location(
    it: &Protocol,
    request: S3Request<GetBucketLocationInput>,
) -> Answer<GetBucketLocationOutput> {
    let row = it.store.bucket(&request.input.bucket)?;
    let location = row.location.filter(|region| region != CLASSIC_REGION);
    let location_constraint = location.map(BucketLocationConstraint::from);
    Ok(S3Response::new(GetBucketLocationOutput { location_constraint }))
}

pub(super) async fn versioning(
    it: &Protocol,
    request: S3Request<GetBucketVersioningInput>,
) -> Answer<GetBucketVersioningOutput> {
    it.store.bucket(&request.input.bucket)?;
    // An empty answer says that versioning was never switched on.
    Ok(S3Response::new(GetBucketVersioningOutput::default()))
}

pub(super) async fn notification(
    it: &Protocol,
    request: S3Request<GetBucketNotificationConfigurationInput>,
) -> Answer<GetBucketNotificationConfigurationOutput> {
    let row = it.store.bucket(&request.input.bucket)?;
    Ok(S3Response::new(GetBucketNotificationConfigurationOutput {
        event_bridge_configuration: row.event_bridge.then(EventBridgeConfiguration::default),
        ..Default::default()
    }))
}

pub(super) async fn set_notification(
    it: &Protocol,
    request: S3Request<PutBucketNotificationConfigurationInput>,
) -> Answer<PutBucketNotificationConfigurationOutput> {
    let PutBucketNotificationConfigurationInput { bucket, notification_configuration: wanted, .. } =
        request.input;
    let others = [
        (
            "LambdaFunctionConfigurations",
            wanted.lambda_function_configurations.is_some_and(|l| !l.is_empty()),
        ),
        ("QueueConfigurations", wanted.queue_configurations.is_some_and(|l| !l.is_empty())),
        ("TopicConfigurations", wanted.topic_configurations.is_some_and(|l| !l.is_empty())),
    ];
    for (kind, asked) in others {
        if asked {
            return Err(Error::NotImplemented(format!(
                "{kind} is not implemented here: use EventBridgeConfiguration and a rule (PutRule, PutTargets) with the \
                 pattern {{\"source\": [\"aws.s3\"]}} instead."
            )));
        }
    }
    let on = wanted.event_bridge_configuration.is_some();
    it.store.change_bucket(&bucket, move |row| row.event_bridge = on).await?;
    Ok(S3Response::new(PutBucketNotificationConfigurationOutput {}))
}
