//! A world on its own control plane, and the ways in which a test looks at it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use artifact_token_operator::api::artifact_token::{ArtifactToken, CONFIRM_IDENTITY, ROTATE_REQUESTED_AT};
use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::ids::TokenId;
use artifact_token_operator::api::reason::Reason;
use artifact_token_operator::rotation::identity::uid16;
use kube::ResourceExt as _;
use testbed::audit::Mark;
use testbed::control_plane::Options;
use testbed::reference_service::{Calls, Row, State};
use testbed::{ControlPlane, Operator, ReferenceService, cluster, operator, poll};
use tokio::sync::{Semaphore, SemaphorePermit};

use support::acts::ledger;
use support::{World, condition, credential_yaml, is_ready};

/// The operator has its own user, so that the audit log tells its requests from the test's.
pub const OPERATOR: &str = "operator";
/// Outages and settle times come on top of what a loaded machine needs.
pub const DEADLINE: Duration = Duration::from_secs(120);
/// A control plane takes 300 MB and, while it starts, a core.
static PLANES: Semaphore = Semaphore::const_new(2);
/// An API server that ends closes its watches after this time.
const WATCHES_END: &str = "--shutdown-watch-termination-grace-period=1s";
/// How long a test watches a world at rest for unneeded requests.
const REST: Duration = Duration::from_secs(4);
/// Requests of the operator in that time, for any number of objects, because it checks service objects again.
const MAX_AT_REST: usize = 6;

/// Waits for permission to start a control plane.
pub async fn turn() -> SemaphorePermit<'static> {
    PLANES.acquire().await.unwrap()
}

/// A control plane with the operator's user.
pub async fn start_plane() -> ControlPlane {
    // Without this argument, a graceful end waits a minute for the watches.
    let options = Options::default().user(OPERATOR, &["system:masters"]).argument(WATCHES_END);
    ControlPlane::start(options).await.expect("start a control plane")
}

/// A world on its own control plane.
pub struct OwnPlane {
    pub world: World,
    /// Tokens that nobody can know any more. Only the sweep of their service finds them.
    pub forgotten: Vec<String>,
    _turn: SemaphorePermit<'static>,
}

impl OwnPlane {
    /// A namespace with a quick service.
    pub async fn start(prefix: &str) -> Self {
        let turn = turn().await;
        let plane = Arc::new(start_plane().await);
        let client = plane.client().await.unwrap();
        cluster::apply_crds(&client, &support::crds()).await.expect("install the CRDs");
        let service = ReferenceService::start(support::binary("reference-service")).await.unwrap();
        let namespace = cluster::namespace(&client, prefix).await.unwrap();
        let world = World { plane, client, service, namespace };
        world.apply(&credential_yaml(world.service.admin_key())).await;
        world.serve(|_| {}).await;
        Self { world, forgotten: Vec::new(), _turn: turn }
    }

    /// Options of an operator with its own user. `margin` is the time between two deadlines of the protocol.
    pub fn options(&self, margin: &str) -> operator::Options {
        let kubeconfig = self.world.plane.kubeconfig_for(OPERATOR).unwrap();
        let mut options = self.world.operator_options_as(kubeconfig);
        options.arguments.retain(|argument| !argument.starts_with("--settle-margin"));
        options
            .argument(format!("--settle-margin={margin}"))
            .variable("RUST_LOG", "info,artifact_token_operator=debug,kube_runtime=debug")
    }

    pub async fn operator(&self, margin: &str) -> Operator {
        Operator::start(self.options(margin)).await.expect("start the operator")
    }

    /// The control plane, so that a test can end or change it.
    pub fn plane(&mut self) -> &mut ControlPlane {
        Arc::get_mut(&mut self.world.plane).expect("nobody else has this control plane")
    }

    pub async fn ready(&self, names: &[&str]) {
        for name in names {
            self.world.until_ready(name).await;
        }
    }

    pub async fn rotate(&self, names: &[&str], request: &str) {
        for name in names {
            self.world.annotate(name, ROTATE_REQUESTED_AT, request).await;
        }
    }

    /// Waits until this request is fulfilled.
    pub async fn fulfilled(&self, names: &[&str], request: &str) {
        let fulfilled = |token: &ArtifactToken| ledger(token).handled_requests.rotate.as_deref() == Some(request);
        for name in names {
            self.until(name, &format!("the request {request} of {name} is fulfilled"), &fulfilled).await;
        }
    }

