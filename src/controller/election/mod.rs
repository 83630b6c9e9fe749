//! The election of a leader by a Lease: a thin loop around [`candidate`], which decides.
//!
//! It saves requests, and safety does not rest on it: a lease does not stop a process that sleeps. A standby has all watches and caches,
//! so that it goes on at once. A holder that could not renew in time goes back to being one. Programs of client-go end themselves there,
//! because they cannot stop what they run; here each pass looks before it begins. What this process has in memory (values to put back,
//! credentials whose Secret is gone) would be lost with it, and an API server that is away for 10 s would restart all replicas.

mod candidate;

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::pending;
use futures::{Stream, StreamExt};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use tokio::time::{Instant, sleep_until, timeout};

use crate::api::FIELD_MANAGER;
use crate::controller::admin::health::{Cache, Heart};
use crate::controller::error::describe;
use crate::controller::settings::Election;
use crate::controller::shared::Shared;
use crate::controller::watch::watched;
use crate::controller::worker::Shutdown;

use candidate::{Act, Candidate, Failure, Moment};

/// The longest wait for an answer about the Lease. A holder has time for another try before it must stop to lead.
const TRY_FOR: Duration = Duration::from_secs(3);
/// The most tries to let go of the Lease: the first one may meet a version that this process has not seen.
const RELEASE_TRIES: usize = 3;

/// Stands for election until `ended`, and lets go of the Lease then. From `shutdown` on it does not begin to lead.
pub(in crate::controller) async fn run(
    ctx: Arc<Shared>,
    election: Election,
    (cache, heart): (Cache, Heart),
    mut shutdown: Shutdown,
    mut ended: oneshot::Receiver<()>,
) {
    let mut campaign = Campaign::new(ctx, election, cache);
    let mut events = pin!(campaign.events());
    let mut beats = pin!(heart.beats::<()>());
    loop {
        match campaign.candidate.next_act(campaign.now()) {
            Act::Read => campaign.read().await,
            Act::Write => campaign.write().await,
            Act::Wait(until) => {
                let until = until.map(|until| campaign.begun + until);
                // What is heard comes before what is due: it may say that nothing is.
                tokio::select! {
                    biased;
                    event = events.next() => event.into_iter().for_each(|event| campaign.hear(event)),
                    _ = &mut ended => break,
                    () = &mut shutdown, if campaign.candidate.stands() => campaign.candidate.stand_down(),
                    _ = beats.next() => {}
                    () = reached(until) => {}
                }
            }
        }
        campaign.tell();
    }
    campaign.release().await;
}

async fn reached(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => pending().await,
    }
}

/// A candidate, and what it needs to act.
struct Campaign {
    ctx: Arc<Shared>,
    election: Election,
    cache: Cache,
    candidate: Candidate,
    api: Api<Lease>,
    begun: Instant,
    /// What the list under way has shown so far.
    arriving: Option<Lease>,
    /// Whether it was last told that this process leads.
    leads: bool,
    /// What was last told that went wrong, by verb.
    problems: BTreeMap<&'static str, String>,
}

impl Campaign {
    fn new(ctx: Arc<Shared>, election: Election, cache: Cache) -> Self {
        let api = Api::namespaced(ctx.watches.clone(), &election.namespace);
        let candidate = Candidate::new(election.identity.clone());
        Self {
            ctx,
            election,
            cache,
            candidate,
            api,
            begun: Instant::now(),
            arriving: None,
            leads: false,
            problems: BTreeMap::new(),
        }
    }

    /// All changes of the Lease, so that a candidate sees at once that it was released.
    fn events(&self) -> impl Stream<Item = watcher::Result<Event<Lease>>> + use<> {
        let only = watcher::Config::default().fields(&format!("metadata.name={}", self.election.name));
        let unmanaged = |lease: &mut Lease| lease.metadata.managed_fields = None;
        watched(self.api.clone(), only).default_backoff().modify(unmanaged)
    }

    fn now(&self) -> Moment {
        self.begun.elapsed()
    }

    fn hear(&mut self, event: watcher::Result<Event<Lease>>) {
        let now = self.now();
        match event {
            Ok(Event::Init) => self.arriving = None,
            Ok(Event::InitApply(lease)) => self.arriving = Some(lease),
            Ok(Event::InitDone) => {
                match self.arriving.take() {
                    Some(lease) => self.candidate.hear(&lease, false, now),
                    None => self.candidate.see(None, now),
                }
                self.cache.synced();
            }
            Ok(Event::Apply(lease)) => self.candidate.hear(&lease, false, now),
            Ok(Event::Delete(lease)) => self.candidate.hear(&lease, true, now),
            Err(error) => self.went_wrong("watch", &error.to_string()),
        }
    }

