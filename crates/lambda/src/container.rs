//! A function as a container, by the Docker Engine API.
//!
//! ```text
//!   create ─► attach (before start: no line is lost) ─► start ─► watcher task: wait ─► inspect ─► remove
//! ```
//!
//! It knows the engine and images, and of Lambda only what an image may count on there: a read-only root, a writable
//! `/tmp`, an unprivileged user, CPU in proportion to memory.
//!
//! **Network: the host's.** The Runtime API and the server listen on loopback, where nobody else on the network can
//! reach them. A container on a bridge could not either, unless they listened on more; sharing the host's network
//! keeps them closed and makes `AWS_ENDPOINT_URL=http://127.0.0.1:…` true inside as well. It needs the engine on this
//! machine and on Linux; with Docker Desktop or a remote engine the function cannot reach us, and its init times out.
//!
//! **Removal is ours**, not the engine's `AutoRemove`: that would race with reading the exit status and the
//! out-of-memory mark. Every container carries a label that names its server; what a dead server left behind is
//! removed when the next one meets the engine.
//!
//! `/tmp` is memory and counts against the function's limit.

use std::{
    collections::{BTreeMap, HashMap},
    sync::OnceLock,
};

use bollard::{
    Docker,
    container::{AttachContainerResults, LogOutput},
    errors::Error,
    models::{ContainerCreateBody, HostConfig, ImageInspect, ResourcesUlimits},
    query_parameters::{
        AttachContainerOptionsBuilder, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
        WaitContainerOptions,
    },
};
use futures::StreamExt;
use tokio::{
    sync::{Mutex, watch},
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    failure::Exit,
    function::ImageConfig,
    logs::Logs,
    runtime_api::RuntimeApi,
    sandbox::{Runtime, Sandbox, StartError},
};

/// Label on every container: host, process id and start of the server that owns it.
const LABEL: &str = "loveless";
/// MB of memory that buy one CPU (AWS).
const MB_PER_CPU: i64 = 1769;
/// The user and group that functions run as on Lambda.
const USER: &str = "993:990";
/// Writable space at `/tmp` (AWS default).
const TMP_OPTIONS: &str = "rw,exec,nosuid,nodev,mode=1777,size=512m";
/// Open files, and processes with their threads (AWS: 1,024 each).
const DESCRIPTORS_MAX: i64 = 1024;
/// How long the last lines of a container may take to arrive after its end.
const LAST_WORDS_MAX: std::time::Duration = std::time::Duration::from_millis(500);

/// The engine of this machine, found at the first use.
#[derive(Debug, Default)]
pub struct Engines {
    found: Mutex<Option<Engine>>,
}

/// A Docker engine that answers.
#[derive(Clone, Debug)]
pub struct Engine {
    docker: Docker,
    cpus: i64,
    limits_cpu: bool,
    limits_memory: bool,
    limits_swap: bool,
}

/// An image that the engine has.
#[derive(Clone, Debug)]
pub struct Image {
    inspected: ImageInspect,
}

/// What to run.
#[derive(Clone, Debug)]
pub struct ContainerSpec {
    /// Image reference.
    pub image: String,
    /// Overrides of its start command.
    pub overrides: ImageConfig,
    /// Variables to set over the image's own.
    pub environment: BTreeMap<String, String>,
    /// Memory limit; CPU follows it.
    pub memory_mb: u32,
    /// Function name, for people who look at the engine.
    pub function: String,
}

impl Engines {
    /// The engine, if one answers. A later call asks again, so that an engine started meanwhile is found.
    pub async fn engine(&self) -> Result<Engine, StartError> {
        let mut found = self.found.lock().await;
        if let Some(engine) = &*found {
            return Ok(engine.clone());
        }
        let engine = Engine::connect().await?;
        engine.remove_leftovers().await;
        Ok(found.insert(engine).clone())
    }
}

impl Engine {
    /// Connects to `DOCKER_HOST`, or to the usual socket.
    pub async fn connect() -> Result<Engine, StartError> {
        let silent = |error: Error| {
            StartError::Machine(format!(
                "no Docker engine answers ({error}); start one, set DOCKER_HOST, or register a local process instead"
            ))
        };
        let docker =
            Docker::connect_with_defaults().map_err(silent)?.negotiate_version().await.map_err(silent)?;
        let info = docker.info().await.map_err(silent)?;
        Ok(Engine {
            docker,
            cpus: info.ncpu.unwrap_or(1),
            limits_cpu: info.cpu_cfs_quota.unwrap_or(false),
            limits_memory: info.memory_limit.unwrap_or(false),
            limits_swap: info.swap_limit.unwrap_or(false),
        })
    }

