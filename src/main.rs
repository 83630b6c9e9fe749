//! The operator: arguments, telemetry, wiring; no decisions.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use artifact_token_operator::api::duration::GoDuration;
use artifact_token_operator::operator::{self, Election, Health, Metrics, ObjectMetrics, Settings, World};
use artifact_token_operator::telemetry::{self, LogFormat};
use clap::{Parser, Subcommand, ValueEnum};
use data_encoding::HEXLOWER;
use futures::FutureExt;
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::signal::unix::{SignalKind, signal};

/// Keeps valid tokens of artifact and API services in Secrets.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    /// The kubeconfig to use. Default: KUBECONFIG, ~/.kube/config, or the pod's own account.
    #[arg(long)]
    kubeconfig: Option<PathBuf>,
    /// The namespaces to work in, separated by commas. Default: all.
    #[arg(long, value_delimiter = ',')]
    namespaces: Vec<String>,
    /// The address that serves /healthz, /readyz and /metrics.
    #[arg(long, default_value = "0.0.0.0:8080")]
    admin_address: SocketAddr,
    /// Whether each ArtifactToken has series of its own in /metrics; auto: while there are at most 2,000.
    #[arg(long, value_enum, default_value_t = ObjectMetrics::Auto)]
    object_metrics: ObjectMetrics,
    /// The format of log lines.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// How long a service may refuse a fresh token before the refusal counts.
    #[arg(long, value_parser = duration, default_value = "60s")]
    token_settle: Duration,
    /// The time between each two deadlines of the protocol.
    #[arg(long, value_parser = duration, default_value = "30s")]
    settle_margin: Duration,
    /// The first delay of every back-off; each failure doubles it, up to an hour.
    #[arg(long, value_parser = duration, default_value = "10s")]
    first_retry: Duration,
    /// A token that worked and is refused is asked about again after this time, at the earliest: one refusal is not yet its death.
    #[arg(long, value_parser = duration, default_value = "60s")]
    refusal_settle: Duration,
    /// How long a superseded token lives if neither its object nor its service sets an overlap.
    #[arg(long, value_parser = duration, default_value = "10m")]
    default_overlap: Duration,
    /// How long, at least, a token must be without an object before a sweep with `policy: Revoke` revokes it.
    #[arg(long, value_parser = duration, default_value = "1h")]
    orphan_grace: Duration,
    /// The namespace in which this operator runs: ClusterTokenServices may use Secrets and ConfigMaps only of it.
    /// Default: that of the pod's own account.
    #[arg(long, env = "POD_NAMESPACE")]
    operator_namespace: Option<String>,
    /// Whether Secrets are watched. Off, the operator needs no right to list or watch them, and reads each by its name.
    #[arg(long, value_enum, default_value_t = Switch::On)]
    secret_watch: Switch,
    /// How often each Secret is read again with --secret-watch=off; 1s at least.
    #[arg(long, value_parser = reread, default_value = "1h")]
    secret_reread: Duration,
    /// Handle ClusterTokenServices, too, even with --namespaces; needs a ClusterRole.
    #[arg(long)]
    cluster_services: bool,
    /// Whether this process keeps tokens only while it leads. With several replicas: `on`.
    #[arg(long, value_enum, default_value_t = Switch::Off)]
    leader_election: Switch,
    /// The name of the Lease of the election, in the operator's own namespace. Operators that keep different tokens need different ones.
    #[arg(long, default_value = "artifact-token-operator")]
    lease_name: String,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What the program does instead of running the operator.
#[derive(Debug, Subcommand)]
enum Command {
    /// Looks whether ArtifactTokens are left, in --namespaces or in all. If so, it names them and ends with the exit code 3: without the
    /// operator nobody revokes their tokens.
    UninstallCheck,
}

/// The exit code of a check that found something; 1 is for what went wrong, 2 for wrong arguments.
const FOUND: u8 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

/// The name of this machine; in a pod, that of the pod.
const OWN_NAME: &str = "/proc/sys/kernel/hostname";
/// The file in which a pod finds the namespace of its account.
const OWN_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

fn duration(text: &str) -> Result<Duration, String> {
    GoDuration::parse(text).map(|duration| duration.0).ok_or_else(|| "not a duration such as 60s or 10m".to_owned())
}

/// Without a pause the API server would be asked without end.
fn reread(text: &str) -> Result<Duration, String> {
    let every = duration(text)?;
    if every < Duration::from_secs(1) { Err("shorter than 1s".to_owned()) } else { Ok(every) }
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    telemetry::start(arguments.log_format);
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        bail!("the TLS provider is installed twice");
    }
    let config = kube_config(arguments.kubeconfig.as_deref()).await?;
    match arguments.command {
        Some(Command::UninstallCheck) => uninstall_check(config, &arguments.namespaces).await,
        None => run(config, arguments).await.map(|()| ExitCode::SUCCESS),
    }
}

