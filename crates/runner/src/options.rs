//! What the runner is told, by flags or environment, and which of its three modes that means.
//!
//! It reads no network and starts nothing.

use std::time::Duration;

use clap::Parser;

/// Environment variable by which Lambda says that it is outside.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
/// Longest `workerName` (AWS).
const WORKER_NAME_LENGTH_MAX: usize = 80;

/// Runs a Lambda function's command: under Lambda, as a worker of a Step Functions activity, or on a port.
#[derive(Debug, Parser)]
#[command(name = "loveless-runner", version)]
pub(crate) struct Options {
    /// ARN of the activity to work for
    #[arg(long, env = "ACTIVITY_ARN", value_name = "ARN")]
    pub(crate) activity_arn: Option<String>,

    /// Step Functions endpoint [env: AWS_ENDPOINT_URL_SFN, AWS_ENDPOINT_URL] [default: AWS's own in the ARN's region]
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,

    /// Tasks at once; each has a process of its own
    #[arg(long, env = "LOVELESS_SLOTS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) slots: u16,

    /// Seconds between heartbeats of a running task; well below the state's HeartbeatSeconds
    #[arg(long, env = "LOVELESS_HEARTBEAT", default_value_t = 10, value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    heartbeat: u64,

    /// Name that shows in the execution's history [default: the host's name]
    #[arg(long, env = "LOVELESS_WORKER_NAME", value_name = "NAME")]
    worker_name: Option<String>,

    /// Seconds that running tasks may take after SIGTERM before they are given up
    #[arg(long, env = "LOVELESS_DRAIN", default_value_t = 25, value_name = "SECONDS")]
    drain: u64,

    /// Seconds that a task may take; it is then killed and fails as a Lambda function's timeout does [default: no limit
    /// of ours; 300 on a port]
    #[arg(long, env = "LOVELESS_DEADLINE", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    deadline: Option<u64>,

    /// Memory that a process may hold, in MB [default: no limit of ours]
    #[arg(long, env = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", value_name = "MB")]
    pub(crate) memory_mb: Option<u32>,

    /// Address to serve invocations on when there is no activity to work for
    #[arg(long, env = "LOVELESS_LISTEN", default_value = "0.0.0.0:8080", value_name = "ADDRESS")]
    pub(crate) listen: std::net::SocketAddr,

    /// The function's own command
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

/// What to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The function, with Lambda outside.
    Exec,
    /// A worker.
    Worker(Activity),
    /// A port that answers invocations.
    Emulator,
}

/// An activity, as its ARN names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Activity {
    pub(crate) arn: String,
    pub(crate) partition: String,
    pub(crate) region: String,
    pub(crate) account: String,
    pub(crate) name: String,
}

impl Options {
    pub(crate) fn mode(&self) -> Result<Mode, String> {
        if set(RUNTIME_API).is_some() {
            return Ok(Mode::Exec);
        }
        match self.activity_arn.as_deref().filter(|arn| !arn.is_empty()) {
            Some(arn) => Activity::parse(arn).map(Mode::Worker),
            None => Ok(Mode::Emulator),
        }
    }

    pub(crate) fn heartbeat(&self) -> Duration {
        Duration::from_secs(self.heartbeat)
    }

    pub(crate) fn drain(&self) -> Duration {
        Duration::from_secs(self.drain)
    }

    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.deadline.map(Duration::from_secs)
    }

    /// Name of this worker's slot; the slot's number keeps apart what the history shows.
    pub(crate) fn worker_name(&self, slot: u16) -> String {
        let name =
            self.worker_name.clone().or_else(host_name).unwrap_or_else(|| "loveless-runner".to_owned());
        let number = format!("-{slot}");
        let room = WORKER_NAME_LENGTH_MAX - number.len();
        name.chars().take(room).collect::<String>() + &number
    }

    /// Where Step Functions is, by flag, environment, or AWS's naming.
    pub(crate) fn endpoint(&self, activity: &Activity) -> String {
        let given = self.endpoint_url.clone().filter(|url| !url.is_empty());
        given.or_else(|| set("AWS_ENDPOINT_URL_SFN")).or_else(|| set("AWS_ENDPOINT_URL")).unwrap_or_else(
            || {
                let domain =
                    if activity.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
                format!("https://states.{}.{domain}", activity.region)
            },
        )
    }
}

impl Activity {
    pub(crate) fn parse(arn: &str) -> Result<Activity, String> {
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", partition, "states", region, account, "activity", name] = parts.as_slice() else {
            return Err(format!(
                "'{arn}' is no activity: expected arn:aws:states:REGION:ACCOUNT:activity:NAME"
            ));
        };
        let own = |part: &&str| (*part).to_owned();
        if [region, account, name].iter().any(|part| part.is_empty()) {
            return Err(format!("'{arn}' lacks its region, account or name"));
        }
        Ok(Activity {
            arn: arn.to_owned(),
            partition: own(partition),
            region: own(region),
            account: own(account),
            name: own(name),
        })
    }
}

/// An environment variable that is there and not empty.
pub(crate) fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn host_name() -> Option<String> {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned());
    kernel.filter(|name| !name.is_empty()).or_else(|| set("HOSTNAME"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &[&str]) -> Options {
        Options::try_parse_from([&["loveless-runner"], words].concat()).unwrap()
    }

    #[test]
    fn the_command_begins_at_the_first_word_that_is_no_flag() {
        let cases: [(&[&str], &[&str]); 4] = [
            (&["/fn"], &["/fn"]),
            (&["--", "/fn", "-v"], &["/fn", "-v"]),
            (&["--slots", "2", "python", "-m", "awslambdaric", "app.handler"], {
                &["python", "-m", "awslambdaric", "app.handler"]
            }),
            (&["/fn", "--slots", "2"], &["/fn", "--slots", "2"]),
        ];
        for (words, command) in cases {
            assert_eq!(options(words).command, command);
        }
        assert!(Options::try_parse_from(["loveless-runner"]).is_err(), "a command is needed");
        assert!(Options::try_parse_from(["loveless-runner", "--slots", "0", "/fn"]).is_err());
    }

    #[test]
    fn an_activity_is_read_from_its_arn() {
        let activity = Activity::parse("arn:aws-cn:states:cn-north-1:123456789012:activity:a.b").unwrap();
        assert_eq!((activity.region.as_str(), activity.name.as_str()), ("cn-north-1", "a.b"));
        let aws = options(&["/fn"]);
        assert_eq!(aws.endpoint(&activity), "https://states.cn-north-1.amazonaws.com.cn");
        let given = options(&["--endpoint-url", "http://127.0.0.1:8083", "/fn"]);
        assert_eq!(given.endpoint(&activity), "http://127.0.0.1:8083");
        for arn in ["a", "arn:aws:states:us-east-1:1:stateMachine:a", "arn:aws:states::1:activity:a"] {
            assert!(Activity::parse(arn).is_err(), "{arn}");
        }
    }

    #[test]
    fn worker_names_fit() {
        let long = options(&["--worker-name", &"w".repeat(200), "/fn"]);
        assert_eq!(long.worker_name(12).len(), WORKER_NAME_LENGTH_MAX);
        assert!(long.worker_name(12).ends_with("w-12"));
    }
}
