//! A function as a local process: its own process group, the environment it is given and no other, killed as a group.
//!
//! ```text
//!   spawn ──► watcher task: waits for exit or for the order to stop ──► kills the group, reaps, tells the exit
//!        └──► two readers: stdout, stderr ──► Logs
//! ```
//!
//! It knows processes and `/proc`, and nothing of Lambda but the one variable that names the Runtime API.
//!
//! **Memory** is watched, not limited by the kernel: `RLIMIT_AS` counts address space, of which Go, node and the JVM
//! reserve gigabytes that they never touch, and a cgroup of one's own needs rights that a developer's shell does not
//! have. While the function works, the resident memory of the process and its descendants is read from `/proc` ten
//! times a second, and the group is killed when it is over the limit: a burst shorter than that goes unseen. Pages
//! that descendants share count once for each. Where there is no `/proc` nothing is enforced.
//!
//! A server that is itself killed by SIGKILL cannot kill its groups. Their connection to the Runtime API breaks then,
//! on which runtimes exit by themselves as soon as they are idle.

use std::{collections::BTreeMap, path::PathBuf, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions};
use tokio::{
    process::{Child, Command},
    sync::watch,
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    failure::Exit,
    logs::Logs,
    runtime_api::RuntimeApi,
    sandbox::{Runtime, Sandbox, StartError},
};

/// How often a working process group's memory is read.
const MEMORY_INTERVAL: Duration = Duration::from_millis(100);
/// How long the readers may go on after the group was killed: a descendant that left the group can hold a pipe open.
const LAST_WORDS_MAX: Duration = Duration::from_millis(500);

/// What to run.
#[derive(Clone, Debug)]
pub struct ProcessSpec {
    /// Program and arguments; the program is looked up in `PATH` if it has no slash.
    pub command: Vec<String>,
    /// Folder to start in; the caller's own if absent.
    pub working_directory: Option<PathBuf>,
    /// Variables to set.
    pub environment: BTreeMap<String, String>,
    /// Whether this process's own environment is passed on beneath `environment`.
    pub inherit_environment: bool,
    /// Memory limit in MB.
    pub memory_mb: Option<u32>,
    /// Whether output goes to the sandbox's log, or straight to this process's own output.
    pub capture_output: bool,
}

impl Sandbox {
    /// Starts a process with a Runtime API of its own. `watchers` holds the task that sees it to its end.
    pub async fn process(
        spec: ProcessSpec,
        logs: Logs,
        watchers: &TaskTracker,
    ) -> Result<Sandbox, StartError> {
        let api = RuntimeApi::bind()
            .await
            .map_err(|error| StartError::Machine(format!("no listener for the Runtime API: {error}")))?;
        let mut child = spawn(&spec, &api)?;
        let pid = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw)
            .expect("a child that was not waited for has a positive pid");
        let mut readers = JoinSet::new();
        if let Some(stdout) = child.stdout.take() {
            readers.spawn(logs.clone().follow(stdout));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.spawn(logs.clone().follow(stderr));
        }
        let (exit, exited) = watch::channel(None);
        let stop = CancellationToken::new();
        let (listener, stopped) = (api.listener(), stop.clone());
        watchers.spawn(async move {
            see_to_its_end(child, Group(pid), readers, stopped, exit).await;
            drop(listener);
        });
        let watched = Watched { pid, memory_mb: spec.memory_mb };
        let runtime = Runtime { exit: exited, stop: stop.drop_guard(), process: Some(watched) };
        Ok(Sandbox::assemble(api, runtime, logs))
    }
}

