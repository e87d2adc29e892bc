//! Digests of a body: the MD5 that becomes the ETag, and S3's checksums, computed in one pass and compared with what the
//! client claimed.
//!
//! Knows no headers and no rows' places; only bytes, base64 and the five algorithms.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};

use crate::error::Error;
use crate::rows::Checksums;

/// S3's checksum algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    pub(crate) const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// As in `x-amz-sdk-checksum-algorithm`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The header, or trailer, that carries it.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name().eq_ignore_ascii_case(name))
    }

    fn bytes(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }
}

impl Checksums {
    pub(crate) fn of(&self, algorithm: Algorithm) -> Option<&str> {
        match algorithm {
            Algorithm::Crc32 => self.crc32.as_deref(),
            Algorithm::Crc32c => self.crc32c.as_deref(),
            Algorithm::Crc64Nvme => self.crc64nvme.as_deref(),
            Algorithm::Sha1 => self.sha1.as_deref(),
            Algorithm::Sha256 => self.sha256.as_deref(),
        }
    }

    pub(crate) fn set(&mut self, algorithm: Algorithm, value: String) {
        let place = match algorithm {
            Algorithm::Crc32 => &mut self.crc32,
            Algorithm::Crc32c => &mut self.crc32c,
            Algorithm::Crc64Nvme => &mut self.crc64nvme,
            Algorithm::Sha1 => &mut self.sha1,
            Algorithm::Sha256 => &mut self.sha256,
        };
        *place = Some(value);
    }

    /// The algorithms that have a value.
    pub(crate) fn algorithms(&self) -> impl Iterator<Item = Algorithm> + '_ {
        Algorithm::ALL.into_iter().filter(|a| self.of(*a).is_some())
    }

    /// `COMPOSITE` when it is made of the parts' checksums.
    pub(crate) fn is_composite(&self) -> bool {
        self.algorithms().any(|a| self.of(a).is_some_and(|v| v.contains('-')))
    }
}

/// What was computed over a body.
#[derive(Debug)]
pub(crate) struct Digests {
    pub md5: [u8; 16],
    pub checksums: Checksums,
}

impl Digests {
    /// The ETag of an object uploaded in one piece, without quotes.
    pub(crate) fn etag(&self) -> String {
        hex::encode(self.md5)
    }

    /// Compares with what the client claimed about its body.
    pub(crate) fn verify(&self, md5: Option<[u8; 16]>, claimed: &Checksums) -> Result<(), Error> {
        if md5.is_some_and(|claimed| claimed != self.md5) {
            return Err(Error::BadDigest { algorithm: "Content-MD5" });
        }
        for algorithm in claimed.algorithms() {
            let value = claimed.of(algorithm).unwrap_or_default();
            if BASE64.decode(value).ok().filter(|v| v.len() == algorithm.bytes()).is_none() {
                return Err(Error::InvalidDigest);
            }
            if self.checksums.of(algorithm) != Some(value) {
                return Err(Error::BadDigest { algorithm: algorithm.name() });
            }
        }
        Ok(())
    }
}

/// Computes MD5 and the wanted checksums in one pass.
#[derive(Default)]
pub(crate) struct Hasher {
    md5: Md5,
    checksums: ChecksumHasher,
}

impl Hasher {
    /// With these checksums besides the MD5.
    pub(crate) fn with(algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        let mut checksums = ChecksumHasher::default();
        for algorithm in algorithms {
            match algorithm {
                Algorithm::Crc32 => checksums.crc32 = Some(Crc32::new()),
                Algorithm::Crc32c => checksums.crc32c = Some(Crc32c::new()),
                Algorithm::Crc64Nvme => checksums.crc64nvme = Some(Crc64Nvme::new()),
                Algorithm::Sha1 => checksums.sha1 = Some(Sha1::new()),
                Algorithm::Sha256 => checksums.sha256 = Some(Sha256::new()),
            }
        }
        Self { md5: Md5::new(), checksums }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.checksums.update(bytes);
    }

