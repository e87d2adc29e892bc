//! Which bucket a Host header names: `BUCKET.localhost` and `BUCKET.DOMAIN` do, every other host means path style.
//!
//! The library's own parser refuses hosts that it does not know. Here a server is reached under many names (an address,
//! a container's gateway, a tunnel), and all of them must work with path style.

use s3s::S3Result;
use s3s::host::{S3Host, VirtualHost};

/// The domain that always works, because names below it are this machine's.
const LOCALHOST: &str = "localhost";

/// The domains whose subdomains are buckets.
#[derive(Debug, Clone)]
pub(crate) struct Hosts {
    domains: Vec<String>,
}

impl Hosts {
    pub(crate) fn new(domains: impl IntoIterator<Item = String>) -> Self {
        let named = domains.into_iter().map(|d| d.trim_matches('.').to_ascii_lowercase());
        Self { domains: named.chain([LOCALHOST.to_owned()]).collect() }
    }

    fn bucket(&self, host: &str) -> Option<String> {
        let name = host.rsplit_once(':').map_or(host, |(name, _port)| name).to_ascii_lowercase();
        let below = |domain: &String| Some(name.strip_suffix(domain.as_str())?.strip_suffix('.')?.to_owned());
        let bucket = self.domains.iter().find_map(below)?;
        // A domain may itself lie below another one.
        let is_domain = self.domains.contains(&name);
        (!is_domain && s3s::path::check_bucket_name(&bucket)).then_some(bucket)
    }
}

impl S3Host for Hosts {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let named = VirtualHost::new(host);
        Ok(match self.bucket(host) {
            Some(bucket) => named.with_bucket(bucket),
            None => named,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_domains_name_buckets() {
        let hosts = Hosts::new(["s3.example.com".to_owned()]);
        let cases = [
            ("bkt.localhost", Some("bkt")),
            ("bkt.localhost:8083", Some("bkt")),
            ("BKT.Localhost:8083", Some("bkt")),
            ("my.bkt.localhost", Some("my.bkt")),
            ("bkt.s3.example.com", Some("bkt")),
            ("s3.example.com", None),
            ("localhost:8083", None),
            ("example.com", None),
            ("host.docker.internal:8083", None),
            ("loveless", None),
            ("x.localhost", None),
        ];
        for (host, bucket) in cases {
            assert_eq!(hosts.bucket(host).as_deref(), bucket, "{host}");
        }
    }
}
