//! The credentials that calls are signed with: from a file in the format of `~/.aws/credentials`, and temporary ones
//! derived from those.
//!
//! ```ini
//! [alice]
//! aws_access_key_id = AKIAALICE
//! aws_secret_access_key = …
//!
//! [bob]
//! aws_access_key_id = ASIABOB
//! aws_secret_access_key = …
//! aws_session_token = …
//! ```
//!
//! Sections are for people; only keys count. Temporary credentials (STS AssumeRole, GetSessionToken) are kept nowhere:
//! the session token says whose they are and until when, under a MAC of that owner's secret, and the secret is derived
//! from the token. So they hold over a restart and on any node that has the same file.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use ini::Ini;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::SignatureError;

/// Access keys of temporary credentials begin with this, as on AWS.
const TEMPORARY_PREFIX: &str = "ASIA";

/// Access keys and their secrets.
#[derive(Clone, Default)]
pub struct Credentials(HashMap<String, Secret>);

#[derive(Clone)]
struct Secret {
    key: String,
    session_token: Option<String>,
}

/// Why a credentials file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// It cannot be read or is not in the format.
    #[error("the credentials file {path}: {why}")]
    Unreadable {
        /// Which file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// A section lacks a key.
    #[error("the credentials file {path}: section [{section}] has no {key}")]
    Incomplete {
        /// Which file.
        path: String,
        /// Which section.
        section: String,
        /// What is missing.
        key: &'static str,
    },
    /// Two sections have the same access key.
    #[error("the credentials file {path}: the access key {access_key} is there twice")]
    Twice {
        /// Which file.
        path: String,
        /// Which key.
        access_key: String,
    },
    /// It has no credentials at all.
    #[error("the credentials file {path} has no section with aws_access_key_id and aws_secret_access_key")]
    Empty {
        /// Which file.
        path: String,
    },
}

/// Temporary credentials.
pub(crate) struct Temporary {
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) session_token: String,
}

impl Credentials {
    /// Reads a file in the format of `~/.aws/credentials`.
    ///
    /// # Errors
    /// When the file cannot be read, a section lacks a key, or no section has any.
    pub fn from_file(path: &Path) -> Result<Credentials, CredentialsError> {
        let shown = path.display().to_string();
        // Secrets may contain backslashes; AWS's own parser knows no escapes either.
        let file = Ini::load_from_file_noescape(path)
            .map_err(|error| CredentialsError::Unreadable { path: shown.clone(), why: error.to_string() })?;
        let mut credentials = Credentials::default();
        for (section, properties) in file.iter() {
            let of = |key| properties.get(key).map(str::trim).filter(|value| !value.is_empty());
            if section.is_none() && properties.is_empty() {
                continue;
            }
            let needed = |key| {
                let section = section.unwrap_or_default().to_owned();
                of(key).ok_or_else(|| CredentialsError::Incomplete { path: shown.clone(), section, key })
            };
            let (access_key, secret) = (needed("aws_access_key_id")?, needed("aws_secret_access_key")?);
            if credentials.0.contains_key(access_key) {
                return Err(CredentialsError::Twice { path: shown, access_key: access_key.into() });
            }
            credentials.insert(access_key, secret, of("aws_session_token"));
        }
        if credentials.0.is_empty() { Err(CredentialsError::Empty { path: shown }) } else { Ok(credentials) }
    }

    /// Adds one key.
    pub fn insert(&mut self, access_key: &str, secret_key: &str, session_token: Option<&str>) {
        let secret = Secret { key: secret_key.into(), session_token: session_token.map(Into::into) };
        self.0.insert(access_key.into(), secret);
    }

    /// The secret of an access key of the file.
    pub fn secret_of(&self, access_key: &str) -> Option<&str> {
        self.0.get(access_key).map(|secret| secret.key.as_str())
    }

    /// The first key by name, with its secret and session token: what a server gives to the functions that it runs.
    pub fn first(&self) -> Option<(&str, &str, Option<&str>)> {
        let (access_key, secret) = self.0.iter().min_by_key(|(access_key, _)| *access_key)?;
        Some((access_key, &secret.key, secret.session_token.as_deref()))
    }

    /// The secret that a request must be signed with.
    pub(super) fn signing_secret(
        &self,
        access_key: &str,
        session_token: Option<&str>,
        now_s: i64,
    ) -> Result<String, SignatureError> {
        if let Some(secret) = self.0.get(access_key) {
            return match (&secret.session_token, session_token) {
                (None, None) => Ok(secret.key.clone()),
                (Some(expected), Some(token)) if bool::from(expected.as_bytes().ct_eq(token.as_bytes())) => {
                    Ok(secret.key.clone())
                }
                _ => Err(SignatureError::UnknownKey),
            };
        }
        let token = session_token.ok_or(SignatureError::UnknownKey)?;
        let temporary = self.open(token, now_s)?;
        if temporary.access_key == access_key {
            Ok(temporary.secret_key)
        } else {
            Err(SignatureError::UnknownKey)
        }
    }