    /// An image that the engine has; it pulls none.
    pub async fn image(&self, uri: &str) -> Result<Image, StartError> {
        match self.docker.inspect_image(uri).await {
            Ok(inspected) => Ok(Image { inspected }),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Err(StartError::Image(
                format!("the Docker engine has no image '{uri}'; build it there, or `docker pull` it"),
            )),
            Err(error) => {
                Err(StartError::Machine(format!("the Docker engine could not look at '{uri}': {error}")))
            }
        }
    }

    async fn remove_leftovers(&self) {
        let filters = HashMap::from([("label", vec![LABEL])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let found = self.docker.list_containers(Some(options)).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "could not look for containers of servers that are gone");
            Vec::new()
        });
        for container in found {
            let owner = container.labels.as_ref().and_then(|labels| labels.get(LABEL));
            if let (Some(id), true) = (&container.id, owner.is_some_and(|owner| is_gone(owner))) {
                tracing::info!(%id, "removing a container of a server that is gone");
                self.remove(id).await;
            }
        }
    }

    async fn remove(&self, id: &str) {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match self.docker.remove_container(id, Some(options)).await {
            // 409: its removal is in progress already.
            Ok(()) | Err(Error::DockerResponseServerError { status_code: 404 | 409, .. }) => {}
            Err(error) => tracing::warn!(%error, %id, "could not remove a container"),
        }
    }

    fn host_config(&self, memory_mb: u32) -> HostConfig {
        let memory = i64::from(memory_mb) * 1024 * 1024;
        let share = i64::from(memory_mb) * 1_000_000_000 / MB_PER_CPU;
        HostConfig {
            network_mode: Some("host".to_owned()),
            readonly_rootfs: Some(true),
            tmpfs: Some(HashMap::from([("/tmp".to_owned(), TMP_OPTIONS.to_owned())])),
            memory: self.limits_memory.then_some(memory),
            // Equal to `memory`: no swap, on which a function over its limit would crawl instead of ending.
            memory_swap: (self.limits_memory && self.limits_swap).then_some(memory),
            nano_cpus: self.limits_cpu.then(|| share.min(self.cpus * 1_000_000_000)),
            cap_drop: Some(vec!["ALL".to_owned()]),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            pids_limit: Some(DESCRIPTORS_MAX),
            ulimits: Some(vec![ResourcesUlimits {
                name: Some("nofile".to_owned()),
                soft: Some(DESCRIPTORS_MAX),
                hard: Some(DESCRIPTORS_MAX),
            }]),
            ..HostConfig::default()
        }
    }
}

impl Image {
    /// The digest by which the engine knows it (`sha256:…`), the same for every tag of it.
    pub fn digest(&self) -> String {
        self.inspected.id.clone().unwrap_or_default()
    }

    /// Last word of the command that will run: what `_HANDLER` is set to.
    pub fn handler(&self, overrides: &ImageConfig) -> String {
        let config = self.inspected.config.as_ref();
        let entry_point = overrides.entry_point.as_ref();
        // As in Docker, a new entry point also drops the image's own command.
        let own_command = config.and_then(|config| config.cmd.as_ref()).filter(|_| entry_point.is_none());
        let command = overrides.command.as_ref().or(own_command);
        let entry_point = entry_point.or(config.and_then(|config| config.entrypoint.as_ref()));
        let last = |words: &Vec<String>| words.last().cloned();
        command.and_then(last).or_else(|| entry_point.and_then(last)).unwrap_or_default()
    }

    /// Whether the image sets this environment variable itself.
    pub fn sets(&self, variable: &str) -> bool {
        let own = self.inspected.config.as_ref().and_then(|config| config.env.as_deref()).unwrap_or_default();
        own.iter().any(|pair| pair.split('=').next() == Some(variable))
    }
}

