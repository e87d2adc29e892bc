//! The runner's process: started as its users do, and ended with the test.

use std::{path::PathBuf, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::server::{ACTIVITY, SECRET, Server};

pub(crate) struct Runner {
    child: Child,
}

/// The built program with nothing of this process's AWS settings.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loveless-runner"));
    let inherited = std::env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        name.starts_with("AWS_") || name.starts_with("LOVELESS_") || name == "ACTIVITY_ARN"
    });
    for (name, _) in inherited {
        command.env_remove(name);
    }
    // The test harness cannot hold back what other processes write; RUNNER_LOG=info shows it when a test fails.
    command.env("LOVELESS_LOG", std::env::var("RUNNER_LOG").unwrap_or_else(|_| "off".to_owned()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    command
}

impl Runner {
    /// A worker of the server's activity, with more flags and variables.
    pub(crate) fn worker(server: &Server, flags: &[&str], environment: &[(&str, &str)]) -> Runner {
        Runner::worker_of(server, flags, environment, &crate::functions::command())
    }

    pub(crate) fn worker_of(
        server: &Server,
        flags: &[&str],
        environment: &[(&str, &str)],
        function: &[String],
    ) -> Runner {
        let child = program()
            .env("ACTIVITY_ARN", ACTIVITY)
            .env("AWS_ENDPOINT_URL", &server.url)
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("AWS_SESSION_TOKEN", "the-session")
            .envs(environment.iter().copied())
            .args(flags)
            .args(function)
            .spawn()
            .unwrap();
        Runner { child }
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Waits for its end; whether it was a success.
    pub(crate) async fn ended(mut self) -> bool {
        self.child.wait().await.unwrap().success()
    }
}

/// A runner on a free port, as the emulator.
pub(crate) async fn emulator(flags: &[&str]) -> (Runner, String) {
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0"]).args(flags).args(crate::functions::command());
    let mut child = command.env("LOVELESS_LOG", "info").stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let url = loop {
        let line = lines.next_line().await.unwrap().expect("it says where it listens");
        if let Some((_, url)) = line.split_once("listening on ") {
            break url.to_owned();
        }
    };
    // Read on, or the function blocks on a full pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (Runner { child }, url)
}

/// Waits until something holds. Hangs, and so fails by the test run's own limit, if it never does.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A fresh folder and a function that names files in it.
pub(crate) fn folder() -> (tempfile::TempDir, impl Fn(&str) -> PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    (folder, move |name: &str| path.join(name))
}

/// Whether a process runs (a zombie does not).
pub(crate) fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')')
        .next()
        .and_then(|rest| rest.split_ascii_whitespace().next())
        .is_some_and(|state| state != "Z")
}
