//! The function's process: how the runner starts it, with what environment, and when it gives up.
//!
//! It knows nothing of tasks. The environment is this process's own, which is the image's, with what Lambda would have
//! set added where it is missing: an image that sets `LAMBDA_TASK_ROOT` itself knows better.

use std::{collections::BTreeMap, time::Duration};

use lambda::{
    environment::{self, Identity},
    failure::{ErrorBody, Exit},
    logs::Logs,
    process::ProcessSpec,
    runtime_api::Invocation,
    sandbox::{Sandbox, StartError, Started},
};
use tokio_util::task::TaskTracker;

use crate::options::{Activity, Options, set};

/// Time for the function's start-up. Lambda gives ten seconds; workers exist for what is too heavy for Lambda, such as
/// models that load for minutes, so only a start-up that hangs is ended.
const INIT_MAX: Duration = Duration::from_secs(600);
/// What the function is told of its deadline if there is none: the most whole days that fit into the 32-bit count of
/// milliseconds which timers of some languages take. Functions that stop early when time runs out must not.
const NO_DEADLINE: Duration = Duration::from_secs(24 * 24 * 60 * 60);

/// Starts the function's process.
#[derive(Debug)]
pub(crate) struct Runtime {
    spec: ProcessSpec,
    name: String,
    function_arn: String,
    deadline: Option<Duration>,
    watchers: TaskTracker,
}

/// Why the function could not be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failed {
    #[error("{0}")]
    Start(#[from] StartError),
    #[error("{}", String::from_utf8_lossy(&.0.body))]
    Init(ErrorBody),
    #[error("{0}")]
    Exited(Exit),
    #[error("its start-up took longer than {INIT_MAX:?}")]
    TooSlow,
}

impl Failed {
    /// In the shape in which Lambda reports it.
    pub(crate) fn error(&self, request_id: &str) -> ErrorBody {
        match self {
            Failed::Start(error) => ErrorBody::invalid_entrypoint(request_id, &error.to_string()),
            Failed::Init(error) => error.clone(),
            Failed::Exited(exit) => ErrorBody::exited(request_id, exit),
            Failed::TooSlow => ErrorBody::typed("Runtime.InitTimeout", &self.to_string()),
        }
    }
}

impl Runtime {
    pub(crate) fn new(options: &Options, activity: Option<&Activity>, watchers: TaskTracker) -> Runtime {
        let name = set("AWS_LAMBDA_FUNCTION_NAME");
        let name = name
            .or_else(|| activity.map(|activity| activity.name.clone()))
            .unwrap_or_else(|| "function".into());
        let region = set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION"));
        let region = region.or_else(|| activity.map(|activity| activity.region.clone()));
        let region = region.unwrap_or_else(|| "us-east-1".to_owned());
        let account = activity.map_or("000000000000", |activity| &activity.account);
        let function_arn = format!("arn:aws:lambda:{region}:{account}:function:{name}");
        let spec = ProcessSpec {
            command: options.command.clone(),
            working_directory: None,
            environment: missing(options, &name, &region),
            inherit_environment: true,
            memory_mb: options.memory_mb,
            capture_output: false,
        };
        Runtime { spec, name, function_arn, deadline: options.deadline(), watchers }
    }

    /// A process that is ready for its first event.
    pub(crate) async fn start(&self) -> Result<Sandbox, Failed> {
        let mut sandbox = Sandbox::process(self.spec.clone(), Logs::new(&self.name), &self.watchers).await?;
        match sandbox.started(Some(INIT_MAX)).await {
            Started::Ready => Ok(sandbox),
            Started::Failed(error) => Err(Failed::Init(error)),
            Started::Exited(exit) => Err(Failed::Exited(exit)),
            Started::TooSlow => Err(Failed::TooSlow),
        }
    }

    /// Longest that one event may take.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// An event for the function.
    pub(crate) fn invocation(&self, request_id: &str, payload: impl Into<bytes::Bytes>) -> Invocation {
        let time = self.deadline.unwrap_or(NO_DEADLINE);
        let random = uuid::Uuid::new_v4().simple().to_string();
        let seconds = lambda::clock::now_ms() / 1000;
        Invocation {
            request_id: request_id.to_owned(),
            payload: payload.into(),
            deadline_ms: lambda::clock::now_ms()
                .saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
            function_arn: self.function_arn.clone(),
            trace_id: format!("Root=1-{seconds:08x}-{};Parent={};Sampled=0", &random[..24], &random[16..]),
            client_context: None,
        }
    }
}

/// The variables of Lambda's that our own environment lacks.
fn missing(options: &Options, name: &str, region: &str) -> BTreeMap<String, String> {
    let identity = Identity {
        function: name,
        region,
        memory_mb: options.memory_mb.unwrap_or_else(memory_mb),
        handler: options.command.last().map(String::as_str).unwrap_or_default(),
        task_root: "/var/task",
        sandbox_id: &uuid::Uuid::new_v4().simple().to_string(),
    };
    let mut variables = environment::defaults();
    variables.extend(environment::reserved(identity, None));
    variables.retain(|variable, _| std::env::var_os(variable).is_none());
    variables
}

/// Memory of this container, or of the machine, in MB: what a function without a limit may count on.
fn memory_mb() -> u32 {
    let number = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let machine = || {
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kb| kb * 1024)
    };
    let limits = [
        number("/sys/fs/cgroup/memory.max"),
        number("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        machine(),
    ];
    let bytes = limits.into_iter().flatten().min().unwrap_or(0);
    u32::try_from(bytes / (1024 * 1024)).unwrap_or(u32::MAX).max(128)
}
