//! The cluster that a command talks to, as kubectl would.

use anyhow::{Context as _, anyhow};
use kube::config::KubeConfigOptions;
use kube::{Client, Config};

/// Where a command looks. kubectl does not hand its own flags to a plugin.
#[derive(Debug, clap::Args)]
pub struct Place {
    /// The namespace. Default: that of the context.
    #[arg(short, long)]
    pub namespace: Option<String>,
    /// The context in the kubeconfig. Default: the current one.
    #[arg(long)]
    pub context: Option<String>,
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
        let config = Config::from_kubeconfig(&options).await.context("read the kubeconfig")?;
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|error| anyhow!("connect to the cluster: {error}"))?;
        Ok((client, namespace))
    }
}
