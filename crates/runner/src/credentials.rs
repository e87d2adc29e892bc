//! AWS credentials, from where a container finds them: environment variables, or the endpoint that ECS, Fargate and
//! EKS Pod Identity name in the environment.
//!
//! It reads no files of a home directory and asks no instance metadata: a worker is started with its credentials.
//! Without any, requests go out unsigned, which an endpoint of one's own may accept and AWS refuses.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::options::set;

/// Where ECS serves credentials, when only a path is given.
const ECS_HOST: &str = "http://169.254.170.2";
/// Fetched credentials are replaced this long before they expire.
const RENEW_BEFORE: Duration = Duration::from_secs(300);
/// Fetched credentials whose expiry cannot be read are replaced after this.
const RENEW_AFTER: Duration = Duration::from_secs(900);
/// Time for the endpoint, which is next door, to answer.
const FETCH_MAX: Duration = Duration::from_secs(10);

/// A source of credentials.
#[derive(Debug)]
pub(crate) enum Source {
    None,
    Fixed(Credentials),
    Fetched { url: String, http: reqwest::Client, held: Mutex<Option<Held>> },
}

#[derive(Debug)]
pub(crate) struct Held {
    credentials: Credentials,
    renew_at: SystemTime,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
    expiration: Option<String>,
}

impl Source {
    pub(crate) fn from_environment(http: &reqwest::Client) -> Source {
        if let (Some(id), Some(secret)) = (set("AWS_ACCESS_KEY_ID"), set("AWS_SECRET_ACCESS_KEY")) {
            let token = set("AWS_SESSION_TOKEN");
            return Source::Fixed(Credentials::new(id, secret, token, None, "environment"));
        }
        let relative = set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").map(|path| format!("{ECS_HOST}{path}"));
        match relative.or_else(|| set("AWS_CONTAINER_CREDENTIALS_FULL_URI")) {
            Some(url) => Source::Fetched { url, http: http.clone(), held: Mutex::default() },
            None => Source::None,
        }
    }

    /// Credentials that are good now; none if there are none to be had.
    pub(crate) async fn current(&self, now: SystemTime) -> Result<Option<Credentials>, String> {
        let (url, http, held) = match self {
            Source::None => return Ok(None),
            Source::Fixed(credentials) => return Ok(Some(credentials.clone())),
            Source::Fetched { url, http, held } => (url, http, held),
        };
        let mut held = held.lock().await;
        if let Some(held) = held.as_ref().filter(|held| now < held.renew_at) {
            return Ok(Some(held.credentials.clone()));
        }
        let answer =
            fetch(http, url).await.map_err(|problem| format!("no credentials from {url}: {problem}"))?;
        let renew_at = answer.expiration.as_deref().and_then(expiry).map(|expires| expires - RENEW_BEFORE);
        let credentials =
            Credentials::new(answer.access_key_id, answer.secret_access_key, answer.token, None, "container");
        *held =
            Some(Held { credentials: credentials.clone(), renew_at: renew_at.unwrap_or(now + RENEW_AFTER) });
        Ok(Some(credentials))
    }
}

async fn fetch(http: &reqwest::Client, url: &str) -> Result<Answer, String> {
    let mut request = http.get(url).timeout(FETCH_MAX);
    let from_file = || {
        let path = set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")?;
        std::fs::read_to_string(path).ok().map(|token| token.trim().to_owned())
    };
    if let Some(token) = from_file().or_else(|| set("AWS_CONTAINER_AUTHORIZATION_TOKEN")) {
        request = request.header("authorization", token);
    }
    let response = request.send().await.and_then(reqwest::Response::error_for_status);
    let body =
        response.map_err(|error| error.to_string())?.bytes().await.map_err(|error| error.to_string())?;
    serde_json::from_slice(&body).map_err(|error| format!("its answer is not understood: {error}"))
}

/// The moment of an RFC 3339 text in UTC, such as `2026-01-31T23:59:59Z`.
fn expiry(text: &str) -> Option<SystemTime> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !text.ends_with('Z') || year < 1970 || !(1..=12).contains(&month) {
        return None;
    }
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let years: u64 = (1970..year).map(|year| 365 + u64::from(is_leap(year))).sum();
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let months: u64 = lengths.iter().take(usize::try_from(month - 1).ok()?).sum();
    let seconds = (((years + months + day.checked_sub(1)?) * 24 + hour) * 60 + minute) * 60 + second;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiries_are_read() {
        let cases = [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-03-01T00:00:00Z", Some(951_868_800)),
            ("2024-12-31T23:59:59.000Z", Some(1_735_689_599)),
            ("2024-12-31", None),
            ("2024-13-31T23:59:59Z", None),
        ];
        for (text, seconds) in cases {
            let read = expiry(text).map(|at| at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs());
            assert_eq!(read, seconds, "{text}");
        }
    }
}