impl Sandbox {
    /// Starts a container with a Runtime API of its own. `watchers` holds the task that sees it to its end.
    pub async fn container(
        engine: Engine,
        spec: ContainerSpec,
        logs: Logs,
        watchers: &TaskTracker,
    ) -> Result<Sandbox, StartError> {
        let api = RuntimeApi::bind()
            .await
            .map_err(|error| StartError::Machine(format!("no listener for the Runtime API: {error}")))?;
        let (exit, exited) = watch::channel(None);
        let stop = CancellationToken::new();
        let (started, start) = tokio::sync::oneshot::channel();
        let body = create_body(&engine, &spec, &api);
        let (image, watched) = (spec.image, logs.clone());
        // All of it in the watcher's task: if the caller goes away in the middle of the start, the container is
        // removed all the same.
        let (listener, stopped) = (api.listener(), stop.clone());
        watchers.spawn(async move {
            let _listener = listener;
            let id = match engine.docker.create_container(None, body).await {
                Ok(created) => created.id,
                Err(error) => return drop(started.send(Err(start_error(&image, &error)))),
            };
            match start_attached(&engine, &id, &watched).await {
                Ok(readers) => {
                    let _ = started.send(Ok(()));
                    let end = see_to_its_end(&engine, &id, readers, stopped).await;
                    engine.remove(&id).await;
                    exit.send_replace(Some(end));
                }
                Err(error) => {
                    engine.remove(&id).await;
                    let _ = started.send(Err(start_error(&image, &error)));
                }
            }
        });
        let guard = stop.drop_guard();
        let lost = || Err(StartError::Machine("the container's watcher ended".to_owned()));
        start.await.unwrap_or_else(|_| lost())?;
        Ok(Sandbox::assemble(api, Runtime { exit: exited, stop: guard, process: None }, logs))
    }
}

fn create_body(engine: &Engine, spec: &ContainerSpec, api: &RuntimeApi) -> ContainerCreateBody {
    let mut environment: Vec<String> =
        spec.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    environment.push(format!("AWS_LAMBDA_RUNTIME_API={}", api.address()));
    let labels = [(LABEL, owner().to_owned()), ("loveless.function", spec.function.clone())];
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        entrypoint: spec.overrides.entry_point.clone(),
        cmd: spec.overrides.command.clone(),
        working_dir: spec.overrides.working_directory.clone(),
        env: Some(environment),
        user: Some(USER.to_owned()),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        labels: Some(labels.map(|(name, value)| (name.to_owned(), value)).into()),
        host_config: Some(engine.host_config(spec.memory_mb)),
        ..ContainerCreateBody::default()
    }
}

async fn start_attached(engine: &Engine, id: &str, logs: &Logs) -> Result<JoinSet<()>, Error> {
    let options = AttachContainerOptionsBuilder::new().stream(true).stdout(true).stderr(true).build();
    let AttachContainerResults { mut output, input } =
        engine.docker.attach_container(id, Some(options)).await?;
    let logs = logs.clone();
    let mut readers = JoinSet::new();
    readers.spawn(async move {
        // The writing half belongs to the same connection: dropped first, it would close it.
        let _held = input;
        while let Some(Ok(LogOutput::StdOut { message } | LogOutput::StdErr { message })) =
            output.next().await
        {
            // A message is a line, or part of one that was over the engine's buffer.
            let text = String::from_utf8_lossy(&message);
            text.lines().for_each(|line| logs.line(line));
        }
    });
    engine.docker.start_container(id, None).await?;
    Ok(readers)
}

async fn see_to_its_end(
    engine: &Engine,
    id: &str,
    mut readers: JoinSet<()>,
    stop: CancellationToken,
) -> Exit {
    let mut waiting = engine.docker.wait_container(id, None::<WaitContainerOptions>);
    let waited = tokio::select! {
        waited = waiting.next() => waited,
        () = stop.cancelled() => {
            let _ = engine.docker.kill_container(id, None).await;
            waiting.next().await
        }
    };
    let _ =
        tokio::time::timeout(LAST_WORDS_MAX, async { while readers.join_next().await.is_some() {} }).await;
    let state = engine.docker.inspect_container(id, None).await.ok().and_then(|container| container.state);
    let out_of_memory = state.and_then(|state| state.oom_killed).unwrap_or(false);
    let status = match waited {
        Some(Ok(answer)) => Ok(answer.status_code),
        Some(Err(Error::DockerContainerWaitError { code, .. })) => Ok(code),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("the engine ended the wait".to_owned()),
    };
    match status {
        // Shells and engines write an end by signal n as status 128 + n.
        Ok(code @ 129..=192) => {
            Exit { signal: i32::try_from(code - 128).ok(), out_of_memory, ..Exit::default() }
        }
        Ok(code) => Exit { code: i32::try_from(code).ok(), out_of_memory, ..Exit::default() },
        Err(problem) => Exit { problem: Some(problem), out_of_memory, ..Exit::default() },
    }
}

