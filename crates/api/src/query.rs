//! STS and IAM, as far as clients of Step Functions call them first: who am I, what is this role's ARN.
//!
//! Both speak AWS's query protocol: a form in, XML out. There are no users, roles or policies here: every caller is the
//! account's own, and a role exists as soon as somebody names it. What would change something is refused.

use asl::timestamp;
use http::{Response, StatusCode};
use service::Place;
use sha2::{Digest, Sha256};

use crate::reply::{self, Body, xml_escaped};
use crate::security::{Credentials, Temporary};

const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
const IAM_NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
/// How long temporary credentials hold unless the request says.
const SESSION_S_DEFAULT: i64 = 3600;
/// The least and the most that a request may say, as on AWS.
const SESSION_S: std::ops::RangeInclusive<i64> = 900..=129_600;
/// When roles and users were created: long ago, and always the same.
const CREATED: &str = "2020-01-01T00:00:00Z";
/// An unsigned caller's access key in what is derived from it.
const NOBODY: &str = "AKIAIOSFODNN7EXAMPLE";

/// Who calls, and when.
pub(crate) struct Caller<'a> {
    pub(crate) place: &'a Place,
    /// The credentials of the server, if calls are signed, and the access key that signed this one.
    pub(crate) signed: Option<(&'a Credentials, &'a str)>,
    pub(crate) now_ms: i64,
    pub(crate) request_id: &'a str,
}

/// The fields of a form.
pub(crate) struct Form(Vec<(String, String)>);

/// Why a call is refused: code and text.
type Refused = (&'static str, String);

impl Form {
    /// Reads a form; fields may be in the query or in the body.
    pub(crate) fn read(query: &str, body: &[u8]) -> Form {
        let fields = |text| form_urlencoded::parse(text).into_owned();
        Form(fields(query.as_bytes()).chain(fields(body)).collect())
    }

    /// The operation that the form asks for.
    pub(crate) fn action(&self) -> Option<&str> {
        self.field("Action")
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(there, _)| there == name).map(|(_, value)| value.as_str())
    }

    fn needed(&self, name: &str) -> Result<&str, Refused> {
        let value = self.field(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| {
            let why = format!(
                "1 validation error detected: Value null at '{}{}' failed to satisfy constraint: Member must not be null",
                name[..1].to_ascii_lowercase(),
                &name[1..]
            );
            ("ValidationError", why)
        })
    }
}

/// Answers one call.
pub(crate) fn answer(form: &Form, caller: &Caller<'_>) -> Response<Body> {
    let action = form.action().unwrap_or_default();
    match perform(action, form, caller) {
        Ok((namespace, result)) => {
            let result = format!("<{action}Result>{result}</{action}Result>");
            let document = document(&format!("{action}Response"), namespace, &result, caller.request_id);
            reply::text(StatusCode::OK, "text/xml", document)
        }
        Err((code, message)) => error(StatusCode::BAD_REQUEST, code, &message, caller.request_id),
    }
}

/// An error of the query protocol.
pub(crate) fn error(status: StatusCode, code: &str, message: &str, request_id: &str) -> Response<Body> {
    let message = xml_escaped(message);
    reply::text(
        status,
        "text/xml",
        format!(
            "<ErrorResponse xmlns=\"{STS_NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code>\
             <Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        ),
    )
}

fn document(name: &str, namespace: &str, result: &str, request_id: &str) -> String {
    format!(
        "<{name} xmlns=\"{namespace}\">{result}<ResponseMetadata><RequestId>{request_id}</RequestId>\
         </ResponseMetadata></{name}>"
    )
}

fn perform(action: &str, form: &Form, caller: &Caller<'_>) -> Result<(&'static str, String), Refused> {
    let account = &caller.place.account;
    let user = || user(account);
    Ok(match action {
        "GetCallerIdentity" => {
            let identity = format!(
                "<Arn>arn:aws:iam::{account}:root</Arn><UserId>{account}</UserId><Account>{account}</Account>"
            );
            (STS_NAMESPACE, identity)
        }
        "GetSessionToken" => (STS_NAMESPACE, credentials(form, caller)?),
        "AssumeRole" => (STS_NAMESPACE, assume_role(form, caller)?),
        "GetRole" => (IAM_NAMESPACE, role(form.needed("RoleName")?, account)?),
        "GetUser" => (IAM_NAMESPACE, format!("<User>{}</User>", user())),
        "ListUsers" => {
            let users = format!("<IsTruncated>false</IsTruncated><Users><member>{}</member></Users>", user());
            (IAM_NAMESPACE, users)
        }
        "ListAccountAliases" => (IAM_NAMESPACE, "<IsTruncated>false</IsTruncated><AccountAliases/>".into()),
        other => {
            let why = format!(
                "Loveless does not support the operation '{other}': of STS it has GetCallerIdentity, GetSessionToken and \
                 AssumeRole, of IAM GetRole, GetUser, ListUsers and ListAccountAliases"
            );
            return Err(("InvalidAction", why));
        }
    })
}

fn assume_role(form: &Form, caller: &Caller<'_>) -> Result<String, Refused> {
    let (role, session) = (form.needed("RoleArn")?, form.needed("RoleSessionName")?);
    let name = role.strip_prefix("arn:").and_then(|rest| rest.split_once(":role/")).map(|(_, path)| path);
    let Some(name) = name.and_then(|path| path.rsplit('/').next()).filter(|name| !name.is_empty()) else {
        return Err(("ValidationError", format!("{role} is invalid")));
    };
    let arn = format!("arn:aws:sts::{}:assumed-role/{name}/{session}", caller.place.account);
    let id = format!("{}:{session}", id("AROA", role));
    Ok(format!(
        "{}<AssumedRoleUser><AssumedRoleId>{}</AssumedRoleId><Arn>{}</Arn></AssumedRoleUser>",
        credentials(form, caller)?,
        xml_escaped(&id),
        xml_escaped(&arn)
    ))
}

/// Temporary credentials of the caller's own.
fn credentials(form: &Form, caller: &Caller<'_>) -> Result<String, Refused> {
    let seconds = match form.field("DurationSeconds").map(str::parse) {
        None => SESSION_S_DEFAULT,
        Some(Ok(seconds)) if SESSION_S.contains(&seconds) => seconds,
        Some(_) => {
            let why = format!("DurationSeconds must be from {} to {}", SESSION_S.start(), SESSION_S.end());
            return Err(("ValidationError", why));
        }
    };
    let until_s = caller.now_ms.div_euclid(1000) + seconds;
    let Temporary { access_key, secret_key, session_token } = temporary(caller, until_s).ok_or_else(|| {
        let why = "Temporary credentials cannot get temporary credentials; sign with a key of the credentials file";
        ("AccessDenied", why.to_owned())
    })?;
    Ok(format!(
        "<Credentials><AccessKeyId>{access_key}</AccessKeyId><SecretAccessKey>{secret_key}</SecretAccessKey>\
         <SessionToken>{session_token}</SessionToken><Expiration>{}</Expiration></Credentials>",
        timestamp::format(until_s * 1000)
    ))
}

fn temporary(caller: &Caller<'_>, until_s: i64) -> Option<Temporary> {
    match caller.signed {
        Some((credentials, access_key)) => credentials.temporary(access_key, caller.request_id, until_s),
        // Nobody checks signatures, so any secret will do.
        None => {
            let mut credentials = Credentials::default();
            credentials.insert(NOBODY, caller.request_id, None);
            credentials.temporary(NOBODY, caller.request_id, until_s)
        }
    }
}

fn role(name: &str, account: &str) -> Result<String, Refused> {
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c)) || name.len() > 64 {
        return Err(("ValidationError", "The specified value for roleName is invalid.".into()));
    }
    Ok(format!(
        "<Role><Path>/</Path><RoleName>{name}</RoleName><RoleId>{}</RoleId>\
         <Arn>arn:aws:iam::{account}:role/{name}</Arn><CreateDate>{CREATED}</CreateDate>\
         <AssumeRolePolicyDocument>%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%5D%7D\
         </AssumeRolePolicyDocument><MaxSessionDuration>{SESSION_S_DEFAULT}</MaxSessionDuration></Role>",
        id("AROA", name)
    ))
}

