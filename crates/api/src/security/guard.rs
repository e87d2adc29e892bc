//! The guard against web pages and DNS rebinding.
//!
//! An IP address as the host is always fine: rebinding needs a name that the attacker owns. So are the names that only
//! ever mean this machine or its container host. SDKs put `sync-` before the host for two operations (asl-facts 1), so
//! it is taken off before a name is looked at.

use std::net::{IpAddr, Ipv6Addr};

use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};

use super::Security;

/// Names by which containers reach the machine that they run on. Nobody can register a name under `.internal`.
const CONTAINER_HOST_NAMES: [&str; 3] =
    ["host.docker.internal", "gateway.docker.internal", "host.containers.internal"];
/// What SDKs put before the host of StartSyncExecution and TestState.
const SYNC_PREFIX: &str = "sync-";

/// Why a request is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Intrusion {
    /// It does not say for whom it is.
    #[error("The Host header is missing or malformed")]
    NoHost,
    /// It is for somebody else, or a name was made to point here.
    #[error(
        "The host '{0}' is not a name of this server: use localhost or an IP address, or start the server with \
         --host {0}"
    )]
    Host(String),
    /// A web page sent it.
    #[error(
        "Web pages of the origin '{0}' may not call this server: start it with --origin {0} to allow them"
    )]
    Origin(String),
    /// A web page of another site sent it, and the browser does not say which.
    #[error("A web page of another site may not call this server")]
    CrossSite,
}

impl Intrusion {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Intrusion::NoHost => StatusCode::BAD_REQUEST,
            Intrusion::Host(_) | Intrusion::Origin(_) | Intrusion::CrossSite => StatusCode::FORBIDDEN,
        }
    }
}

/// Checks where requests say they are for and from.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Guard {
    pub(crate) fn new(security: &Security) -> Guard {
        let lower = |names: &[String]| names.iter().map(|name| name.to_ascii_lowercase()).collect();
        Guard { hosts: lower(&security.hosts), origins: lower(&security.origins) }
    }

    /// Whether the request may go on.
    pub(crate) fn admit(&self, head: &Parts) -> Result<(), Intrusion> {
        let authority = self.authority(head)?;
        if let Some(origin) = head.headers.get(ORIGIN) {
            let origin = String::from_utf8_lossy(origin.as_bytes()).to_ascii_lowercase();
            let own = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            if own != Some(&authority) && !self.origins.contains(&origin) {
                return Err(Intrusion::Origin(origin));
            }
            return Ok(());
        }
        match sec_fetch(&head.headers, "sec-fetch-site") {
            None | Some("same-origin" | "none") => Ok(()),
            // Following a link to a page is harmless: the page that has the link does not see the answer.
            Some(_) if is_navigation(head) => Ok(()),
            Some(_) => Err(Intrusion::CrossSite),
        }
    }

    /// The host and port that the request is for, both where the request line and where the header say.
    fn authority(&self, head: &Parts) -> Result<String, Intrusion> {
        let mut hosts = head.headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(Intrusion::NoHost) };
        let host = host.to_str().map_err(|_| Intrusion::NoHost)?.to_ascii_lowercase();
        self.check_host(&host)?;
        if let Some(authority) = head.uri.authority() {
            self.check_host(&authority.as_str().to_ascii_lowercase())?;
        }
        Ok(host)
    }

    fn check_host(&self, authority: &str) -> Result<(), Intrusion> {
        let name = host_of(authority).ok_or(Intrusion::NoHost)?;
        let bare = name.strip_prefix(SYNC_PREFIX).unwrap_or(name);
        let known = |name: &str| {
            is_loopback_name(name)
                || name.parse::<IpAddr>().is_ok()
                || CONTAINER_HOST_NAMES.contains(&name)
                || self.hosts.iter().any(|host| is_or_below(name, host))
        };
        if known(bare) || known(name) { Ok(()) } else { Err(Intrusion::Host(name.to_owned())) }
    }
}

/// Whether a host name always means the machine itself: `localhost` and what is below it (RFC 6761), and loopback
/// addresses.
pub fn is_loopback_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    is_or_below(name, "localhost") || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_or_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The host of `host:port` or `[v6]:port`; the brackets of an address are taken off.
fn host_of(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            (address, rest.strip_prefix(':').or(rest.is_empty().then_some("")))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, Some("")),
        },
    };
    let digits = port?.bytes().all(|byte| byte.is_ascii_digit());
    (digits && !host.is_empty()).then(|| host.strip_suffix('.').unwrap_or(host))
}

