//! A namespace with its own service, proxy, operators, witness and consumer.

use std::time::Duration;

use serde_json::json;
use testbed::control_plane::Options;
use testbed::fault_proxy::Planned;
use testbed::{FaultProxy, operator};

use crate::keeper::Keeper;
use crate::script::SECRET;
use crate::support::canary::{self, Canary};
use crate::support::objects::{reference_operations, token_service};
use crate::support::probe::{Consumer, Probe};
use crate::support::{World, credential_yaml};
use crate::witness::Witness;

/// How long a superseded token lives on: a few passes of a consumer.
const OVERLAP: Duration = Duration::from_millis(800);
/// What *generate* may take. A claim is lost after this, TOKEN_SETTLE and two margins: 4 s.
const GENERATE: &str = "1s";
const TOKEN_SETTLE: &str = "500ms";
const MARGIN: &str = "1s";
/// Longer than that: who sleeps for so long has missed every deadline, and another operator has acted.
pub const PAST_EVERY_DEADLINE: Duration = Duration::from_millis(5500);

pub struct Life {
    // Operators end before what they talk to.
    pub first: Keeper,
    pub second: tokio::sync::OnceCell<Keeper>,
    pub world: World,
    pub proxy: FaultProxy,
    pub witness: Witness,
    pub probe: Probe,
    sleeper: std::sync::Mutex<Option<Planned>>,
}

impl Life {
    /// A life before its first step: one operator, and nothing for it to do.
    pub async fn start() -> Self {
        let world = World::with("crash", Options { audit: false, ..Options::default() }).await;
        let proxy = FaultProxy::start(&world.plane, Some(&world.service.base_url())).await.expect("start a proxy");
        let witness = Witness::start(&proxy, world.secrets()).await;
        let probe = Probe::start(Consumer {
            secrets: world.secrets(),
            secret: SECRET.to_owned(),
            key: "token".to_owned(),
            url: format!("{}/v1/whoami", world.service.base_url()),
            overlap: OVERLAP,
        });
        let first = Keeper::start(options(&world.namespace, proxy.kubeconfig()));
        first.ready().await;
        let second = tokio::sync::OnceCell::new();
        Self { first, second, world, proxy, witness, probe, sleeper: std::sync::Mutex::default() }
    }

    /// The service and its credential.
    pub async fn begin(&self) {
        self.world.apply(&credential_yaml(self.world.service.admin_key())).await;
        let url = self.proxy.service_url().expect("a service");
        let service = token_service("reference", &url, |spec| {
            let mut generate = reference_operations()["generate"].clone();
            generate["timeout"] = json!(GENERATE);
            spec["operations"] = json!({"generate": generate});
        });
        self.world.apply(&service).await;
    }

    /// Starts the other operator.
    pub async fn start_second(&self) {
        let start = || async { Keeper::start(options(&self.world.namespace, self.proxy.kubeconfig())) };
        self.second.get_or_init(start).await;
    }

    pub fn operators(&self) -> Vec<&Keeper> {
        [Some(&self.first), self.second.get()].into_iter().flatten().collect()
    }

    /// From now on tokens may die while they are held.
    pub fn excuse(&self) {
        self.witness.excuse();
        self.probe.excuse();
    }

    /// What is read and revoked from now on counts again.
    pub fn count_again(&self) {
        self.witness.count_again();
        self.probe.count_again();
    }

    /// The plan that puts an operator to sleep.
    pub fn may_sleep(&self, planned: Planned) {
        *self.sleeper.lock().unwrap() = Some(planned);
    }

    /// Whether an operator was put to sleep by it, and is not awake yet: its call goes on when it is.
    pub fn is_asleep(&self) -> bool {
        let sleeper = self.sleeper.lock().unwrap();
        let struck = sleeper.as_ref().map(Planned::struck).unwrap_or_default();
        let calls = self.proxy.calls();
        struck.iter().any(|struck| calls.iter().any(|call| call.number == struck.number && call.status.is_none()))
    }

    /// Secrets that people could read, in sentences.
    pub async fn leaks(&self, also_objects: bool) -> Vec<String> {
        let mut canary = Canary::default();
        canary.add("the admin key", self.world.service.admin_key());
        self.witness.values().iter().for_each(|(value, id)| canary.add(&format!("the value of {id}"), value));
        let mut places = if also_objects { canary::objects(&self.world).await } else { Vec::new() };
        for operator in self.operators() {
            places.push(("the log".to_owned(), operator.log().await));
            places.push(("the metrics".to_owned(), canary::metrics(&operator.admin_address().await).await));
        }
        places.iter().flat_map(|(place, text)| canary.find(place, text)).collect()
    }
}

fn options(namespace: &str, kubeconfig: std::path::PathBuf) -> operator::Options {
    operator::Options::new(env!("CARGO_BIN_EXE_artifact-token-operator"), kubeconfig)
        .argument(format!("--namespaces={namespace}"))
        .argument(format!("--token-settle={TOKEN_SETTLE}"))
        .argument(format!("--settle-margin={MARGIN}"))
        .argument("--first-retry=300ms")
        .argument(format!("--default-overlap={}ms", OVERLAP.as_millis()))
        .variable("RUST_LOG", "trace")
}