    async fn read(&mut self) {
        let begun = self.now();
        match timeout(TRY_FOR, self.api.get_opt(&self.election.name)).await {
            Ok(Ok(lease)) => {
                self.cache.synced();
                self.candidate.see(lease, self.now());
            }
            Ok(Err(error)) => self.failed("get", &error, begun),
            Err(_) => self.silent("get", begun),
        }
    }

    /// Takes the Lease or renews it.
    async fn write(&mut self) {
        let record = self.candidate.record(&self.time());
        let begun = self.now();
        let verb = if self.candidate.lease().is_some() { "update" } else { "create" };
        match timeout(TRY_FOR, self.put(record)).await {
            Ok(Ok(lease)) => {
                self.problems.clear();
                self.cache.synced();
                self.candidate.wrote(lease, begun, self.now());
            }
            Ok(Err(error)) => self.failed(verb, &error, begun),
            Err(_) => self.silent(verb, begun),
        }
    }

    /// Creates the Lease, or replaces the version that is known: the API server refuses what was decided on another one.
    async fn put(&self, record: LeaseSpec) -> kube::Result<Lease> {
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let name = &self.election.name;
        let written = if let Some(lease) = self.candidate.lease() {
            let lease = Lease { spec: Some(record), ..lease.clone() };
            self.api.replace(name, &params, &lease).await
        } else {
            let metadata = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
            self.api.create(&params, &Lease { metadata, spec: Some(record) }).await
        };
        written.map(|mut lease| {
            lease.metadata.managed_fields = None;
            lease
        })
    }

    /// For people: nobody compares it with a clock.
    fn time(&self) -> MicroTime {
        self.ctx.clock.now().time().into()
    }

    fn failed(&mut self, verb: &'static str, error: &kube::Error, begun: Moment) {
        // Not there any more, there already, or in another version. Where the namespace is not there, the read says so.
        let conflict =
            matches!(error, kube::Error::Api(status) if status.code == 409 || status.code == 404 && verb == "update");
        if conflict {
            tracing::debug!(lease = %self.election, "the Lease is not as it was known");
        } else {
            let refused = matches!(error, kube::Error::Api(status) if [401, 403, 404, 422].contains(&status.code));
            self.went_wrong(verb, &describe(error));
            if refused {
                self.cache.failed(format!("{verb} of the Lease {}: {}", self.election, describe(error)));
            }
        }
        self.candidate.failed(if conflict { Failure::Conflict } else { Failure::Other }, begun);
    }

    fn silent(&mut self, verb: &'static str, begun: Moment) {
        self.went_wrong(verb, "the API server gave no answer in time");
        self.candidate.failed(Failure::Other, begun);
    }

    /// Tells a problem once, until another one comes or a write succeeds.
    fn went_wrong(&mut self, verb: &'static str, why: &str) {
        if self.problems.insert(verb, why.to_owned()).is_some_and(|told| told == why) {
            tracing::debug!(lease = %self.election, verb, why, "the election still has this problem");
            return;
        }
        tracing::warn!(
            lease = %self.election, verb, why,
            "the Lease of the election: who cannot write it does not lead, and keeps no tokens. This account needs get, list, watch, create \
             and update of leases.coordination.k8s.io in that namespace"
        );
    }

    /// Hands on whether this process leads, and tells when that changes.
    fn tell(&mut self) {
        let led = self.ctx.leadership.is_leading();
        self.ctx.leadership.lead_until(self.candidate.leads_until().map(|until| self.begun + until));
        let leads = self.ctx.leadership.is_leading();
        if leads && !led {
            // Whatever began meanwhile in the standby has left its objects alone.
            self.ctx.services.begin_all();
        }
        if leads != self.leads {
            let (lease, identity) = (&self.election, &self.election.identity);
            match leads {
                true => tracing::info!(%lease, identity, "leading: keeping tokens"),
                false => {
                    tracing::warn!(%lease, identity, holder = self.candidate.holder(), "not leading any more: no pass begins")
                }
            }
        }
        self.leads = leads;
    }

    /// Lets go of the Lease, so that a standby goes on at once.
    async fn release(&mut self) {
        self.ctx.leadership.lead_until(None);
        for _ in 0..RELEASE_TRIES {
            if !self.candidate.holds() {
                return;
            }
            let record = self.candidate.released(&self.time());
            match timeout(TRY_FOR, self.put(record)).await {
                Ok(Ok(_)) => {
                    tracing::info!(lease = %self.election, "released the Lease");
                    return;
                }
                Ok(Err(error)) => {
                    tracing::warn!(lease = %self.election, error = %describe(&error), "the Lease is not released yet");
                    self.read().await;
                }
                Err(_) => self.read().await,
            }
        }
    }
}