fn is_navigation(head: &Parts) -> bool {
    let is = |name, value| sec_fetch(&head.headers, name) == Some(value);
    matches!(head.method, Method::GET | Method::HEAD)
        && is("sec-fetch-mode", "navigate")
        && is("sec-fetch-dest", "document")
}

fn sec_fetch<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("malformed"))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn admit(method: &str, headers: &[(&str, &str)]) -> Result<(), Intrusion> {
        let security = Security {
            hosts: vec!["Loveless.example".into()],
            origins: vec!["https://console.example".into()],
            credentials: None,
        };
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Guard::new(&security).admit(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn hosts() {
        let fine = [
            "localhost",
            "localhost:8083",
            "LocalHost:8083",
            "localhost.",
            "127.0.0.1:8083",
            "127.8.8.8",
            "[::1]:8083",
            "[::1]",
            "192.0.2.7:8083",
            "states.localhost:8083",
            "sync-localhost:8083",
            "sync-127.0.0.1:8083",
            "sync-states.localhost",
            "bucket.s3.localhost",
            "host.docker.internal:8083",
            "sync-host.docker.internal:8083",
            "loveless.example:8083",
            "bucket.loveless.example",
            "sync-loveless.example",
            "s3.us-east-1.localhost:8083",
        ];
        for host in fine {
            assert_eq!(admit("POST", &[("host", host)]), Ok(()), "{host}");
        }
        let foreign = [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "notlocalhost",
            "evilloveless.example",
            "sync-evil.example",
            "internal",
            "docker.internal.evil.example",
        ];
        for host in foreign {
            let name = host.to_owned();
            assert_eq!(admit("POST", &[("host", host)]), Err(Intrusion::Host(name)), "{host}");
        }
        for host in ["", ":8083", "[::1", "[nonsense]", "localhost:80a", "localhost:80@evil.example"] {
            assert_eq!(admit("POST", &[("host", host)]), Err(Intrusion::NoHost), "{host}");
        }
        assert_eq!(admit("POST", &[]), Err(Intrusion::NoHost));
        assert_eq!(admit("POST", &[("host", "localhost"), ("host", "evil.example")]), Err(Intrusion::NoHost));
    }

    #[test]
    fn an_absolute_request_line_does_not_get_around_the_check() {
        let request = Request::builder().uri("http://evil.example/").header("host", "localhost");
        let head = request.body(()).unwrap().into_parts().0;
        let answer = Guard::new(&Security::default()).admit(&head);
        assert_eq!(answer, Err(Intrusion::Host("evil.example".into())));
    }

    #[test]
    fn origins() {
        let host = ("host", "localhost:8083");
        for origin in ["http://localhost:8083", "https://localhost:8083", "https://console.example"] {
            assert_eq!(admit("POST", &[host, ("origin", origin)]), Ok(()), "{origin}");
        }
        for origin in
            ["null", "http://evil.example", "http://localhost:3000", "http://localhost", "file://", ""]
        {
            let refused = admit("POST", &[host, ("origin", origin)]);
            assert_eq!(refused, Err(Intrusion::Origin(origin.into())), "{origin}");
        }
    }

    #[test]
    fn pages_that_hide_their_origin() {
        let host = ("host", "localhost:8083");
        let site = |site| ("sec-fetch-site", site);
        assert_eq!(admit("GET", &[host, site("none")]), Ok(()));
        assert_eq!(admit("GET", &[host, site("same-origin")]), Ok(()));
        let image = [host, site("cross-site"), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")];
        assert_eq!(admit("GET", &image), Err(Intrusion::CrossSite));
        assert_eq!(admit("GET", &[host, site("same-site")]), Err(Intrusion::CrossSite));
        let link = [host, site("cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert_eq!(admit("GET", &link), Ok(()));
        assert_eq!(admit("POST", &link), Err(Intrusion::CrossSite));
        let frame = [host, site("cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
        assert_eq!(admit("GET", &frame), Err(Intrusion::CrossSite));
    }
}
