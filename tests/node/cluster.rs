//! The chart on a node, and what the test looks at there.

use std::time::Duration;

use artifact_token_operator::api::artifact_token::ArtifactToken;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use serde::de::DeserializeOwned;
use serde_json::Value;
use support::is_ready;
use testbed::parts::{self, Part};
use testbed::reference_service::Books;
use testbed::{Node, Process, poll};

/// The release, as the README names it, and its objects.
pub const RELEASE: &str = "artifact-token-operator";
pub const NAMESPACE: &str = "artifact-tokens";
/// The token, as the chart's notes name it.
pub const TOKEN: &str = "try";
/// The Service of the reference service.
pub const SERVICE: &str = "artifact-token-operator-reference";

/// Limit for what needs pods to start or to end, on a loaded machine.
const DEADLINE: Duration = Duration::from_secs(180);
/// The port in the node's network under which the books of the service can be read.
const BOOKS: &str = "9090";

pub struct Cluster {
    pub node: Node,
    books: Option<Process>,
}

impl Cluster {
    pub fn new(node: Node) -> Self {
        Self { node, books: None }
    }

    /// Runs `kubectl` in the namespace of the release.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        let all = [&["--namespace", NAMESPACE], arguments].concat();
        self.node.kubectl(&all).await.map_err(|error| format!("{error:#}"))
    }

    /// Runs `helm`, and returns what it printed.
    pub async fn helm(&self, arguments: &[&str]) -> Result<String, String> {
        let parts = parts::ensure(&[Part::Helm]).expect("find or build Helm");
        let mut command = self.node.command(parts.path(Part::Helm).expect("just found"));
        for folder in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(folder, self.node.folder().join("helm"));
        }
        command.args(["--namespace", NAMESPACE]).args(arguments);
        self.node.run(command).await.map_err(|error| format!("{error:#}"))
    }

    /// Calls `look` until it finds something.
    pub async fn until<T>(&self, what: &str, look: impl AsyncFn() -> Result<T, String>) -> T {
        poll(what, DEADLINE, || look()).await.unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// An object of the release's namespace.
    pub async fn object<T: DeserializeOwned>(&self, kind: &str, name: &str) -> Result<T, String> {
        let json = self.kubectl(&["get", kind, name, "--output", "json"]).await?;
        serde_json::from_str(&json).map_err(|error| format!("{error}: {json}"))
    }

    /// Waits until both replicas are Ready.
    pub async fn until_two_are_ready(&self) {
        let look = async || {
            let deployment: Deployment = self.object("deployment", RELEASE).await?;
            let status = deployment.status.unwrap_or_default();
            let two = [status.replicas, status.ready_replicas, status.available_replicas] == [Some(2); 3];
            if two { Ok(()) } else { Err(format!("{status:#?}")) }
        };
        self.until("both replicas are Ready", look).await;
    }

    /// The pod of the replica that leads: the holder of the Lease begins with its name.
    pub async fn leader(&self) -> Result<String, String> {
        let lease: Lease = self.object("lease", RELEASE).await?;
        let holder = lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default();
        match holder.rsplit_once('_') {
            Some((pod, _)) => Ok(pod.to_owned()),
            None => Err(format!("nobody leads: {holder:?}")),
        }
    }

    pub async fn token(&self) -> Result<ArtifactToken, String> {
        self.object("artifacttoken", TOKEN).await
    }

    /// Waits until the token of this attempt is the current one, and the object is Ready.
    pub async fn until_attempt(&self, attempt: u32) -> ArtifactToken {
        let look = async || {
            let token = self.token().await?;
            if support::attempt(&token) == attempt && is_ready(&token) {
                Ok(token)
            } else {
                Err(format!("{:#?}", token.status))
            }
        };
        self.until(&format!("attempt {attempt} is current"), look).await
    }

    /// Runs a tool in the pod that reads the mounted token.
    pub async fn in_reader(&self, script: &str) -> Result<String, String> {
        self.kubectl(&["exec", "reader", "--", "/bin/busybox", "sh", "-c", script]).await
    }

    /// Everything that the service knows. Its books are shown only in its own pod, so a port leads there.
    pub async fn books(&mut self) -> Books {
        if self.books.is_none() {
            let said = self.kubectl(&["logs", &format!("deployment/{SERVICE}")]).await.unwrap();
            let addresses: Value = serde_json::from_str(said.lines().next().unwrap_or_default()).unwrap();
            let port =
                addresses["control"].as_str().and_then(|address| address.rsplit_once(':')).expect("an address").1;
            let (target, ports) = (format!("deployment/{SERVICE}"), format!("{BOOKS}:{port}"));
            let command = self.node.kubectl_command(&["--namespace", NAMESPACE, "port-forward", &target, &ports]);
            let log = self.node.folder().join("port-forward.log");
            self.books = Some(Process::start("the port of the books", &command, &log).unwrap());
        }
        let look = async || {
            let mut command = self.node.command("busybox");
            command.args(["wget", "-q", "-O", "-", &format!("http://127.0.0.1:{BOOKS}/control/books")]);
            let said = self.node.run(command).await.map_err(|error| format!("{error:#}"))?;
            serde_json::from_str(&said).map_err(|error| format!("{error}: {said}"))
        };
        self.until("the books of the service", look).await
    }

    /// What people look at when something is wrong.
    fn report(&self) {
        let looks: [&[&str]; 6] = [
            &["get", "all,lease,artifacttokens,tokenservices", "--all-namespaces", "--output", "wide"],
            &["get", "events", "--all-namespaces", "--sort-by", ".lastTimestamp"],
            &["describe", "pods", "--namespace", NAMESPACE],
            &["get", "artifacttokens,tokenservices", "--all-namespaces", "--output", "yaml"],
            &[
                "logs",
                "--namespace",
                NAMESPACE,
                "--selector",
                "app.kubernetes.io/name=artifact-token-operator",
                "--prefix",
                "--tail",
                "60",
            ],
            &["logs", "--namespace", NAMESPACE, "reader", "--tail", "10"],
        ];
        for look in looks {
            let output = self.node.kubectl_command(look).output();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let said = output.map_or_else(|error| error.to_string(), |said| text(&said.stdout) + &text(&said.stderr));
            eprintln!("kubectl {}:\n{said}", look.join(" "));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.report();
        }
    }
}
