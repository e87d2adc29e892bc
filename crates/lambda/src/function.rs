//! What a function is: a name, a target, and the settings that Lambda knows. Plain data, checked when it comes in.
//!
//! It knows nothing of how a target is run. A target has one textual form, the `ImageUri` of CreateFunction, so that
//! unchanged AWS tools can name a local process or an endpoint where AWS takes an image:
//!
//! | text | target |
//! |--|--|
//! | `process:/abs/program arg…` | a local program; white space splits, `%20` is a space inside a word |
//! | `http://…`, `https://…` | an Invoke endpoint elsewhere; with a path, that path is the invocation URL |
//! | anything else | a container image reference |

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The only version that is run: publishing versions is no part of this host.
pub const LATEST: &str = "$LATEST";

/// Longest `Timeout`, in seconds (AWS).
pub const TIMEOUT_S_MAX: u32 = 900;
/// `Timeout` of a function that names none, in seconds (AWS).
pub const TIMEOUT_S_DEFAULT: u32 = 3;
/// Smallest and default `MemorySize`, in MB (AWS).
pub const MEMORY_MB_MIN: u32 = 128;
/// Largest `MemorySize`, in MB (AWS).
pub const MEMORY_MB_MAX: u32 = 10_240;
/// All environment variables of a function together, in bytes (AWS).
pub const ENVIRONMENT_BYTES_MAX: usize = 4096;
/// Longest function name (AWS).
const NAME_LENGTH_MAX: usize = 64;

/// Environment variables that Lambda sets itself and refuses to let a function override.
const RESERVED_VARIABLES: [&str; 19] = [
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
];

/// A function as it is registered and persisted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionConfig {
    /// Name, unique within account and region.
    pub name: String,
    /// What runs when it is invoked.
    pub target: Target,
    /// Seconds an invocation may take.
    #[serde(default = "timeout_s_default")]
    pub timeout_s: u32,
    /// Memory limit in MB; a container's share of CPU follows it as on AWS.
    #[serde(default = "memory_mb_default")]
    pub memory_mb: u32,
    /// The function's own environment variables.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// What overrides the image's own start command.
    #[serde(default)]
    pub image_config: ImageConfig,
    /// Account that owns it.
    pub account: String,
    /// Region that it is in.
    pub region: String,
    /// Execution role: kept and shown, not enforced.
    #[serde(default)]
    pub role: String,
    /// Free text: kept and shown.
    #[serde(default)]
    pub description: String,
    /// RFC 3339 moment of the last change; empty if it never went through the REST calls.
    #[serde(default)]
    pub last_modified: String,
    /// Changes with every update (the `RevisionId` of AWS).
    #[serde(default)]
    pub revision_id: String,
}

/// Overrides of an image's start command, each by itself as in Docker and Lambda.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// Replaces the image's ENTRYPOINT; for a process, its program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_point: Option<Vec<String>>,
    /// Replaces the image's CMD; for a process, its arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Replaces the image's WORKDIR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<String>,
}

/// What runs when a function is invoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    /// A container image, by the reference that the Docker engine knows it by.
    Image {
        /// Reference such as `fn:latest` or `registry/fn@sha256:…`.
        uri: String,
    },
    /// A program of this machine that speaks the Runtime API.
    Process {
        /// Absolute path.
        program: String,
        /// Its arguments; the last is the handler.
        args: Vec<String>,
    },
    /// An Invoke endpoint elsewhere: a Lambda service, or a runtime interface emulator.
    Endpoint {
        /// `http://host:port`, or a whole invocation URL.
        url: String,
    },
}

/// A setting that cannot be, in words for the person who set it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct ConfigError {
    /// The setting, by its name in CreateFunction.
    pub field: &'static str,
    /// What is wrong and what is allowed.
    pub problem: String,
}