async fn run(config: Config, arguments: Arguments) -> anyhow::Result<()> {
    let settings = Settings {
        token_settle: arguments.token_settle,
        margin: arguments.settle_margin,
        first_retry: arguments.first_retry,
        refusal_settle: arguments.refusal_settle,
        default_overlap: arguments.default_overlap,
        orphan_grace: arguments.orphan_grace,
        operator_namespace: operator_namespace(&arguments),
        cluster_services: arguments.cluster_services || arguments.namespaces.is_empty(),
        secret_reread: (arguments.secret_watch == Switch::Off).then_some(arguments.secret_reread),
        election: election(&arguments)?,
    };
    let (metrics, health) = (Metrics::new(arguments.object_metrics), Health::default());
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping, after the calls in flight have ended");
    };
    let scopes = scopes(&arguments.namespaces);
    let world = World::real(config).context("run the operator")?;
    let (address, scraped, asked) = (arguments.admin_address, metrics.clone(), health.clone());
    // A task of its own: a loop that holds its thread must not silence the answer that names it.
    let served = tokio::spawn(async move { operator::serve(address, &scraped, asked).await });
    tokio::select! {
        ended = operator::run(world, scopes, settings, metrics, health, shutdown.boxed().shared()) => ended.context("run the operator"),
        served = served => {
            served.context("serve probes")?.with_context(|| format!("serve {address}: choose another --admin-address"))
        }
    }
}

async fn uninstall_check(config: Config, namespaces: &[String]) -> anyhow::Result<ExitCode> {
    let world = World::real(config).context("check before an uninstall")?;
    let left = operator::left_tokens(&world, &scopes(namespaces)).await.context("check before an uninstall")?;
    let Some(left) = left else { return Ok(ExitCode::SUCCESS) };
    eprintln!("{left}");
    Ok(ExitCode::from(FOUND))
}

/// Each namespace once: two controllers over one namespace would do everything twice.
fn scopes(namespaces: &[String]) -> Vec<Option<String>> {
    let names: BTreeSet<&String> = namespaces.iter().collect();
    if names.is_empty() { vec![None] } else { names.into_iter().cloned().map(Some).collect() }
}

/// The pod's account belongs to the cluster of the pod. Its namespace means nothing in the cluster of a kubeconfig.
fn operator_namespace(arguments: &Arguments) -> Option<String> {
    let own = || std::fs::read_to_string(OWN_NAMESPACE).ok().filter(|_| arguments.kubeconfig.is_none());
    let named = arguments.operator_namespace.clone().or_else(own)?;
    Some(named.trim().to_owned()).filter(|name| !name.is_empty())
}

/// The election that this process stands for, if it does.
fn election(arguments: &Arguments) -> anyhow::Result<Option<Election>> {
    if arguments.leader_election == Switch::Off {
        return Ok(None);
    }
    let Some(namespace) = operator_namespace(arguments) else {
        bail!("--leader-election=on needs the namespace of the Lease: name it with --operator-namespace");
    };
    let name = std::fs::read_to_string(OWN_NAME).unwrap_or_default();
    let name = Some(name.trim()).filter(|name| !name.is_empty()).unwrap_or("operator").to_owned();
    // A process that is started again in the same pod is another one: it must not take its predecessor's Lease for its own.
    let mut random = [0_u8; 8];
    getrandom::fill(&mut random).context("read random bytes")?;
    let identity = format!("{name}_{}", HEXLOWER.encode(&random));
    Ok(Some(Election { namespace, name: arguments.lease_name.clone(), identity }))
}

async fn kube_config(path: Option<&std::path::Path>) -> anyhow::Result<Config> {
    match path {
        Some(path) => {
            let file =
                Kubeconfig::read_from(path).with_context(|| format!("read the kubeconfig {}", path.display()))?;
            let options = KubeConfigOptions::default();
            Config::from_custom_kubeconfig(file, &options).await.context("use the kubeconfig")
        }
        None => Config::infer().await.context("find a kubeconfig or the pod's account; --kubeconfig names a file"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_that_is_named_twice_is_watched_once() {
        let names = ["b", "a", "b"].map(str::to_owned);
        assert_eq!(scopes(&names), [Some("a".to_owned()), Some("b".to_owned())]);
        assert_eq!(scopes(&[]), [None]);
    }
}
