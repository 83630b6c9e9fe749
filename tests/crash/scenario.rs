//! One namespace with its own service, proxy, operators, recorder and consumer.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use testbed::control_plane::Options;
use testbed::fault_proxy::Planned;
use testbed::reference_service::Row;
use testbed::{FaultProxy, operator, poll};

use crate::recorder::Recorder;
use crate::script::SECRET;
use crate::supervisor::Supervisor;
use support::canary::{self, Canary};
use support::consumer::{Consumer, Options as ConsumerOptions};
use support::objects::{reference_operations, token_service};
use support::{DEADLINE, World, credential_yaml};

/// How long a superseded token lives on: long enough for a few rounds of the consumer.
const OVERLAP: Duration = Duration::from_millis(800);
/// How long *generate* may take. A claim counts as lost after this time, TOKEN_SETTLE and two margins: about 4 s.
const GENERATE: &str = "1s";
const TOKEN_SETTLE: &str = "500ms";
const MARGIN: &str = "1s";
/// Longer than that: an operator that sleeps for so long has missed every deadline, and another operator has acted.
pub const PAST_EVERY_DEADLINE: Duration = Duration::from_millis(5500);

/// Who makes and revokes the tokens of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hands {
    /// The operator, by the service's API.
    Operator,
    /// A person: the service can only *verify*.
    Person,
}

impl Hands {
    /// How long a refusal must last. Each token of a person is seen dead by that, and the last one after ten times as long.
    fn refusal_settle(self) -> &'static str {
        match self {
            Self::Operator => "1s",
            Self::Person => "400ms",
        }
    }

    /// In the names of plans and in figures.
    pub fn words(self) -> &'static str {
        match self {
            Self::Operator => "",
            Self::Person => ", by hand",
        }
    }
}

pub struct Scenario {
    // Fields are dropped in order: the operators end before the servers that they call.
    pub first: Supervisor,
    pub second: tokio::sync::OnceCell<Supervisor>,
    pub world: World,
    pub proxy: FaultProxy,
    pub recorder: Recorder,
    pub consumer: Consumer,
    pub hands: Hands,
    /// A token at the service that is somebody else's.
    stranger: tokio::sync::OnceCell<String>,
    sleeper: std::sync::Mutex<Option<Planned>>,
    /// Why tokens were refused, as the person has heard.
    heard: std::sync::Mutex<BTreeSet<String>>,
}

impl Scenario {
    /// A scenario before its first step: one operator that has nothing to do.
    pub async fn start(hands: Hands) -> Self {
        let world = World::with("crash", Options { audit: false, ..Options::default() }).await;
        let proxy = FaultProxy::start(&world.plane, Some(&world.service.base_url())).await.expect("start a proxy");
        let recorder = Recorder::start(&proxy, &world).await;
        let consumer = Consumer::start(ConsumerOptions {
            secrets: world.secrets(),
            secret: SECRET.to_owned(),
            key: "token".to_owned(),
            url: format!("{}/v1/whoami", world.service.base_url()),
            overlap: OVERLAP,
        });
        let first = Supervisor::start(options(&world.namespace, proxy.kubeconfig(), hands));
        first.ready().await;
        let second = tokio::sync::OnceCell::new();
        let stranger = tokio::sync::OnceCell::new();
        let (sleeper, heard) = (std::sync::Mutex::default(), std::sync::Mutex::default());
        Self { first, second, world, proxy, recorder, consumer, hands, stranger, sleeper, heard }
    }

    /// Creates the service object and its credential.
    pub async fn begin(&self) {
        self.world.apply(&credential_yaml(self.world.service.admin_key())).await;
        let url = self.proxy.service_url().expect("a service");
        let mut operations = reference_operations();
        let service = token_service("reference", &url, |spec| match self.hands {
            Hands::Operator => {
                operations["generate"]["timeout"] = json!(GENERATE);
                spec["operations"] = json!({"generate": operations["generate"]});
            }
            Hands::Person => {
                spec["preset"] = json!("Custom");
                spec["operations"] = json!({"verify": operations["verify"]});
                spec.as_object_mut().expect("a spec").remove("credentials");
                spec.as_object_mut().expect("a spec").remove("naming");
            }
        });
        self.world.apply(&service).await;
    }

    /// Starts the other operator.
    pub async fn start_second(&self) {
        let start = || async { Supervisor::start(options(&self.world.namespace, self.proxy.kubeconfig(), self.hands)) };
        self.second.get_or_init(start).await;
    }