fn spawn(spec: &ProcessSpec, api: &RuntimeApi) -> Result<Child, StartError> {
    let [program, args @ ..] = spec.command.as_slice() else {
        return Err(StartError::Entrypoint("the function has no start command".to_owned()));
    };
    let mut command = Command::new(program);
    if !spec.inherit_environment {
        command.env_clear();
    }
    if let Some(folder) = &spec.working_directory {
        command.current_dir(folder);
    }
    let output = || if spec.capture_output { Stdio::piped() } else { Stdio::inherit() };
    command
        .args(args)
        .envs(&spec.environment)
        .env("AWS_LAMBDA_RUNTIME_API", api.address().to_string())
        .stdin(Stdio::null())
        .stdout(output())
        .stderr(output())
        .process_group(0)
        .kill_on_drop(true);
    command.spawn().map_err(|error| {
        let folder = spec.working_directory.as_ref().map(|folder| format!(" in {}", folder.display()));
        // The kernel says "no such file" of a program that is there when its loader is not.
        let is_there =
            error.kind() == std::io::ErrorKind::NotFound && std::path::Path::new(program).is_file();
        let hint = match (is_there, &folder) {
            (true, None) => {
                "; the file is there, so its interpreter or dynamic loader is missing: link it statically"
            }
            _ => "",
        };
        let text = format!("fork/exec {program}{}: {error}{hint}", folder.unwrap_or_default());
        match error.kind() {
            std::io::ErrorKind::OutOfMemory | std::io::ErrorKind::WouldBlock => StartError::Machine(text),
            _ => StartError::Entrypoint(text),
        }
    })
}

async fn see_to_its_end(
    mut child: Child,
    group: Group,
    mut readers: JoinSet<()>,
    stop: CancellationToken,
    exit: watch::Sender<Option<Exit>>,
) {
    let status = tokio::select! {
        status = child.wait() => status,
        () = stop.cancelled() => {
            group.kill();
            child.wait().await
        }
    };
    // Whatever of the group outlived its leader goes too.
    group.kill();
    group.reap();
    // Its work is done; dropped later, it might kill a group that got the same number.
    std::mem::forget(group);
    let _ =
        tokio::time::timeout(LAST_WORDS_MAX, async { while readers.join_next().await.is_some() {} }).await;
    exit.send_replace(Some(match status {
        Ok(status) => {
            use std::os::unix::process::ExitStatusExt;
            Exit { code: status.code(), signal: status.signal(), ..Exit::default() }
        }
        Err(error) => Exit { problem: Some(error.to_string()), ..Exit::default() },
    }));
}

/// A process group that must not outlive us: killed when dropped.
#[derive(Debug)]
struct Group(Pid);

impl Group {
    /// Kills every process of the group; none may be left, which is as good.
    fn kill(&self) {
        let _ = rustix::process::kill_process_group(self.0, Signal::KILL);
    }

    /// Collects orphans of the group. They are ours only where we are process 1, as the runner is in its image.
    fn reap(&self) {
        while let Ok(Some(_)) = rustix::process::waitpgid(self.0, WaitOptions::NOHANG) {}
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A process that can be looked at, with its descendants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watched {
    pid: Pid,
    memory_mb: Option<u32>,
}

impl Watched {
    /// Returns when the memory limit is exceeded.
    pub(crate) async fn over_memory(&self) {
        let Some(limit_mb) = self.memory_mb else { return std::future::pending().await };
        let limit = u64::from(limit_mb) * 1024 * 1024;
        loop {
            tokio::time::sleep(MEMORY_INTERVAL).await;
            if resident_bytes(self.pid.as_raw_nonzero().get()) > limit {
                return;
            }
        }
    }

    /// Whether it has not ended, as far as the kernel knows. Its exit status stays for its watcher to collect; if
    /// that has happened, it is no child of ours any more. A status can only be had once the last thread is gone;
    /// `/proc` calls the process a zombie as soon as its first one is.
    pub(crate) fn is_alive(&self) -> bool {
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let has_status = !matches!(rustix::process::waitid(WaitId::Pid(self.pid), ended), Ok(None));
        !has_status && !self.is_zombie()
    }

    fn is_zombie(&self) -> bool {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", self.pid.as_raw_nonzero())).unwrap_or_default();
        // The state follows the program's name, which is in parentheses and may hold spaces.
        stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X']))
    }

    /// Most memory that the process itself (without descendants) held.
    pub(crate) fn memory_mb_peak(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid.as_raw_nonzero())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kb: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kb.div_ceil(1024))
    }
}

/// Resident memory of a process and everything below it.
fn resident_bytes(root: i32) -> u64 {
    let page = rustix::param::page_size() as u64;
    let (mut pages, mut left) = (0, vec![root]);
    while let Some(pid) = left.pop() {
        let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
        let resident = statm.split_ascii_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
        pages += resident.unwrap_or(0);
        left.extend(children(pid));
    }
    pages * page
}

fn children(pid: i32) -> Vec<i32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    threads
        .filter_map(Result::ok)
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|pids| {
            pids.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>()
        })
        .collect()
}
