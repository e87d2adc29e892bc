//! The environment variables that Lambda sets for a function, from its settings.
//!
//! It knows the names and nothing of processes: the result is a map. Who assembles a sandbox lets the later of these
//! win: [`defaults`], what the host gives to every function (`AWS_ENDPOINT_URL…`), the function's own, [`reserved`].
//!
//! `AWS_EXECUTION_ENV` is absent on purpose: Lambda leaves it to the base image, and `_X_AMZN_TRACE_ID` to the
//! runtime, which sets it anew for each event.

use std::collections::BTreeMap;

use crate::function::LATEST;

/// AWS credentials as a function sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`.
    pub session_token: Option<String>,
}

impl Default for Credentials {
    /// The pair that a server accepts which asks for no signature.
    fn default() -> Credentials {
        Credentials {
            access_key_id: "loveless".to_owned(),
            secret_access_key: "loveless".to_owned(),
            session_token: None,
        }
    }
}

/// What the reserved variables are made of.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// Function name.
    pub function: &'a str,
    /// Region.
    pub region: &'a str,
    /// Memory limit in MB.
    pub memory_mb: u32,
    /// Last word of the start command.
    pub handler: &'a str,
    /// Folder that holds the function's code.
    pub task_root: &'a str,
    /// Unique per sandbox: becomes the log stream's name.
    pub sandbox_id: &'a str,
}

/// The variables that Lambda sets and a function may override.
pub fn defaults() -> BTreeMap<String, String> {
    let path = "/usr/local/bin:/usr/bin:/bin:/opt/bin";
    [("LANG", "en_US.UTF-8"), ("TZ", ":UTC"), ("PATH", path)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// The variables that Lambda reserves. `AWS_LAMBDA_RUNTIME_API` is the sandbox's to add: it names its listener.
pub fn reserved(identity: Identity<'_>, credentials: Option<&Credentials>) -> BTreeMap<String, String> {
    let Identity { function, region, memory_mb, handler, task_root, sandbox_id } = identity;
    let day = crate::clock::rfc3339(crate::clock::now_ms())[..10].replace('-', "/");
    let mut variables: BTreeMap<String, String> = [
        ("AWS_LAMBDA_FUNCTION_NAME", function),
        ("AWS_LAMBDA_FUNCTION_VERSION", LATEST),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_REGION", region),
        ("AWS_DEFAULT_REGION", region),
        ("LAMBDA_TASK_ROOT", task_root),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
        ("_HANDLER", handler),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let mut set = |name: &str, value: String| variables.insert(name.to_owned(), value);
    set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory_mb.to_string());
    set("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{function}"));
    set("AWS_LAMBDA_LOG_STREAM_NAME", format!("{day}/[{LATEST}]{sandbox_id}"));
    if let Some(credentials) = credentials {
        set("AWS_ACCESS_KEY_ID", credentials.access_key_id.clone());
        set("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.clone());
        if let Some(token) = &credentials.session_token {
            set("AWS_SESSION_TOKEN", token.clone());
        }
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_of_the_runtime_contract_is_set() {
        let identity = Identity {
            function: "f",
            region: "eu-west-1",
            memory_mb: 512,
            handler: "app.handler",
            task_root: "/var/task",
            sandbox_id: "abc",
        };
        let credentials = Credentials { session_token: Some("t".into()), ..Credentials::default() };
        let variables = reserved(identity, Some(&credentials));
        let expected = [
            ("AWS_LAMBDA_FUNCTION_NAME", "f"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/f"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("AWS_SESSION_TOKEN", "t"),
            ("_HANDLER", "app.handler"),
            ("LAMBDA_TASK_ROOT", "/var/task"),
        ];
        for (name, value) in expected {
            assert_eq!(variables.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert!(variables["AWS_LAMBDA_LOG_STREAM_NAME"].ends_with("/[$LATEST]abc"));
        assert!(!reserved(identity, None).contains_key("AWS_ACCESS_KEY_ID"));
    }
}