fn user(account: &str) -> String {
    format!(
        "<Path>/</Path><UserName>loveless</UserName><UserId>{}</UserId><Arn>arn:aws:iam::{account}:user/loveless</Arn>\
         <CreateDate>{CREATED}</CreateDate>",
        id("AIDA", account)
    )
}

/// An id of IAM's form, always the same for the same name.
fn id(prefix: &str, name: &str) -> String {
    format!("{prefix}{}", hex::encode_upper(&Sha256::digest(name)[..8]))
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn ask(form: &str, signed: Option<(&Credentials, &str)>) -> (u16, String) {
        let place = Place { region: "us-east-1".into(), account: "123456789012".into() };
        let caller = Caller { place: &place, signed, now_ms: 1_700_000_000_000, request_id: "id" };
        let response = answer(&Form::read("", form.as_bytes()), &caller);
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn first_calls_of_clients_are_answered() {
        for (form, expected) in [
            ("Action=GetCallerIdentity&Version=2011-06-15", "<Account>123456789012</Account>"),
            ("Action=GetRole&RoleName=Step+Role", "The specified value for roleName is invalid."),
            ("Action=GetRole&RoleName=StepRole", "<Arn>arn:aws:iam::123456789012:role/StepRole</Arn>"),
            ("Action=GetRole", "Value null at 'roleName' failed"),
            ("Action=ListUsers&MaxItems=1", "<Arn>arn:aws:iam::123456789012:user/loveless</Arn>"),
            ("Action=GetUser", "<UserName>loveless</UserName>"),
            (
                "Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fdeploy%2FR&RoleSessionName=a%26b",
                "<Arn>arn:aws:sts::123456789012:assumed-role/R/a&amp;b</Arn>",
            ),
            ("Action=AssumeRole&RoleArn=R&RoleSessionName=s", "<Message>R is invalid</Message>"),
            ("Action=GetSessionToken&DurationSeconds=1", "DurationSeconds must be from 900"),
            ("Action=CreateUser&UserName=u", "<Code>InvalidAction</Code>"),
            ("", "<Code>InvalidAction</Code>"),
        ] {
            let (status, body) = ask(form, None).await;
            assert!(body.contains(expected), "{form}: {body}");
            assert_eq!(status == 200, !body.contains("<Error>"), "{form}");
        }
    }

    #[tokio::test]
    async fn temporary_credentials_are_the_callers() {
        let mut credentials = Credentials::default();
        credentials.insert("AKIAALICE", "secret", None);
        let (status, body) = ask("Action=GetSessionToken", Some((&credentials, "AKIAALICE"))).await;
        assert_eq!(status, 200);
        assert!(body.contains("<Expiration>2023-11-14T23:13:20.000Z</Expiration>"), "{body}");
        let (status, body) = ask("Action=GetSessionToken", Some((&credentials, "ASIATEMPORARY"))).await;
        assert_eq!(status, 400);
        assert!(body.contains("<Code>AccessDenied</Code>"), "{body}");
    }
}