    /// Temporary credentials for whoever has this access key; `None` when nobody has it.
    pub(crate) fn temporary(&self, access_key: &str, nonce: &str, until_s: i64) -> Option<Temporary> {
        let claims = format!("{access_key}|{until_s}|{nonce}");
        let parent = self.secret_of(access_key)?;
        let token = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(&claims),
            URL_SAFE_NO_PAD.encode(mac(parent, "token", &claims))
        );
        Some(derived(parent, token))
    }

    /// The temporary credentials of a session token of ours.
    fn open(&self, token: &str, now_s: i64) -> Result<Temporary, SignatureError> {
        let unknown = || SignatureError::UnknownKey;
        let (claims, tag) = token.split_once('.').ok_or_else(unknown)?;
        let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| unknown())?;
        let claims = String::from_utf8(claims).map_err(|_| unknown())?;
        let tag = URL_SAFE_NO_PAD.decode(tag).map_err(|_| unknown())?;
        let [access_key, until_s, _nonce] = claims.split('|').collect::<Vec<_>>()[..] else {
            return Err(unknown());
        };
        let parent = self.secret_of(access_key).ok_or_else(unknown)?;
        if !bool::from(mac(parent, "token", &claims).ct_eq(&tag)) {
            return Err(unknown());
        }
        let until_s: i64 = until_s.parse().map_err(|_| unknown())?;
        if until_s < now_s {
            return Err(SignatureError::ExpiredToken);
        }
        Ok(derived(parent, token.to_owned()))
    }
}

/// Secrets do not belong in logs.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn derived(parent: &str, session_token: String) -> Temporary {
    let id = hex::encode_upper(&mac(parent, "id", &session_token)[..8]);
    Temporary {
        access_key: format!("{TEMPORARY_PREFIX}{id}"),
        secret_key: STANDARD_NO_PAD.encode(mac(parent, "secret", &session_token)),
        session_token,
    }
}

fn mac(key: &str, purpose: &str, text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(purpose.as_bytes());
    mac.update(&[0]);
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<Credentials, CredentialsError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Credentials::from_file(file.path())
    }

    #[test]
    fn a_file_in_awss_format_is_read() {
        let credentials = file(
            "# people\n[alice]\naws_access_key_id = AKIAALICE\naws_secret_access_key = a/b\\n+c=\n\n\
             [bob]\naws_access_key_id=ASIABOB\naws_secret_access_key=secret\naws_session_token=token\n",
        )
        .unwrap();
        assert_eq!(credentials.secret_of("AKIAALICE"), Some("a/b\\n+c="));
        assert_eq!(credentials.signing_secret("ASIABOB", Some("token"), 0).unwrap(), "secret");
        for token in [None, Some("other")] {
            assert_eq!(credentials.signing_secret("ASIABOB", token, 0), Err(SignatureError::UnknownKey));
        }
        assert_eq!(
            credentials.signing_secret("AKIAALICE", Some("token"), 0),
            Err(SignatureError::UnknownKey)
        );
        assert!(!format!("{credentials:?}").contains("secret"));
    }

    #[test]
    fn a_file_that_cannot_be_used_says_why() {
        let cases = [
            ("", "has no section"),
            ("[a]\naws_access_key_id = A\n", "section [a] has no aws_secret_access_key"),
            ("[a]\naws_secret_access_key = A\n", "section [a] has no aws_access_key_id"),
            ("[a]\nnonsense\n", "the credentials file"),
            (
                "[a]\naws_access_key_id=A\naws_secret_access_key=S\n[b]\naws_access_key_id=A\naws_secret_access_key=T\n",
                "the access key A is there twice",
            ),
        ];
        for (text, why) in cases {
            let error = file(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text:?}: {error}");
        }
        let missing = Credentials::from_file(Path::new("/nonexistent/credentials")).unwrap_err();
        assert!(missing.to_string().contains("/nonexistent/credentials"));
    }

    #[test]
    fn temporary_credentials_hold_until_they_expire() {
        let mut credentials = Credentials::default();
        credentials.insert("AKIAALICE", "secret", None);
        let temporary = credentials.temporary("AKIAALICE", "nonce", 1000).unwrap();
        let (key, token) = (temporary.access_key.as_str(), temporary.session_token.as_str());
        assert!(key.starts_with("ASIA"));
        assert_eq!(credentials.signing_secret(key, Some(token), 1000).unwrap(), temporary.secret_key);
        assert_eq!(credentials.signing_secret(key, Some(token), 1001), Err(SignatureError::ExpiredToken));
        assert_eq!(credentials.signing_secret(key, None, 0), Err(SignatureError::UnknownKey));
        assert_eq!(credentials.signing_secret("ASIAOTHER", Some(token), 0), Err(SignatureError::UnknownKey));
        let forged = URL_SAFE_NO_PAD.encode("AKIAALICE|9999|nonce");
        let forged = format!("{forged}.{}", token.split_once('.').unwrap().1);
        assert_eq!(credentials.signing_secret(key, Some(&forged), 0), Err(SignatureError::UnknownKey));
        for nonsense in ["", ".", "a.b", "\u{e9}.x"] {
            assert_eq!(credentials.signing_secret(key, Some(nonsense), 0), Err(SignatureError::UnknownKey));
        }
        assert!(credentials.temporary("AKIABOB", "nonce", 1000).is_none());
    }
}