impl FunctionConfig {
    /// A function with Lambda's defaults for everything but its name and target.
    pub fn new(name: impl Into<String>, target: Target, account: &str, region: &str) -> FunctionConfig {
        FunctionConfig {
            name: name.into(),
            target,
            timeout_s: TIMEOUT_S_DEFAULT,
            memory_mb: MEMORY_MB_MIN,
            environment: BTreeMap::new(),
            image_config: ImageConfig::default(),
            account: account.to_owned(),
            region: region.to_owned(),
            role: String::new(),
            description: String::new(),
            last_modified: String::new(),
            revision_id: String::new(),
        }
    }

    /// `arn:aws:lambda:REGION:ACCOUNT:function:NAME`, without a qualifier.
    pub fn arn(&self) -> String {
        format!("arn:aws:lambda:{}:{}:function:{}", self.region, self.account, self.name)
    }

    /// Checks every setting against Lambda's rules; the first one broken is returned.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_name(&self.name)?;
        in_range("Timeout", self.timeout_s, 1, TIMEOUT_S_MAX)?;
        in_range("MemorySize", self.memory_mb, MEMORY_MB_MIN, MEMORY_MB_MAX)?;
        check_environment(&self.environment)
    }

    /// The start command of a process target: the program and its arguments with `image_config` applied.
    /// `None` for other targets.
    pub fn process_command(&self) -> Option<Vec<String>> {
        let Target::Process { program, args } = &self.target else { return None };
        let mut line = self.image_config.entry_point.clone().unwrap_or_else(|| vec![program.clone()]);
        line.extend(self.image_config.command.as_ref().unwrap_or(args).iter().cloned());
        Some(line)
    }
}

fn timeout_s_default() -> u32 {
    TIMEOUT_S_DEFAULT
}

fn memory_mb_default() -> u32 {
    MEMORY_MB_MIN
}

fn check_name(name: &str) -> Result<(), ConfigError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if (1..=NAME_LENGTH_MAX).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    let problem = format!("'{name}' must be 1 to {NAME_LENGTH_MAX} letters, digits, '-' or '_'");
    Err(ConfigError { field: "FunctionName", problem })
}

fn in_range(field: &'static str, value: u32, min: u32, max: u32) -> Result<(), ConfigError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(ConfigError { field, problem: format!("{value} must be from {min} to {max}") })
}