    pub(crate) fn finish(self) -> Digests {
        let sums = self.checksums.finalize();
        let checksums = Checksums {
            crc32: sums.checksum_crc32,
            crc32c: sums.checksum_crc32c,
            crc64nvme: sums.checksum_crc64nvme,
            sha1: sums.checksum_sha1,
            sha256: sums.checksum_sha256,
        };
        Digests { md5: self.md5.finalize(), checksums }
    }
}

/// The SHA-256 of a body as it passes, for the signed `x-amz-content-sha256`.
pub(crate) struct BodySha256(Sha256);

impl BodySha256 {
    pub(crate) fn new() -> Self {
        Self(Sha256::new())
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn hex(self) -> String {
        hex::encode(self.0.finalize())
    }
}

/// The ETag of an object made of parts: the MD5 of the parts' MD5s, and their number.
pub(crate) fn multipart_etag<'a>(etags: impl ExactSizeIterator<Item = &'a str>) -> Result<String, Error> {
    let parts = etags.len();
    let mut md5 = Md5::new();
    for etag in etags {
        md5.update(&hex::decode(etag).map_err(|e| Error::Index(format!("a part's ETag is not hex: {e}")))?);
    }
    Ok(format!("{}-{parts}", hex::encode(md5.finalize())))
}

/// The `COMPOSITE` checksum of such an object; `None` unless every part has one of that algorithm.
pub(crate) fn composite<'a>(
    algorithm: Algorithm,
    parts: impl ExactSizeIterator<Item = &'a Checksums>,
) -> Option<String> {
    let count = parts.len();
    let mut hasher = Hasher::with([algorithm]);
    for part in parts {
        hasher.update(&BASE64.decode(part.of(algorithm)?).ok()?);
    }
    Some(format!("{}-{count}", hasher.finish().checksums.of(algorithm)?))
}

/// The 16 bytes of a Content-MD5 header.
pub(crate) fn parse_md5(header: &str) -> Result<[u8; 16], Error> {
    BASE64.decode(header).ok().and_then(|v| v.try_into().ok()).ok_or(Error::InvalidDigest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(text: &str) -> Digests {
        let mut hasher = Hasher::with(Algorithm::ALL);
        hasher.update(text.as_bytes());
        hasher.finish()
    }

    #[test]
    fn known_values() {
        let d = digests("123456789");
        assert_eq!(d.etag(), "25f9e794323b453885f5181f1b624d0b");
        // The check values of each CRC's catalogue entry, in base64.
        assert_eq!(d.checksums.of(Algorithm::Crc32), Some("y/Q5Jg=="));
        assert_eq!(d.checksums.of(Algorithm::Crc32c), Some("4waSgw=="));
        assert_eq!(d.checksums.of(Algorithm::Crc64Nvme), Some("rosUhgp5mIg="));
        assert_eq!(d.checksums.of(Algorithm::Sha1), Some("98O8HYCOBHMq32eZZczDTKeuNEE="));
    }

    #[test]
    fn claims_are_compared() {
        let d = digests("body");
        assert!(d.verify(Some(d.md5), &d.checksums).is_ok());
        assert!(matches!(d.verify(Some([0; 16]), &Checksums::default()), Err(Error::BadDigest { .. })));
        let mut wrong = Checksums { crc32: Some("AAAAAA==".into()), ..Checksums::default() };
        assert!(matches!(d.verify(None, &wrong), Err(Error::BadDigest { algorithm: "CRC32" })));
        wrong.crc32 = Some("short".into());
        assert!(matches!(d.verify(None, &wrong), Err(Error::InvalidDigest)));
    }

    #[test]
    fn multipart_values_end_in_the_number_of_parts() {
        let (a, b) = (digests("a"), digests("b"));
        let etags = [a.etag(), b.etag()];
        let etag = multipart_etag(etags.iter().map(String::as_str)).unwrap();
        assert!(etag.ends_with("-2") && etag.len() == 34);
        let parts = [&a.checksums, &b.checksums];
        assert!(composite(Algorithm::Crc32, parts.into_iter()).unwrap().ends_with("-2"));
        assert_eq!(composite(Algorithm::Crc32, [&Checksums::default()].into_iter()), None);
    }
}
