//! The demo's processes: its server, which is killed and started again, and runners without containers.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::{Child, Command};

use crate::demo::client::Client;

/// How long a server may take until it answers.
const READY: Duration = Duration::from_secs(60);

/// A server in a process of its own.
pub(crate) struct Server {
    listen: String,
    data: PathBuf,
    child: Child,
}

impl Server {
    pub(crate) async fn start(listen: String, data: PathBuf, client: &Client) -> Result<Server> {
        let child = spawn(&listen, &data)?;
        let mut server = Server { listen, data, child };
        server.ready(client).await?;
        Ok(server)
    }

    /// SIGKILL: the server has no chance to say goodbye.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.child.kill().await.context("the server cannot be killed")
    }

    pub(crate) async fn restart(&mut self, client: &Client) -> Result<()> {
        self.child = spawn(&self.listen, &self.data)?;
        self.ready(client).await
    }

    async fn ready(&mut self, client: &Client) -> Result<()> {
        let deadline = tokio::time::Instant::now() + READY;
        while !client.answers().await {
            if let Some(status) = self.child.try_wait()? {
                anyhow::bail!("the server ended with {status}; its log is in {}", self.log().display());
            }
            ensure!(
                tokio::time::Instant::now() < deadline,
                "the server does not answer; its log is in {}",
                self.log().display()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    fn log(&self) -> PathBuf {
        log_file(&self.data)
    }
}

/// Beside the data folder, which belongs to the server.
fn log_file(data: &Path) -> PathBuf {
    data.with_extension("log")
}

fn spawn(listen: &str, data: &Path) -> Result<Child> {
    let program = std::env::current_exe().context("this program does not know where it is")?;
    let log = std::fs::File::options().create(true).append(true).open(log_file(data))?;
    Command::new(program)
        .args(["serve", "--listen", listen, "--data"])
        .arg(data)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .context("the server cannot be started")
}

/// A runner as a process.
pub(crate) fn start_runner(
    runner: &Path,
    function: &Path,
    environment: &[(String, String)],
    log: &Path,
) -> Result<Child> {
    let log = std::fs::File::options().create(true).append(true).open(log)?;
    Command::new(runner)
        .arg(function)
        .envs(environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .context("the runner cannot be started")
}

/// Kills a process and everything that it started, as a machine that loses its power does.
pub(crate) async fn kill_tree(child: &mut Child) -> Result<()> {
    let below = child.id().map(descendants).unwrap_or_default();
    child.kill().await.context("the runner cannot be killed")?;
    for process in below {
        // What has ended by itself need not be killed.
        let _gone =
            Command::new("kill").args(["-9", &process.to_string()]).stderr(Stdio::null()).status().await;
    }
    Ok(())
}

/// The processes below one, where the system tells (Linux).
fn descendants(process: u32) -> Vec<u32> {
    let file = format!("/proc/{process}/task/{process}/children");
    let children = std::fs::read_to_string(file).unwrap_or_default();
    let children: Vec<u32> = children.split_whitespace().filter_map(|child| child.parse().ok()).collect();
    children.iter().flat_map(|child| descendants(*child).into_iter().chain([*child])).collect()
}