fn check_environment(environment: &BTreeMap<String, String>) -> Result<(), ConfigError> {
    let refuse = |problem| Err(ConfigError { field: "Environment.Variables", problem });
    let reserved: Vec<&str> =
        environment.keys().map(String::as_str).filter(|key| RESERVED_VARIABLES.contains(key)).collect();
    if !reserved.is_empty() {
        return refuse(format!("reserved keys cannot be set: {}", reserved.join(", ")));
    }
    let word = |key: &str| {
        key.starts_with(|c: char| c.is_ascii_alphabetic())
            && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if let Some(key) = environment.keys().find(|key| !word(key)) {
        return refuse(format!("'{key}' must begin with a letter and hold only letters, digits and '_'"));
    }
    if let Some((key, _)) = environment.iter().find(|(_, value)| value.contains('\0')) {
        return refuse(format!("the value of '{key}' holds a zero byte"));
    }
    let bytes: usize = environment.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > ENVIRONMENT_BYTES_MAX {
        return refuse(format!("{bytes} bytes in all, at most {ENVIRONMENT_BYTES_MAX} are allowed"));
    }
    Ok(())
}

impl FromStr for Target {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Target, ConfigError> {
        let refuse = |problem: String| ConfigError { field: "ImageUri", problem };
        if let Some(line) = text.strip_prefix("process:") {
            let mut words = line.split_ascii_whitespace().map(unescape);
            let program = words.next().filter(|program| program.starts_with('/')).ok_or_else(|| {
                refuse(format!("'{text}' must name a program by its absolute path, as in process:/opt/fn"))
            })?;
            let args: Vec<String> = words.collect();
            if program.contains('\0') || args.iter().any(|arg| arg.contains('\0')) {
                return Err(refuse(format!("'{text}' holds a zero byte")));
            }
            return Ok(Target::Process { program, args });
        }
        if text.starts_with("http://") || text.starts_with("https://") {
            let host = text.split("://").nth(1).unwrap_or_default();
            if host.is_empty() || host.starts_with(['/', ':']) || text.contains(char::is_whitespace) {
                return Err(refuse(format!(
                    "'{text}' must be a URL with a host, as in http://127.0.0.1:9000"
                )));
            }
            return Ok(Target::Endpoint { url: text.to_owned() });
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "./:_@-".contains(c);
        let begins_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !begins_well || !text.chars().all(allowed) {
            return Err(refuse(format!(
                "'{text}' must be an image reference such as fn:latest, process:/path/to/program, or an http(s) URL"
            )));
        }
        Ok(Target::Image { uri: text.to_owned() })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Image { uri } => f.write_str(uri),
            Target::Endpoint { url } => f.write_str(url),
            Target::Process { program, args } => {
                write!(f, "process:{}", escape(program))?;
                args.iter().try_for_each(|arg| write!(f, " {}", escape(arg)))
            }
        }
    }
}

impl TryFrom<String> for Target {
    type Error = ConfigError;

    fn try_from(text: String) -> Result<Target, ConfigError> {
        text.parse()
    }
}

impl From<Target> for String {
    fn from(target: Target) -> String {
        target.to_string()
    }
}

/// Writes white space and `%` as `%XX`; an empty word as `%` alone, since splitting would lose it.
fn escape(word: &str) -> String {
    if word.is_empty() {
        return "%".to_owned();
    }
    let mut text = String::with_capacity(word.len());
    for c in word.chars() {
        if c.is_ascii_whitespace() || c == '%' {
            text.push_str(&format!("%{:02X}", u32::from(c)));
        } else {
            text.push(c);
        }
    }
    text
}

/// The reverse of [`escape`]; a `%` that begins no escape stands for itself.
fn unescape(word: &str) -> String {
    if word == "%" {
        return String::new();
    }
    let mut text = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.find('%') {
        text.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code.filter(u8::is_ascii) {
            Some(byte) => {
                text.push(char::from(byte));
                rest = &rest[at + 3..];
            }
            None => {
                text.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    text.push_str(rest);
    text
}

/// How a caller names a function: `f`, `f:qualifier`, `ACCOUNT:function:f`, or an ARN with or without qualifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionRef {
    /// Region, if the caller named one.
    pub region: Option<String>,
    /// Account, if the caller named one.
    pub account: Option<String>,
    /// The function's name.
    pub name: String,
    /// Version or alias, if the caller named one.
    pub qualifier: Option<String>,
}

impl FromStr for FunctionRef {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<FunctionRef, ConfigError> {
        let parts: Vec<&str> = text.split(':').collect();
        let owned = |part: &str| Some(part.to_owned());
        let (region, account, rest) = match parts.as_slice() {
            ["arn", _partition, "lambda", region, account, "function", rest @ ..] => {
                (owned(region), owned(account), rest)
            }
            [account, "function", rest @ ..] => (None, owned(account), rest),
            rest => (None, None, rest),
        };
        let (name, qualifier) = match rest {
            [name] => (*name, None),
            [name, qualifier] if !qualifier.is_empty() => (*name, owned(qualifier)),
            _ => {
                let problem = format!("'{text}' is neither a function name nor a function ARN");
                return Err(ConfigError { field: "FunctionName", problem });
            }
        };
        check_name(name)?;
        Ok(FunctionRef { region, account, name: name.to_owned(), qualifier })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_have_one_text() {
        let process = |program: &str, args: &[&str]| Target::Process {
            program: program.into(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        };
        let cases = [
            ("process:/opt/fn", process("/opt/fn", &[])),
            ("process:/usr/bin/python3 -m awslambdaric app.handler", {
                process("/usr/bin/python3", &["-m", "awslambdaric", "app.handler"])
            }),
            ("process:/opt/my%20fn 100%25 %", process("/opt/my fn", &["100%", ""])),
            ("http://127.0.0.1:9000", Target::Endpoint { url: "http://127.0.0.1:9000".into() }),
            (
                "https://h/2015-03-31/functions/function/invocations",
                Target::Endpoint { url: "https://h/2015-03-31/functions/function/invocations".into() },
            ),
            (
                "000000000000.dkr.ecr.us-east-1.amazonaws.com/fn@sha256:ab",
                Target::Image { uri: "000000000000.dkr.ecr.us-east-1.amazonaws.com/fn@sha256:ab".into() },
            ),
        ];
        for (text, target) in cases {
            assert_eq!(text.parse(), Ok(target.clone()), "{text}");
            assert_eq!(target.to_string(), text);
        }
    }

    #[test]
    fn impossible_targets_are_refused() {
        for text in [
            "",
            "process:",
            "process:fn",
            "http://",
            "http://:80",
            "https:///x",
            "fn latest",
            "-fn",
            "\"fn\"",
        ] {
            let refused = text.parse::<Target>().expect_err(text);
            assert_eq!(refused.field, "ImageUri", "{text}");
        }
    }

    #[test]
    fn functions_are_named_in_lambdas_five_ways() {
        let named = |region: Option<&str>, account: Option<&str>, qualifier: Option<&str>| FunctionRef {
            region: region.map(str::to_owned),
            account: account.map(str::to_owned),
            name: "f-1".into(),
            qualifier: qualifier.map(str::to_owned),
        };
        let (region, account) = (Some("eu-west-1"), Some("123456789012"));
        let cases = [
            ("f-1", named(None, None, None)),
            ("f-1:$LATEST", named(None, None, Some(LATEST))),
            ("123456789012:function:f-1", named(None, account, None)),
            ("arn:aws:lambda:eu-west-1:123456789012:function:f-1", named(region, account, None)),
            (
                "arn:aws-cn:lambda:eu-west-1:123456789012:function:f-1:prod",
                named(region, account, Some("prod")),
            ),
        ];
        for (text, parsed) in cases {
            assert_eq!(text.parse(), Ok(parsed), "{text}");
        }
        for text in
            ["", "a b", "arn:aws:lambda:eu-west-1:123456789012:function", "a:b:c", "f:", "arn:aws:s3:::f"]
        {
            assert!(text.parse::<FunctionRef>().is_err(), "{text}");
        }
    }

    #[test]
    fn settings_out_of_range_name_their_field() {
        let sound = FunctionConfig::new("f", Target::Image { uri: "fn".into() }, "000000000000", "us-east-1");
        assert_eq!(sound.validate(), Ok(()));
        let variable = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
        let broken = [
            ("FunctionName", FunctionConfig { name: "no space".into(), ..sound.clone() }),
            ("Timeout", FunctionConfig { timeout_s: 0, ..sound.clone() }),
            ("Timeout", FunctionConfig { timeout_s: 901, ..sound.clone() }),
            ("MemorySize", FunctionConfig { memory_mb: 127, ..sound.clone() }),
            ("MemorySize", FunctionConfig { memory_mb: 10_241, ..sound.clone() }),
            (
                "Environment.Variables",
                FunctionConfig { environment: variable("_HANDLER", "x"), ..sound.clone() },
            ),
            ("Environment.Variables", FunctionConfig { environment: variable("1A", "x"), ..sound.clone() }),
            ("Environment.Variables", FunctionConfig { environment: variable("A", "\0"), ..sound.clone() }),
            (
                "Environment.Variables",
                FunctionConfig {
                    environment: variable("A", &"x".repeat(ENVIRONMENT_BYTES_MAX)),
                    ..sound.clone()
                },
            ),
        ];
        for (field, config) in broken {
            assert_eq!(config.validate().expect_err(field).field, field);
        }
    }

    #[test]
    fn a_function_survives_json() {
        let mut config =
            FunctionConfig::new("f", "process:/fn a%20b".parse().unwrap(), "000000000000", "us-east-1");
        config.environment.insert("KEY".into(), "value".into());
        config.image_config.command = Some(vec!["app.handler".into()]);
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<FunctionConfig>(&text).unwrap(), config);
        assert_eq!(config.process_command().unwrap(), ["/fn", "app.handler"]);
    }
}
