//! What can go wrong, as facts, and the one table that says how S3 words each of them.
//!
//! Knows nothing of HTTP beyond the status that belongs to a code. The client's mistakes are variants with the facts
//! that caused them; [`Error::Disk`], [`Error::Index`] and [`Error::DiskFull`] are ours.

use std::io;

/// Why an operation on buckets or objects was refused or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no bucket of that name.
    #[error("The specified bucket does not exist")]
    NoSuchBucket {
        /// The bucket asked for.
        bucket: String,
    },
    /// There is no object under that key.
    #[error("The specified key does not exist.")]
    NoSuchKey {
        /// The key asked for.
        key: String,
    },
    /// The multipart upload was never begun, or is completed or aborted.
    #[error(
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or \
         completed."
    )]
    NoSuchUpload {
        /// The upload asked for.
        upload_id: String,
    },
    /// The bucket (or object) carries no tags.
    #[error("The TagSet does not exist")]
    NoSuchTagSet,
    /// The bucket exists already; there is one owner here, so it is the caller's.
    #[error("Your previous request to create the named bucket succeeded and you already own it.")]
    BucketAlreadyOwnedByYou {
        /// The bucket.
        bucket: String,
    },
    /// A bucket that still holds objects or uploads cannot be deleted.
    #[error("The bucket you tried to delete is not empty")]
    BucketNotEmpty {
        /// The bucket.
        bucket: String,
    },
    /// The name breaks S3's rules for bucket names.
    #[error("The specified bucket is not valid.")]
    InvalidBucketName {
        /// The name.
        bucket: String,
    },
    /// Keys are limited to 1024 bytes of UTF-8.
    #[error("Your key is too long")]
    KeyTooLong,
    /// If-Match, If-None-Match, If-Unmodified-Since or a copy's equivalents did not hold.
    #[error("At least one of the pre-conditions you specified did not hold")]
    PreconditionFailed,
    /// If-None-Match or If-Modified-Since say that the caller's copy is current.
    #[error("Not Modified")]
    NotModified {
        /// The tag that the caller's copy has as well.
        etag: String,
        /// When the object was written, in milliseconds since 1970.
        modified_ms: u64,
    },
    /// The range begins after the object's end.
    #[error("The requested range is not satisfiable")]
    InvalidRange,
    /// A part number beyond the parts that the object has.
    #[error("The requested partnumber is not satisfiable")]
    InvalidPartNumber,
    /// A part named in CompleteMultipartUpload was not uploaded, or with another tag.
    #[error(
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the \
         specified entity tag may not match the part's entity tag."
    )]
    InvalidPart {
        /// The part's number.
        part: u32,
    },
    /// CompleteMultipartUpload must list its parts in ascending order.
    #[error("The list of parts was not in ascending order. Parts must be ordered by part number.")]
    InvalidPartOrder,
    /// Every part but the last must have at least 5 MiB.
    #[error("Your proposed upload is smaller than the minimum allowed size")]
    EntityTooSmall,
    /// One PUT (or part) may have at most 5 GiB.
    #[error("Your proposed upload exceeds the maximum allowed size")]
    EntityTooLarge,
    /// The bytes have another MD5 or checksum than the request said.
    #[error("The {algorithm} you specified did not match the calculated checksum.")]
    BadDigest {
        /// Which digest: `Content-MD5`, `CRC32`, …
        algorithm: &'static str,
    },
    /// The bytes have another SHA-256 than the signed header said.
    #[error("The provided 'x-amz-content-sha256' header does not match what was computed.")]
    ContentSha256Mismatch,
    /// A Content-MD5 or checksum that is not the base64 of the right number of bytes.
    #[error("The Content-MD5 or checksum value that you specified is not valid.")]
    InvalidDigest,
    /// A presigned URL was used too late.
    #[error("Request has expired")]
    Expired,
    /// The body ended before the length that the request announced.
    #[error("You did not provide the number of bytes specified by the Content-Length HTTP header")]
    IncompleteBody,
    /// A chunk of a signed body has another signature than it should have.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your key and signing \
         method."
    )]
    ChunkSignatureMismatch,
    /// A document that lacks what it must hold, or holds too much.
    #[error("The XML you provided was not well-formed or did not validate against our published schema")]
    MalformedXml,
    /// A version was asked for; objects have one version here.
    #[error("The specified version does not exist.")]
    NoSuchVersion {
        /// The key asked for.
        key: String,
    },
    /// A storage class that S3 does not have.
    #[error("The storage class you specified is not valid")]
    InvalidStorageClass,
    /// User metadata is limited to 2 KB.
    #[error("Your metadata headers exceed the maximum allowed metadata size")]
    MetadataTooLarge,
    /// The body's chunked encoding cannot be read, or the client went away.
    #[error("The request body could not be read: {0}")]
    BadBody(String),
    /// A tag set that breaks S3's rules.
    #[error("{0}")]
    InvalidTag(String),
    /// An argument that makes no sense; the text names it.
    #[error("{0}")]
    InvalidArgument(String),
    /// A combination that S3 refuses; the text says why.
    #[error("{0}")]
    InvalidRequest(String),
    /// Something that S3 has and this server has not; the text names it and says what to do instead.
    #[error("{0}")]
    NotImplemented(String),
    /// There is too little room left on the disk to take more.
    #[error(
        "The disk that holds the buckets is full ({free_bytes} bytes are left, {wanted_bytes} are needed): free some \
         space, or delete objects, and try again."
    )]
    DiskFull {
        /// What the file system still has for us.
        free_bytes: u64,
        /// What the write would have needed, with the reserve that stays free for the index.
        wanted_bytes: u64,
    },
    /// A file could not be read or written.
    #[error("A file of the bucket store could not be used: {0}")]
    Disk(#[from] io::Error),
    /// The index refused or failed; nothing was acknowledged.
    #[error("The bucket index could not be used: {0}")]
    Index(String),
    /// The folder was written by another version of this program.
    #[error(
        "The bucket folder has format {found}, this program reads format {supported}: use the program that wrote it."
    )]
    Format {
        /// What the folder says.
        found: String,
        /// What this program writes.
        supported: &'static str,
    },
    /// The store is shutting down.
    #[error("The bucket store is closing: try again once the server is back.")]
    Closing,
}