    /// Every token that the operators generated.
    pub async fn made(&self) -> Vec<Row> {
        let mut made = self.world.made().await;
        made.retain(|row| !self.is_strangers(row));
        made
    }

    /// Generates a token that is somebody else's.
    pub async fn add_a_stranger(&self) {
        let id = self.world.generate_as("somebody else's").await.0;
        self.stranger.set(id).expect("one stranger");
    }

    pub fn is_strangers(&self, row: &Row) -> bool {
        self.stranger.get() == Some(&row.id)
    }

    pub async fn stranger_is_dead(&self) -> bool {
        match self.stranger.get() {
            Some(id) => self.world.is_dead(id).await,
            None => false,
        }
    }

    /// Whether the person hears for the first time why a token is refused.
    pub fn hears(&self, why: &str) -> bool {
        self.heard.lock().unwrap().insert(why.to_owned())
    }

    /// How often operators ended and were started again.
    pub fn restarts(&self) -> usize {
        self.operators().into_iter().map(Supervisor::restarts).sum()
    }

    /// Waits until operators were restarted `times` times, and all are ready.
    pub async fn until_restarted(&self, times: usize) {
        let look = || {
            let seen = self.restarts();
            std::future::ready(if seen >= times { Ok(()) } else { Err(format!("{seen} restarts")) })
        };
        poll("an operator is started again", DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"));
        for operator in self.operators() {
            operator.ready().await;
        }
    }

    pub fn operators(&self) -> Vec<&Supervisor> {
        [Some(&self.first), self.second.get()].into_iter().flatten().collect()
    }

    /// From now on, tokens may die while the Secret holds them.
    pub fn excuse(&self) {
        self.recorder.excuse();
        self.consumer.excuse();
    }

    /// From now on, they may not.
    pub fn count_again(&self) {
        self.recorder.count_again();
        self.consumer.count_again();
    }

    /// Remembers the plan that puts an operator to sleep.
    pub fn may_sleep(&self, planned: Planned) {
        *self.sleeper.lock().unwrap() = Some(planned);
    }

    /// Whether that plan put an operator to sleep that has not woken up yet. Its call gets an answer only after that.
    pub fn is_asleep(&self) -> bool {
        let sleeper = self.sleeper.lock().unwrap();
        let struck = sleeper.as_ref().map(Planned::struck).unwrap_or_default();
        let calls = self.proxy.calls();
        struck.iter().any(|struck| calls.iter().any(|call| call.number == struck.number && call.status.is_none()))
    }

    /// Secret values that stand in the log or the metrics of an operator.
    pub async fn leaks(&self) -> Vec<String> {
        let mut places = Vec::new();
        for operator in self.operators() {
            places.push(("the log".to_owned(), operator.log().await));
            places.push(("the metrics".to_owned(), canary::metrics(&operator.admin_address().await).await));
        }
        self.canary().find_in(&places)
    }

    /// Secret values that stand in the objects and events of this moment.
    pub async fn leaks_in_objects(&self) -> Vec<String> {
        self.canary().find_in(&canary::objects(&self.world).await)
    }

    fn canary(&self) -> Canary {
        let mut canary = Canary::default();
        canary.add("the admin key", self.world.service.admin_key());
        let kubeconfig = std::fs::read_to_string(self.proxy.kubeconfig()).expect("read the kubeconfig");
        let kubeconfig: serde_json::Value = serde_json::from_str(&kubeconfig).expect("a kubeconfig in JSON");
        let token = kubeconfig["users"][0]["user"]["token"].as_str().expect("a token in it");
        canary.add("the operator's own credential", token);
        self.recorder.values().iter().for_each(|(value, id)| canary.add(&format!("the value of {id}"), value));
        canary
    }
}

fn options(namespace: &str, kubeconfig: std::path::PathBuf, hands: Hands) -> operator::Options {
    operator::Options::new(support::binary("artifact-token-operator"), kubeconfig)
        .argument(format!("--namespaces={namespace}"))
        .argument(format!("--token-settle={TOKEN_SETTLE}"))
        .argument(format!("--settle-margin={MARGIN}"))
        .argument(format!("--refusal-settle={}", hands.refusal_settle()))
        .argument("--first-retry=300ms")
        .argument(format!("--default-overlap={}ms", OVERLAP.as_millis()))
        .variable("RUST_LOG", "trace")
}
