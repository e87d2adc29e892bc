//! Who may call: names and pages that are let in, and signatures.
//!
//! Two dangers are apart. A web page that the user visits can make his browser send requests to a server on his own
//! machine, and a name of the attacker's can be made to point there: the guard refuses both by `Host`, `Origin` and
//! `Sec-Fetch-Site`, and is always on. Anybody who reaches the port over a network can call it: with credentials every
//! call must be signed (AWS Signature Version 4); without them the port should be on loopback only, which is the
//! command's business.

mod canonical;
mod credentials;
mod guard;
mod signature;

pub use credentials::{Credentials, CredentialsError};
pub use guard::is_loopback_name;

pub(crate) use credentials::Temporary;
pub(crate) use guard::Guard;
pub(crate) use signature::{Payload, SignatureError, verify};

/// Whom a server lets in.
#[derive(Clone, Debug, Default)]
pub struct Security {
    /// Host names that this server is reached by, besides loopback names and IP addresses. A name stands for the names
    /// below it too, so that `bucket.NAME` and `sync-NAME` work.
    pub hosts: Vec<String>,
    /// Origins of web pages that may call, besides this server's own: `https://console.example`.
    pub origins: Vec<String>,
    /// With credentials every call must be signed by one of them.
    pub credentials: Option<Credentials>,
}
