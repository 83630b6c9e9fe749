//! The cluster that a command talks to, as kubectl would.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use artifact_token_operator::api::time::Time;
use kube::api::ListParams;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::Request;
use kube::{Client, Config};

/// Who writes, as the API server records it.
pub const FIELD_MANAGER: &str = "kubectl-artifact-token";

/// Where a command looks. kubectl does not hand its own flags to a plugin.
#[derive(Debug, clap::Args)]
pub struct Place {
    /// The namespace. Default: that of the context.
    #[arg(short, long)]
    pub namespace: Option<String>,
    /// The context in the kubeconfig. Default: the current one.
    #[arg(long)]
    pub context: Option<String>,
    /// The kubeconfig. Default: `KUBECONFIG`, else `~/.kube/config`.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

impl Place {
    /// A client, and the namespace that is meant.
    ///
    /// # Errors
    /// When there is no kubeconfig, or it has no such context.
    pub async fn connect(&self) -> anyhow::Result<(Client, String)> {
        // Whoever was faster installed the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let config = match &self.kubeconfig {
            Some(path) => {
                let file =
                    Kubeconfig::read_from(path).with_context(|| format!("read the kubeconfig {}", path.display()))?;
                Config::from_custom_kubeconfig(file, &options).await
            }
            None => Config::from_kubeconfig(&options).await,
        };
        let config = config.context("read the kubeconfig")?;
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|error| anyhow!("connect to the cluster: {error}"))?;
        Ok((client, namespace))
    }
}

/// The time by this machine's clock. Only for what is shown.
pub fn now() -> Time {
    Time::from(chrono::Utc::now())
}

/// The time by the API server's clock, to the second: the clock by which the operator records when tokens were claimed.
///
/// # Errors
/// When the API server does not answer, or without a date.
pub async fn server_time(client: &Client) -> anyhow::Result<Time> {
    let request = Request::new("/version").list(&ListParams::default()).context("ask for the time")?;
    let answer = client.send(request.map(Body::from)).await.context("ask the API server for the time")?;
    let date = answer.headers().get("date").and_then(|date| date.to_str().ok());
    let date = date.and_then(|date| chrono::DateTime::parse_from_rfc2822(date).ok());
    Ok(date.context("the API server's answer has no date")?.to_utc().into())
}

/// Whether the API server does not let this person do that.
pub fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 403)
}
