//! Containers, where a Docker engine answers: the demo's two images, and runners in them.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};
use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    BuildImageOptionsBuilder, CreateContainerOptionsBuilder, InspectContainerOptions, KillContainerOptions,
    RemoveContainerOptionsBuilder, StartContainerOptions,
};
use bytes::Bytes;
use futures::StreamExt;

use crate::demo::binaries::Binaries;

/// The tag of the image that users build theirs FROM.
const RUNNER_IMAGE: &str = "loveless-runner";
/// The tag of the demo's function.
pub(crate) const FUNCTION_IMAGE: &str = "loveless-demo-rolling-ball";
/// Marks the demo's containers.
const LABEL: &str = "loveless.demo";

const RUNNER_DOCKERFILE: &str = include_str!("../../../runner/Dockerfile");
const FUNCTION_DOCKERFILE: &str = include_str!("../../../../demo/rolling-ball/Dockerfile");

/// An engine that answers, with the images built.
pub(crate) struct Images {
    docker: Docker,
    /// What names the function's image for ever: the same in both modes.
    pub(crate) digest: String,
}

impl Images {
    /// An engine, if one answers.
    pub(crate) async fn engine() -> Option<Docker> {
        let docker = Docker::connect_with_defaults().ok()?;
        docker.ping().await.ok()?;
        Some(docker)
    }

    /// Builds both images.
    pub(crate) async fn build(docker: Docker, binaries: &Binaries) -> Result<Images> {
        build(&docker, RUNNER_IMAGE, RUNNER_DOCKERFILE, "loveless-runner", &binaries.runner).await?;
        build(&docker, FUNCTION_IMAGE, FUNCTION_DOCKERFILE, "rolling-ball", &binaries.function).await?;
        let image =
            docker.inspect_image(FUNCTION_IMAGE).await.context("the image that was built is not there")?;
        Ok(Images { docker, digest: image.id.context("the image has no digest")? })
    }

    /// Starts a container of the function's image as a runner.
    pub(crate) async fn start_runner(&self, name: &str, environment: &[(String, String)]) -> Result<String> {
        let body = ContainerCreateBody {
            image: Some(self.digest.clone()),
            env: Some(environment.iter().map(|(name, value)| format!("{name}={value}")).collect()),
            labels: Some(HashMap::from([(LABEL.to_owned(), "runner".to_owned())])),
            host_config: Some(HostConfig {
                // The server listens on loopback only; on the host's network the container reaches it there.
                network_mode: Some("host".into()),
                readonly_rootfs: Some(true),
                tmpfs: Some(HashMap::from([("/tmp".to_owned(), String::new())])),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::default().name(name).build();
        let created =
            self.docker.create_container(Some(options), body).await.context("no container for the runner")?;
        self.docker.start_container(&created.id, None::<StartContainerOptions>).await?;
        Ok(created.id)
    }

    /// The digest of the image that a container runs, as the engine says.
    pub(crate) async fn digest_of(&self, id: &str) -> Result<String> {
        let container = self.docker.inspect_container(id, None::<InspectContainerOptions>).await?;
        container.image.context("the container names no image")
    }

    /// Kills a container, as a machine that loses its power does.
    pub(crate) async fn kill(&self, id: &str) -> Result<()> {
        self.docker
            .kill_container(id, None::<KillContainerOptions>)
            .await
            .context("the runner cannot be killed")
    }

    /// Removes a container, running or not.
    pub(crate) async fn remove(&self, id: &str) {
        let options = RemoveContainerOptionsBuilder::default().force(true).build();
        // It may be gone already.
        let _gone = self.docker.remove_container(id, Some(options)).await;
    }
}

async fn build(docker: &Docker, tag: &str, dockerfile: &str, name: &str, binary: &Path) -> Result<()> {
    let context = archive(dockerfile, name, binary)?;
    let options = BuildImageOptionsBuilder::default().t(tag).rm(true).build();
    let body = bollard::body_full(Bytes::from(context));
    let mut lines = docker.build_image(options, None, Some(body));
    while let Some(line) = lines.next().await {
        let line = line.with_context(|| format!("the image {tag} cannot be built"))?;
        if let Some(problem) = line.error_detail {
            anyhow::bail!("the image {tag} cannot be built: {}", problem.message.unwrap_or_default());
        }
    }
    Ok(())
}

/// What the engine is sent: the Dockerfile and one program.
fn archive(dockerfile: &str, name: &str, binary: &Path) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut add = |name: &str, bytes: &[u8], mode: u32| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        // The same bytes give the same layer: an image's digest does not depend on when it was built.
        header.set_mtime(0);
        archive.append_data(&mut header, name, bytes)
    };
    let program = std::fs::read(binary).with_context(|| format!("{} cannot be read", binary.display()))?;
    add("Dockerfile", dockerfile.as_bytes(), 0o644)?;
    add(name, &program, 0o755)?;
    Ok(archive.into_inner()?)
}
