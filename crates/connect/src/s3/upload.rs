//! An object in the making: in one request when it is small, in parts when it is not.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use reqwest::Method;
use rusty_s3::S3Action;
use rusty_s3::actions::{CreateMultipartUpload, UploadPart};

use super::client::{Client, told};
use crate::BoxFuture;
use crate::datasets::Upload;

/// Bytes of a part. Ten thousand of them, which is the most, are more than the largest file of results.
const PART_BYTES: usize = 8 * 1024 * 1024;
const SIGNED_FOR: std::time::Duration = std::time::Duration::from_secs(900);

pub(super) struct S3Upload {
    client: Arc<Client>,
    bucket: String,
    key: String,
    content_type: &'static str,
    buffer: BytesMut,
    size: u64,
    /// The id of the upload and the ETags of its parts, once there is more than one request.
    parts: Option<(String, Vec<String>)>,
}

impl S3Upload {
    pub(super) fn new(client: Arc<Client>, bucket: &str, key: &str, content_type: &'static str) -> Self {
        S3Upload {
            client,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            content_type,
            buffer: BytesMut::new(),
            size: 0,
            parts: None,
        }
    }

    fn headers(&self) -> [(&'static str, String); 1] {
        [("content-type", self.content_type.to_owned())]
    }

    /// Sends what was gathered as one more part.
    async fn part(&mut self, part: Bytes) -> Result<(), String> {
        let bucket = self.client.bucket(&self.bucket)?;
        if self.parts.is_none() {
            let create = CreateMultipartUpload::new(&bucket, self.client.credentials(), &self.key);
            let url = create.sign(SIGNED_FOR);
            let response = self.client.send(Method::POST, url, &self.headers(), None).await?;
            let text = response.text().await.map_err(|error| told(&error))?;
            let created = CreateMultipartUpload::parse_response(&text)
                .map_err(|error| format!("The store's answer cannot be read: {error}"))?;
            self.parts = Some((created.upload_id().to_owned(), Vec::new()));
        }
        let Some((id, etags)) = &mut self.parts else { return Ok(()) };
        let number =
            u16::try_from(etags.len() + 1).map_err(|_| "The object has too many parts".to_owned())?;
        let url = UploadPart::new(&bucket, self.client.credentials(), &self.key, number, id).sign(SIGNED_FOR);
        let response = self.client.send(Method::PUT, url, &[], Some(part)).await?;
        let etag = response.headers().get("etag").and_then(|etag| etag.to_str().ok());
        etags.push(etag.ok_or("The store gave no ETag for a part")?.to_owned());
        Ok(())
    }

    async fn complete(mut self) -> Result<u64, String> {
        let last = std::mem::take(&mut self.buffer).freeze();
        if self.parts.is_some() && !last.is_empty() {
            self.part(last.clone()).await?;
        }
        let bucket = self.client.bucket(&self.bucket)?;
        match &self.parts {
            None => {
                let url = bucket.put_object(self.client.credentials(), &self.key).sign(SIGNED_FOR);
                self.client.send(Method::PUT, url, &self.headers(), Some(last)).await?;
            }
            Some((id, etags)) => {
                let etags = etags.iter().map(String::as_str);
                let complete =
                    bucket.complete_multipart_upload(self.client.credentials(), &self.key, id, etags);
                let url = complete.sign(SIGNED_FOR);
                let response = self.client.send(Method::POST, url, &[], Some(complete.body().into())).await?;
                // This request can fail with status 200, as its answer begins before it is done.
                let text = response.text().await.map_err(|error| told(&error))?;
                if text.contains("<Error>") {
                    return Err(format!("The store could not put the parts together: {text}"));
                }
            }
        }
        Ok(self.size)
    }
}

impl Upload for S3Upload {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            self.size += bytes.len() as u64;
            self.buffer.extend_from_slice(&bytes);
            if self.buffer.len() >= PART_BYTES {
                let part = self.buffer.split().freeze();
                self.part(part).await?;
            }
            Ok(())
        })
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<u64, String>> {
        Box::pin(self.complete())
    }
}
