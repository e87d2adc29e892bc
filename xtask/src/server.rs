//! A `loveless serve` on a fresh data folder, for the length of a run.
//!
//! Knows the command line and the ready line's port, nothing else: what is asked of the server is the caller's business.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command::must;
use crate::workspace::Workspace;

/// Opening an empty data folder takes milliseconds; a loaded two-core machine may take far longer to get there.
const READY_SECONDS_MAX: u64 = 60;
const POLL: Duration = Duration::from_millis(50);

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// Starts the binary on a free port of the loopback interface, with its output in `NAME.log`.
    pub(crate) fn start(
        workspace: &Workspace,
        binary: &PathBuf,
        name: &str,
        arguments: &[&str],
    ) -> Result<Self> {
        let data = workspace.scratch(&format!("{name}-data"));
        if data.exists() {
            fs::remove_dir_all(&data).with_context(|| format!("cannot remove {}", data.display()))?;
        }
        fs::create_dir_all(&data).with_context(|| format!("cannot create {}", data.display()))?;
        let log_path = workspace.scratch(&format!("{name}.log"));
        let log = File::create(&log_path).with_context(|| format!("cannot create {}", log_path.display()))?;
        let port = free_port()?;
        let child = Command::new(binary)
            .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data"])
            .arg(&data)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("cannot share the server's log")?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let mut server = Self { child, port };
        if let Err(error) = server.wait_until_ready() {
            let said = fs::read_to_string(&log_path).unwrap_or_default();
            bail!("{error}; it said:\n{said}");
        }
        Ok(server)
    }

    /// Where AWS clients find it.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(READY_SECONDS_MAX);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().context("cannot ask after the server")? {
                bail!("the server ended at once with {status}");
            }
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return Ok(());
            }
            thread::sleep(POLL);
        }
        bail!("the server did not open port {} within {READY_SECONDS_MAX} s", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Builds the programs that the client tests and the conformance run use, and returns `loveless`.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    must(&mut workspace.cargo(&["build", "-p", "loveless", "-p", "loveless-runner", "-p", "rolling-ball"]))?;
    Ok(workspace.target().join("debug").join("loveless"))
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot bind a port on 127.0.0.1")?;
    Ok(listener.local_addr().context("the bound port has no address")?.port())
}