impl Error {
    /// S3's code for this error and the HTTP status that belongs to it.
    #[must_use]
    pub fn code(&self) -> (&'static str, u16) {
        match self {
            Self::NoSuchBucket { .. } => ("NoSuchBucket", 404),
            Self::NoSuchKey { .. } => ("NoSuchKey", 404),
            Self::NoSuchUpload { .. } => ("NoSuchUpload", 404),
            Self::NoSuchTagSet => ("NoSuchTagSet", 404),
            Self::BucketAlreadyOwnedByYou { .. } => ("BucketAlreadyOwnedByYou", 409),
            Self::BucketNotEmpty { .. } => ("BucketNotEmpty", 409),
            Self::InvalidBucketName { .. } => ("InvalidBucketName", 400),
            Self::KeyTooLong => ("KeyTooLongError", 400),
            Self::PreconditionFailed => ("PreconditionFailed", 412),
            Self::NotModified { .. } => ("NotModified", 304),
            Self::InvalidRange => ("InvalidRange", 416),
            Self::InvalidPartNumber => ("InvalidPartNumber", 416),
            Self::InvalidPart { .. } => ("InvalidPart", 400),
            Self::InvalidPartOrder => ("InvalidPartOrder", 400),
            Self::EntityTooSmall => ("EntityTooSmall", 400),
            Self::EntityTooLarge => ("EntityTooLarge", 400),
            Self::BadDigest { .. } => ("BadDigest", 400),
            Self::ContentSha256Mismatch => ("XAmzContentSHA256Mismatch", 400),
            Self::InvalidDigest => ("InvalidDigest", 400),
            Self::ChunkSignatureMismatch => ("SignatureDoesNotMatch", 403),
            Self::MalformedXml => ("MalformedXML", 400),
            Self::NoSuchVersion { .. } => ("NoSuchVersion", 404),
            Self::InvalidStorageClass => ("InvalidStorageClass", 400),
            Self::MetadataTooLarge => ("MetadataTooLarge", 400),
            Self::Expired => ("AccessDenied", 403),
            Self::IncompleteBody => ("IncompleteBody", 400),
            Self::BadBody(_) | Self::InvalidRequest(_) => ("InvalidRequest", 400),
            Self::InvalidTag(_) => ("InvalidTag", 400),
            Self::InvalidArgument(_) => ("InvalidArgument", 400),
            Self::NotImplemented(_) => ("NotImplemented", 501),
            Self::DiskFull { .. } | Self::Disk(_) | Self::Index(_) | Self::Format { .. } => {
                ("InternalError", 500)
            }
            Self::Closing => ("ServiceUnavailable", 503),
        }
    }

    /// True for failures that are ours, not the caller's.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.code().1 >= 500
    }
}

/// The text that S3 gives with a code that our protocol library raises without one.
#[must_use]
pub(crate) fn default_message(code: &str) -> &'static str {
    match code {
        "AccessDenied" => "Access Denied",
        "BadDigest" => "The Content-MD5 you specified did not match what we received.",
        "EntityTooLarge" => "Your proposed upload exceeds the maximum allowed size",
        "IncompleteBody" => {
            "You did not provide the number of bytes specified by the Content-Length HTTP header"
        }
        "InternalError" => "We encountered an internal error. Please try again.",
        "InvalidAccessKeyId" => "The AWS Access Key Id you provided does not exist in our records.",
        "InvalidArgument" => "Invalid Argument",
        "InvalidBucketName" => "The specified bucket is not valid.",
        "InvalidRange" => "The requested range is not satisfiable",
        "InvalidURI" => "Couldn't parse the specified URI.",
        "KeyTooLongError" => "Your key is too long",
        "MalformedXML" => {
            "The XML you provided was not well-formed or did not validate against our published schema"
        }
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "MissingContentLength" => "You must provide the Content-Length HTTP header.",
        "NotImplemented" => "A header or query you provided implies functionality that is not implemented.",
        "SignatureDoesNotMatch" => {
            "The request signature we calculated does not match the signature you provided. Check your key and signing \
             method."
        }
        _ => "The request was refused.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_texts_are_s3s() {
        let table = [
            (Error::NoSuchKey { key: "k".into() }, "NoSuchKey", 404, "The specified key does not exist."),
            (
                Error::NoSuchBucket { bucket: "b".into() },
                "NoSuchBucket",
                404,
                "The specified bucket does not exist",
            ),
            (
                Error::BucketNotEmpty { bucket: "b".into() },
                "BucketNotEmpty",
                409,
                "The bucket you tried to delete is not empty",
            ),
            (
                Error::PreconditionFailed,
                "PreconditionFailed",
                412,
                "At least one of the pre-conditions you specified did not hold",
            ),
            (Error::InvalidRange, "InvalidRange", 416, "The requested range is not satisfiable"),
        ];
        for (error, code, status, text) in table {
            assert_eq!(error.code(), (code, status));
            assert_eq!(error.to_string(), text);
            assert!(!error.is_ours());
        }
        assert!(Error::DiskFull { free_bytes: 1, wanted_bytes: 2 }.is_ours());
    }
}
