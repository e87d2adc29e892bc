//! From a function's settings to a running sandbox: puts the environment together and picks the kind of runtime.
//!
//! It knows what the host gives to every function; it keeps no sandbox.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use tokio_util::task::TaskTracker;

use crate::{
    environment::{self, Credentials, Identity},
    function::{FunctionConfig, Target},
    logs::Logs,
    process::ProcessSpec,
    sandbox::{Sandbox, StartError},
};

/// Starts sandboxes.
#[derive(Debug)]
pub(crate) struct Launcher {
    /// Variables that every function gets, `AWS_ENDPOINT_URL` among them.
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) credentials: Credentials,
    pub(crate) containers: Containers,
    /// The tasks that see runtimes to their end; shutdown waits for them.
    pub(crate) watchers: TaskTracker,
}

/// Whether and how containers are run.
#[derive(Debug)]
pub(crate) enum Containers {
    /// They are switched off, with the reason to give.
    Off(&'static str),
    #[cfg(feature = "containers")]
    Docker(crate::container::Engines),
}

impl Launcher {
    pub(crate) async fn launch(&self, function: &FunctionConfig) -> Result<Sandbox, StartError> {
        match &function.target {
            Target::Process { .. } => self.process(function).await,
            Target::Image { uri } => self.container(function, uri).await,
            Target::Endpoint { url } => {
                Err(StartError::Machine(format!("{} is run by {url}, not in a sandbox", function.name)))
            }
        }
    }

    async fn process(&self, function: &FunctionConfig) -> Result<Sandbox, StartError> {
        let command = function.process_command().unwrap_or_default();
        let working_directory = function.image_config.working_directory.as_ref().map(PathBuf::from);
        let program_folder = command.first().and_then(|program| Path::new(program).parent());
        let task_root = working_directory.as_deref().or(program_folder).unwrap_or(Path::new("/var/task"));
        let handler = command.last().map(String::as_str).unwrap_or_default();
        let mut environment = self.environment(function, handler, &task_root.to_string_lossy());
        // A local program may stand anywhere on this machine's path, so that path is the default, not Lambda's.
        if let (false, Ok(path)) = (function.environment.contains_key("PATH"), std::env::var("PATH")) {
            environment.insert("PATH".to_owned(), path);
        }
        let spec = ProcessSpec {
            command,
            working_directory,
            environment,
            inherit_environment: false,
            memory_mb: Some(function.memory_mb),
            capture_output: true,
        };
        Sandbox::process(spec, Logs::new(&function.name), &self.watchers).await
    }

    #[cfg(feature = "containers")]
    async fn container(&self, function: &FunctionConfig, uri: &str) -> Result<Sandbox, StartError> {
        use crate::container::ContainerSpec;
        let engines = match &self.containers {
            Containers::Docker(engines) => engines,
            Containers::Off(reason) => return Err(off(function, uri, reason)),
        };
        let engine = engines.engine().await?;
        let image = engine.image(uri).await?;
        let handler = image.handler(&function.image_config);
        let mut environment = self.environment(function, &handler, "/var/task");
        // The image's own PATH and LANG come before our defaults; the engine merges what is left out here.
        for name in environment::defaults().into_keys() {
            if image.sets(&name) && !function.environment.contains_key(&name) {
                environment.remove(&name);
            }
        }
        let spec = ContainerSpec {
            image: uri.to_owned(),
            overrides: function.image_config.clone(),
            environment,
            memory_mb: function.memory_mb,
            function: function.name.clone(),
        };
        Sandbox::container(engine, spec, Logs::new(&function.name), &self.watchers).await
    }

    #[cfg(not(feature = "containers"))]
    async fn container(&self, function: &FunctionConfig, uri: &str) -> Result<Sandbox, StartError> {
        let Containers::Off(reason) = &self.containers;
        Err(off(function, uri, reason))
    }

    fn environment(
        &self,
        function: &FunctionConfig,
        handler: &str,
        task_root: &str,
    ) -> BTreeMap<String, String> {
        let identity = Identity {
            function: &function.name,
            region: &function.region,
            memory_mb: function.memory_mb,
            handler,
            task_root,
            sandbox_id: &uuid::Uuid::new_v4().simple().to_string(),
        };
        let mut variables = environment::defaults();
        variables.extend(self.environment.clone());
        variables.extend(function.environment.clone());
        variables.extend(environment::reserved(identity, Some(&self.credentials)));
        variables
    }
}

fn off(function: &FunctionConfig, uri: &str, reason: &str) -> StartError {
    StartError::Machine(format!(
        "function {} is the container image {uri}, and containers are not run here: {reason}",
        function.name
    ))
}
