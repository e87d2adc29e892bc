//! `loveless env`: the exports that point AWS clients at a server.

use anyhow::Result;
use clap::Args;

/// Print the exports that point AWS clients at a server. Use it as `eval "$(loveless env)"`.
#[derive(Args)]
pub(crate) struct Env {
    /// Where the server listens.
    #[arg(long, default_value = "127.0.0.1:8083", value_name = "ADDRESS:PORT")]
    listen: String,
    /// The region that clients sign for.
    #[arg(long, default_value = "us-east-1")]
    region: String,
}

impl Env {
    pub(crate) fn run(self) -> Result<()> {
        for (name, value) in variables(&self.listen, &self.region) {
            println!("export {name}={value}");
        }
        Ok(())
    }
}

/// What a client needs. The keys are looked at only by a server that was given credentials.
pub(crate) fn variables(listen: &str, region: &str) -> [(&'static str, String); 6] {
    [
        ("AWS_ENDPOINT_URL", format!("http://{listen}")),
        // Two operations of Step Functions go to the host `sync-…` otherwise, which no resolver knows.
        ("AWS_DISABLE_HOST_PREFIX_INJECTION", "true".into()),
        ("AWS_ACCESS_KEY_ID", "loveless".into()),
        ("AWS_SECRET_ACCESS_KEY", "loveless".into()),
        ("AWS_REGION", region.into()),
        ("AWS_DEFAULT_REGION", region.into()),
    ]
}