/// Whose fault it is that a container did not start.
fn start_error(image: &str, error: &Error) -> StartError {
    let Error::DockerResponseServerError { status_code, message } = error else {
        return StartError::Machine(format!("the Docker engine failed to start '{image}': {error}"));
    };
    let lower = message.to_ascii_lowercase();
    let is = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    // The engine has no codes for these; the texts have been stable for years.
    if is(&["no command specified"]) {
        return StartError::Entrypoint(format!("the image '{image}' has no ENTRYPOINT and no CMD"));
    }
    if is(&[
        "no such file",
        "executable file not found",
        "permission denied",
        "exec format error",
        "is a directory",
    ]) {
        return StartError::Entrypoint(format!("'{image}' cannot be started: {}", message.trim()));
    }
    match status_code {
        404 => StartError::Image(format!("the Docker engine has no image '{image}'; build it there")),
        _ => StartError::Machine(format!("the Docker engine refused to start '{image}': {}", message.trim())),
    }
}

/// This server, as its containers' label names it.
fn owner() -> &'static str {
    static OWNER: OnceLock<String> = OnceLock::new();
    OWNER.get_or_init(|| {
        let pid = std::process::id();
        format!("{} {pid} {}", host_name(), process_start(pid).unwrap_or_default())
    })
}

/// Whether a label names a server of this machine that is no more. Unsure is no.
fn is_gone(owner: &str) -> bool {
    let mut words = owner.split(' ');
    let (host, pid, start) = (words.next(), words.next().and_then(|pid| pid.parse().ok()), words.next());
    let (Some(host), Some(pid), Some(start)) = (host, pid, start) else { return false };
    let can_tell = !start.is_empty() && std::path::Path::new("/proc/self/stat").exists();
    can_tell && host == host_name() && process_start(pid).is_none_or(|now| now != start)
}

fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// When a process began, in ticks since boot: with its id it names a process for good.
fn process_start(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses and may hold spaces; the start is the 22nd.
    stat.rsplit(')').next()?.split_ascii_whitespace().nth(19).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_servers_that_are_surely_gone_are_gone() {
        let host = host_name();
        assert!(!is_gone(owner()), "this process lives");
        assert!(is_gone(&format!("{host} {} 1", std::process::id())), "another process had our id");
        assert!(is_gone(&format!("{host} 4194304999 1")) || cfg!(not(target_os = "linux")));
        for unsure in
            ["", "elsewhere 1 1", &format!("{host} x 1"), &format!("{host} 1"), &format!("{host} 1 ")]
        {
            assert!(!is_gone(unsure), "{unsure}");
        }
    }

    #[test]
    fn a_failed_start_is_told_by_whose_fault_it_is() {
        let response = |status_code, message: &str| Error::DockerResponseServerError {
            status_code,
            message: message.to_owned(),
        };
        let entry = "OCI runtime create failed: exec: \"/fn\": stat /fn: no such file or directory: unknown";
        assert!(matches!(start_error("i", &response(400, entry)), StartError::Entrypoint(_)));
        assert!(matches!(
            start_error("i", &response(400, "No command specified")),
            StartError::Entrypoint(_)
        ));
        assert!(matches!(start_error("i", &response(404, "No such image: i")), StartError::Image(_)));
        assert!(matches!(start_error("i", &response(500, "cgroups: out of luck")), StartError::Machine(_)));
    }

    #[test]
    fn the_handler_is_the_last_word_of_what_runs() {
        let config = |entrypoint: &[&str], cmd: &[&str]| {
            let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
            Image {
                inspected: ImageInspect {
                    config: Some(bollard::models::ImageConfig {
                        entrypoint: words(entrypoint),
                        cmd: words(cmd),
                        env: Some(vec!["PATH=/opt".to_owned()]),
                        ..Default::default()
                    }),
                    ..ImageInspect::default()
                },
            }
        };
        let overrides = |entry_point: Option<&str>, command: Option<&str>| ImageConfig {
            entry_point: entry_point.map(|word| vec![word.to_owned()]),
            command: command.map(|word| vec![word.to_owned()]),
            working_directory: None,
        };
        let image = config(&["/entry"], &["python", "app.handler"]);
        assert_eq!(image.handler(&overrides(None, None)), "app.handler");
        assert_eq!(image.handler(&overrides(None, Some("other.handler"))), "other.handler");
        assert_eq!(image.handler(&overrides(Some("/new"), None)), "/new");
        assert_eq!(config(&["/entry"], &[]).handler(&overrides(None, None)), "/entry");
        assert!(image.sets("PATH") && !image.sets("LANG"));
    }
}
