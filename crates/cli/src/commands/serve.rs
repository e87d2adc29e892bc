//! `loveless serve`: one port, one data folder, until a signal.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::{Args, ValueEnum};
use service::Quotas;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::server::{Options, Running};

/// How long requests and functions in flight may take to finish after a signal.
const GRACE: Duration = Duration::from_secs(10);

/// The longest retention: a hundred years, which any clock holds.
const RETENTION_DAYS_MAX: f64 = 36_500.0;

/// Whose quotas are enforced.
#[derive(Clone, Copy, ValueEnum)]
enum Compat {
    /// AWS's, with AWS's errors.
    Strict,
    /// Larger ones, and those that --limit sets.
    Extended,
}

/// Serve Step Functions, Lambda, S3 and EventBridge on one port, over one data folder.
#[derive(Args)]
pub(crate) struct Serve {
    /// Where to listen. An address off loopback needs --credentials or --insecure.
    #[arg(long, default_value = "127.0.0.1:8083", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Where everything is kept. Made if it is absent; belongs to one server at a time.
    #[arg(long, default_value = "loveless-data", value_name = "DIR")]
    data: PathBuf,
    /// A Lambda endpoint for functions that are not registered here.
    #[arg(long, env = "LOVELESS_LAMBDA_ENDPOINT", value_name = "URL")]
    lambda_endpoint: Option<String>,
    /// An S3-compatible store for functions and Map Runs to use instead of this server's own. Map Runs sign with the keys
    /// in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    #[arg(long, env = "LOVELESS_S3_ENDPOINT", value_name = "URL")]
    s3_endpoint: Option<String>,
    /// Keys that requests must be signed with; without it signatures are not looked at.
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// Listen off loopback without credentials: everybody who reaches the port can run programs here.
    #[arg(long)]
    insecure: bool,
    /// A name besides loopback's that clients may reach this server by; repeatable.
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// A web page's origin that may call this server, such as https://console.example; repeatable.
    #[arg(long = "origin", value_name = "ORIGIN")]
    origins: Vec<String>,
    /// The region in ARNs.
    #[arg(long, default_value = "us-east-1")]
    region: String,
    /// The account in ARNs.
    #[arg(long, default_value = "000000000000")]
    account: String,
    /// Run no containers, even where a Docker engine answers.
    #[arg(long)]
    no_containers: bool,
    /// For development only: how long a second of Wait states and of retries lasts, from 0.001 to 1. Timeouts and
    /// heartbeats stay as they are.
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR", value_parser = time_scale)]
    time_scale: f64,
    /// Whose quotas are enforced.
    #[arg(long, value_enum, default_value = "strict")]
    compat: Compat,
    /// A quota under --compat extended, such as payload-bytes=2097152; repeatable.
    #[arg(long = "limit", value_name = "NAME=NUMBER")]
    limits: Vec<String>,
    /// How long executions are kept after they have ended; fractions are allowed.
    #[arg(long, default_value_t = 90.0, value_name = "DAYS")]
    retention_days: f64,
}

/// A factor of whole thousandths.
fn time_scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if (SCALE_MIN..=1.0).contains(&factor) => Ok(factor),
        Ok(_) | Err(_) => Err("a factor is a number from 0.001 to 1".into()),
    }
}

/// The shortest second of waiting is a millisecond: with none at all, a loop that waits between its looks at something
/// would fill its history in a moment.
const SCALE_MIN: f64 = 0.001;

impl Serve {
    pub(crate) fn run(self) -> Result<()> {
        self.check()?;
        let filter =
            EnvFilter::try_from_env("LOVELESS_LOG").unwrap_or_else(|_| EnvFilter::new("info,s3s=off"));
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(self.serve())
    }

    /// What can be known to be wrong before anything is opened.
    fn check(&self) -> Result<()> {
        let open = !self.listen.ip().is_loopback() && self.credentials.is_none() && !self.insecure;
        ensure!(
            !open,
            "--listen {}: an address off loopback lets others run programs on this machine. Give the keys that \
             clients must sign with (--credentials FILE), or say --insecure",
            self.listen
        );
        ensure!(
            self.account.len() == 12 && self.account.bytes().all(|digit| digit.is_ascii_digit()),
            "--account {}: an account has 12 digits",
            self.account
        );
        for (flag, url) in
            [("--lambda-endpoint", &self.lambda_endpoint), ("--s3-endpoint", &self.s3_endpoint)]
        {
            let known = |url: &String| url.starts_with("http://") || url.starts_with("https://");
            ensure!(url.as_ref().is_none_or(known), "{flag}: an endpoint begins with http:// or https://");
        }
        ensure!(
            self.retention_days >= 0.0 && self.retention_days <= RETENTION_DAYS_MAX,
            "--retention-days {}: a number of days between 0 and {RETENTION_DAYS_MAX}",
            self.retention_days
        );
        self.quotas().map(|_| ())
    }

    /// What is enforced.
    fn quotas(&self) -> Result<Quotas> {
        let mut quotas = match self.compat {
            Compat::Strict => Quotas::STRICT,
            Compat::Extended => Quotas::EXTENDED,
        };
        for limit in &self.limits {
            ensure!(
                matches!(self.compat, Compat::Extended),
                "--limit {limit}: under --compat strict limits are AWS's; say --compat extended to set them"
            );
            let (name, number) =
                limit.split_once('=').with_context(|| format!("--limit {limit}: say NAME=NUMBER"))?;
            let number = number.parse().with_context(|| format!("--limit {limit}: {number} is no number"))?;
            quotas.set(name, number).map_err(|why| anyhow!("--limit {limit}: {why}"))?;
        }
        Ok(quotas)
    }

    async fn serve(self) -> Result<()> {
        let listener = tokio::net::TcpListener::bind(self.listen)
            .await
            .with_context(|| format!("cannot listen on {}: is another server there?", self.listen))?;
        let address = listener.local_addr()?;
        let data = self.data.clone();
        if self.time_scale < 1.0 {
            tracing::warn!(
                "waits are shortened: a second of Wait states and of retries lasts {} s here. This is for development; \
                 no timing of this server means anything (--time-scale)",
                self.time_scale
            );
        }
        let quotas = self.quotas()?;
        let running = Running::start(listener, self.options(address, quotas)).await?;
        println!("loveless is ready at http://{address} (data in {})", data.display());
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            cause = running.failed() => {
                // What was acknowledged is safe; nothing more can be, so nothing more is promised.
                bail!("the store has failed and this server ends: {cause}");
            }
        }
        tracing::info!("shutting down");
        tokio::select! {
            () = running.shutdown(GRACE) => Ok(()),
            _ = terminate.recv() => bail!("ended by a second signal"),
            _ = interrupt.recv() => bail!("ended by a second signal"),
        }
    }

    fn options(self, address: SocketAddr, quotas: Quotas) -> Options {
        Options {
            address,
            data: self.data,
            lambda_endpoint: self.lambda_endpoint,
            s3_endpoint: self.s3_endpoint,
            credentials: self.credentials,
            hosts: self.hosts,
            origins: self.origins,
            region: self.region,
            account: self.account,
            containers: !self.no_containers,
            waited_second_ms: (self.time_scale * 1000.0).round() as u32,
            quotas,
            retention: Duration::from_secs_f64(self.retention_days * 86_400.0),
        }
    }
}
