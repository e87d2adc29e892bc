//! A Docker engine for the tests that need containers: the one that answers, or one that we start and stop.
//!
//! Knows how an engine is found and started, not what runs in it. An engine is started only where the system may be
//! changed anyway (see `system`); it keeps its data in the build folder, and it is stopped at the end. Containers
//! in restricted machines (no iptables, no overlay file system) need other flags than those on a laptop, so a short list
//! of ways is tried, from the plainest to the most modest.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::command::succeeds;
use crate::system::{Install, apt_install, has_program, is_root};
use crate::workspace::Workspace;

/// How long an engine may take to answer: its first start creates its folders and its own containerd.
const START_SECONDS_MAX: u64 = 60;
/// How long an engine may take to stop its containers.
const STOP_SECONDS_MAX: u64 = 20;
const POLL: Duration = Duration::from_millis(200);

/// Ways to start an engine. Without a bridge, containers still run with the host's network or none.
const WAYS: [&[&str]; 4] = [
    &[],
    &["--storage-driver=vfs"],
    &["--iptables=false", "--bridge=none"],
    &["--iptables=false", "--bridge=none", "--storage-driver=vfs"],
];

/// An engine that answers; one that we started stops when this is dropped.
pub(crate) struct Engine {
    started: Option<Child>,
}

impl Engine {
    /// Finds an engine, or starts one. The error is the reason for skipping.
    pub(crate) fn ensure(workspace: &Workspace, install: Install) -> Result<Self> {
        if answers() {
            return Ok(Self { started: None });
        }
        if !has_program("dockerd") || !has_program("docker") {
            apt_install(&["docker.io"], install).context("Docker")?;
        }
        ensure!(
            install == Install::Allowed,
            "no Docker engine answers; start it, or run again with --install"
        );
        ensure!(is_root(), "no Docker engine answers, and only root can start one");
        let folder = workspace.scratch("docker");
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        for way in WAYS {
            if let Some(child) = start(&folder, way)? {
                println!("started dockerd {}", way.join(" "));
                return Ok(Self { started: Some(child) });
            }
        }
        bail!("dockerd does not start here; its log is {}", folder.join("dockerd.log").display())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(child) = &mut self.started {
            stop(child);
        }
    }
}

/// Whether an engine answers where the clients look for one.
pub(crate) fn answers() -> bool {
    succeeds(Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]))
}

/// Starts dockerd in one way and waits for it; `None` if it gave up.
fn start(folder: &Path, way: &[&str]) -> Result<Option<Child>> {
    let log_path = folder.join("dockerd.log");
    let log = File::create(&log_path).with_context(|| format!("cannot create {}", log_path.display()))?;
    let mut child = Command::new("dockerd")
        .arg("--data-root")
        .arg(folder.join("data"))
        .args(way)
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("cannot share dockerd's log")?)
        .stderr(log)
        .spawn()
        .context("cannot start dockerd")?;
    let deadline = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
    while Instant::now() < deadline {
        if child.try_wait().context("cannot ask after dockerd")?.is_some() {
            return Ok(None);
        }
        if answers() {
            return Ok(Some(child));
        }
        thread::sleep(POLL);
    }
    stop(&mut child);
    Ok(None)
}

/// Asks for an orderly end, which takes the containers along, and insists after a while.
fn stop(child: &mut Child) {
    let _ = succeeds(Command::new("kill").args(["-TERM", &child.id().to_string()]));
    let deadline = Instant::now() + Duration::from_secs(STOP_SECONDS_MAX);
    while Instant::now() < deadline {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        thread::sleep(POLL);
    }
    let _ = child.kill();
    let _ = child.wait();
}