    /// Like [`World::until`], with the deadline of this module, and even if the API server does not answer for a while.
    pub async fn until(&self, name: &str, what: &str, check: impl Fn(&ArtifactToken) -> bool) -> ArtifactToken {
        let tokens = self.world.tokens();
        let look = || async {
            let token = tokens.get(name).await.map_err(|error| error.to_string())?;
            if check(&token) { Ok(token) } else { Err(format!("{:#?}", token.status)) }
        };
        poll(what, DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Waits until the service's counters satisfy `check`: the moment for a fault.
    pub async fn until_calls(&self, what: &str, check: impl Fn(&Calls) -> bool) {
        let look = || async {
            let calls = self.world.service.books().await.map_err(|error| error.to_string())?.calls;
            if check(&calls) { Ok(()) } else { Err(format!("{calls:?}")) }
        };
        poll(what, DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"));
    }

    /// Waits until the object is at rest: it has one live token, which is verified and in the Secret. Or the operator suspects an
    /// identity conflict; then a person confirms the identity, and after that the object must come to rest. Returns whether a person
    /// was needed.
    pub async fn rests(&self, name: &str) -> bool {
        let suspected = self.settled(name).await;
        if suspected {
            self.world.annotate(name, CONFIRM_IDENTITY, "1").await;
            assert!(!self.settled(name).await, "{name} is suspected although a person confirmed it");
        }
        suspected
    }

    /// Waits until the object is at rest, or an identity conflict is suspected; returns whether it is suspected.
    async fn settled(&self, name: &str) -> bool {
        let look = || async {
            let token = self.world.tokens().get(name).await.map_err(|error| error.to_string())?;
            // After a confirmation, the status changes only with the next pass.
            let confirmed = token.annotations().contains_key(CONFIRM_IDENTITY);
            if is_suspected(&token) && !confirmed { Ok(true) } else { self.agrees(&token).await.map(|()| false) }
        };
        poll(&format!("{name} is at rest"), DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"))
    }

    async fn agrees(&self, token: &ArtifactToken) -> Result<(), String> {
        let ledger = ledger(token);
        let mut live = self.live_of(token).await;
        live.retain(|row| {
            TokenId::new(&*row.id).is_some_and(|id| ledger.knows(&id)) || !self.forgotten.contains(&row.id)
        });
        let world = || format!("live at the service: {live:#?}\nstatus: {:#?}", token.status);
        let [row] = live.as_slice() else { return Err(world()) };
        let secret = self.world.secrets().get_opt(&token.spec.secret.name).await.map_err(|error| error.to_string())?;
        let secret = secret.ok_or_else(|| format!("no Secret; {}", world()))?;
        let held = secret.annotations().get("artifact-token.dev/token-id");
        let current = ledger.current.as_ref().map(|current| current.id.as_str());
        if !is_ready(token)
            || current != Some(row.id.as_str())
            || !ledger.superseded.is_empty()
            || held != Some(&row.id)
        {
            return Err(format!("the Secret holds {held:?}; {}", world()));
        }
        let value = secret.data.as_ref().and_then(|data| data.get("token")).map(|value| value.0.clone());
        let value = String::from_utf8(value.unwrap_or_default()).map_err(|error| error.to_string())?;
        if self.world.accepts(&value).await { Ok(()) } else { Err(format!("the Secret's token is dead; {}", world())) }
    }

    /// The live tokens that carry this object's identity.
    pub async fn live_of(&self, token: &ArtifactToken) -> Vec<Row> {
        let part = format!(".{}.", uid16(&token.uid().unwrap()));
        let made = self.world.made().await;
        made.into_iter().filter(|row| row.state == State::Live && row.name.contains(&part)).collect()
    }

    /// Requests that the operator sent since `mark`, by verb and resource; those that began a watch among them.
    pub async fn requests_since(&self, mark: Mark) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for entry in self.world.plane.audit_since(mark).await.unwrap() {
            if entry.user == OPERATOR {
                *counts.entry(format!("{} {} {}", entry.verb, entry.resource, entry.code)).or_default() += 1;
            }
        }
        counts
    }

    /// Watches the world at rest for a while: the operator must not repeat requests. It may verify each of `verified` objects once
    /// meanwhile, with one read each.
    pub async fn is_quiet(&self, verified: usize) {
        let mark = self.world.plane.mark().await.unwrap();
        self.world.service.reset_calls().await.unwrap();
        tokio::time::sleep(REST).await;
        let requests = self.requests_since(mark).await;
        let calls = self.world.service.books().await.unwrap().calls;
        assert!(
            requests.values().sum::<usize>() <= MAX_AT_REST + verified,
            "at rest, the operator still sends requests: {requests:#?}"
        );
        assert_eq!((calls.generate, calls.revoke), (0, 0), "at rest, the operator still calls the service: {calls:?}");
    }
}

pub fn is_suspected(token: &ArtifactToken) -> bool {
    condition(token, ConditionType::Stalled).is_some_and(|stalled| stalled.reason == Reason::IdentityConflict)
}

/// The seconds since `began`, as text for a figure.
pub fn seconds(began: Instant) -> String {
    format!("{:.1} s", began.elapsed().as_secs_f64())
}
