//! The rows of the index, as they are written: JSON, so that a later version can add a member and still read these.
//!
//! A row holds everything about its thing except the bytes of an object, which live in blob files that the row names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A bucket: its settings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct BucketRow {
    pub created_ms: u64,
    /// What CreateBucket asked for; `None` is us-east-1, as S3 reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Whether object changes become events (PutBucketNotificationConfiguration).
    #[serde(default)]
    pub event_bridge: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
}

/// Tags in the order given.
pub(crate) type Tags = Vec<(String, String)>;

/// An object: where its bytes are, and everything that a HEAD answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ObjectRow {
    /// The write that made it: grows with every change of the store, so it tells two versions of a key apart.
    pub sequence: u64,
    pub segments: Vec<Segment>,
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    pub modified_ms: u64,
    /// Whether it was uploaded in parts: then each segment is a part.
    #[serde(default)]
    pub multipart: bool,
    #[serde(default)]
    pub checksums: Checksums,
    #[serde(default)]
    pub attributes: Attributes,
}

/// A run of an object's bytes: one blob file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Segment {
    pub blob: String,
    pub size: u64,
}

/// Base64 checksums by algorithm; a multipart one of type `COMPOSITE` ends in `-N`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Checksums {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc32: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc32c: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc64nvme: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha1: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// What the writer said about an object, returned as given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Attributes {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// An HTTP date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub website_redirect: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// The `x-amz-meta-…` pairs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Tags,
}

/// A multipart upload that is neither completed nor aborted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UploadRow {
    pub begun_ms: u64,
    pub attributes: Attributes,
    /// `CRC32`, …: what the client will send with each part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum_algorithm: Option<String>,
    /// `COMPOSITE` or `FULL_OBJECT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum_type: Option<String>,
}

/// One part of such an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartRow {
    pub segment: Segment,
    pub etag: String,
    pub modified_ms: u64,
    #[serde(default)]
    pub checksums: Checksums,
}
