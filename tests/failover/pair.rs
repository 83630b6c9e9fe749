//! Two operators that stand for the same election, and a record of who held the Lease.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use artifact_token_operator::api::artifact_token::ROTATE_REQUESTED_AT;
use futures::StreamExt as _;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, WatchEvent, WatchParams};
use support::acts::ledger;
use support::{World, credential_yaml, is_ready, service_yaml, token_yaml};
use testbed::control_plane::Options;
use testbed::{FaultProxy, Operator, operator, poll};
use tokio::task::AbortHandle;

/// The object of each test.
pub const TOKEN: &str = "ci";
/// Limit for what needs no lease to expire, on a loaded machine.
pub const DEADLINE: Duration = Duration::from_secs(90);
/// How exactly a test sees the end of a process: it looks that often.
pub const LOOK: Duration = Duration::from_millis(10);

/// A holder, and when the watch of the test showed it.
#[derive(Clone, Debug)]
pub struct Held {
    pub holder: String,
    pub at: Instant,
}

pub struct Pair {
    // Fields are dropped in order: the operators end before the servers that they call.
    pub operators: [Operator; 2],
    pub proxy: FaultProxy,
    pub world: World,
    holders: Arc<Mutex<Vec<Held>>>,
    task: AbortHandle,
}

impl Pair {
    /// A world with one verified token, and two operators that are ready. The first one leads.
    pub async fn start(prefix: &str) -> Self {
        let world = World::with(prefix, Options { audit: false, ..Options::default() }).await;
        let proxy = FaultProxy::start(&world.plane, Some(&world.service.base_url())).await.expect("start a proxy");
        let holders = Arc::<Mutex<Vec<Held>>>::default();
        let task = tokio::spawn(follow(leases(&world), holders.clone())).abort_handle();
        let first = Operator::start(options(&world, &proxy)).await.expect("start the first operator");
        let second = Operator::launch(options(&world, &proxy)).expect("start the second operator");
        let mut pair = Self { operators: [first, second], proxy, world, holders, task };
        pair.until_held_after(None).await;
        pair.operators[1].ready().await.expect("a standby becomes ready");
        pair.world.apply(&credential_yaml(pair.world.service.admin_key())).await;
        pair.world.apply(&service_yaml("reference", &pair.proxy.service_url().expect("a service"))).await;
        pair.world.apply(&token_yaml(TOKEN)).await;
        pair.world.until_ready(TOKEN).await;
        pair
    }

    /// Which of the operators holds the Lease: its log says under which identity it leads.
    pub fn leader(&self) -> usize {
        let holder = self.holder();
        let tells = |line: &str| line.contains("leading: keeping tokens") && line.contains(&holder);
        let leads = |operator: &Operator| operator.log().lines().any(tells);
        (0..2).find(|one| leads(&self.operators[*one])).unwrap_or_else(|| panic!("nobody is {holder}"))
    }

    /// The newest holder; empty for nobody.
    pub fn holder(&self) -> String {
        self.holders.lock().unwrap().last().map(|held| held.holder.clone()).unwrap_or_default()
    }

    /// All holders until now, one after the other.
    pub fn holders(&self) -> Vec<String> {
        let mut holders: Vec<_> = self.holders.lock().unwrap().iter().map(|held| held.holder.clone()).collect();
        holders.dedup();
        holders
    }

    /// Waits until somebody else than `before` holds the Lease, and says who, and from when on.
    pub async fn until_held_after(&self, before: Option<&str>) -> Held {
        let look = || {
            let all = self.holders.lock().unwrap();
            let last = all.last().map(|held| held.holder.clone()).unwrap_or_default();
            let other = !last.is_empty() && Some(last.as_str()) != before;
            // The first time that it was seen there, not its last renewal.
            let first = all.iter().rev().take_while(|held| held.holder == last).last().cloned().filter(|_| other);
            std::future::ready(first.ok_or(last))
        };
        poll("another one holds the Lease", DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Requests a rotation.
    pub async fn request(&self, request: &str) {
        self.world.annotate(TOKEN, ROTATE_REQUESTED_AT, request).await;
    }

    /// Waits until that request is fulfilled, and service, Secret and ledger agree on the one token that lives.
    pub async fn until_rotated(&self, request: &str) {
        let fulfilled = |token: &_| {
            let known = ledger(token);
            known.handled_requests.rotate.as_deref() == Some(request) && known.superseded.is_empty() && is_ready(token)
        };
        self.world.until(TOKEN, &format!("the rotation {request} is done"), fulfilled).await;
        self.world.agrees(TOKEN, "ci-secret").await;
    }

    /// How often the service was asked for a token.
    pub async fn generates(&self) -> u64 {
        self.world.service.books().await.expect("read the books").calls.generate
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub fn options(world: &World, proxy: &FaultProxy) -> operator::Options {
    world
        .operator_options_as(proxy.kubeconfig())
        .argument("--leader-election=on")
        .argument(format!("--operator-namespace={}", world.namespace))
}

pub fn leases(world: &World) -> Api<Lease> {
    Api::namespaced(world.client.clone(), &world.namespace)
}

pub fn holder_of(lease: &Lease) -> String {
    lease.spec.as_ref().and_then(|spec| spec.holder_identity.clone()).unwrap_or_default()
}

/// Notes each version of the Lease when it comes.
async fn follow(leases: Api<Lease>, holders: Arc<Mutex<Vec<Held>>>) {
    let mut version = "0".to_owned();
    loop {
        let Ok(events) = leases.watch(&WatchParams::default(), &version).await else { continue };
        let mut events = std::pin::pin!(events);
        while let Some(event) = events.next().await {
            if let Ok(WatchEvent::Added(lease) | WatchEvent::Modified(lease)) = event {
                version = lease.metadata.resource_version.clone().unwrap_or_default();
                holders.lock().unwrap().push(Held { holder: holder_of(&lease), at: Instant::now() });
            }
        }
    }
}
