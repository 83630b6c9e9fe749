//! One pass over one object: observe, decide, perform, until there is nothing to do now.

use std::sync::Arc;
use std::time::Duration;

use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use tracing::{debug, info};

use crate::api::FINALIZER;
use crate::api::artifact_token::ArtifactToken;
use crate::api::ledger::{ArtifactTokenStatus, Binding, Ledger};
use crate::api::time::Time;
use crate::controller::error::PassError;
use crate::controller::registry::{Key, ServiceEntry};
use crate::controller::token::context::Context;
use crate::controller::token::known_secret::KnownSecret;
use crate::controller::token::memory::Memory;
use crate::controller::token::perform::record::Written;
use crate::controller::token::validate::Wish;
use crate::rotation::desired::Halt;
use crate::rotation::observed::{Observed, Row, Verdict};
use crate::rotation::plan::{Step, next_step, next_wake};
use crate::rotation::report::{Phase, Situation, conditions};
use crate::rotation::schedule;

/// The most steps of one pass: a whole rotation has 8, a deletion of five tokens 12. Whatever is left goes into the next pass,
/// so that one object cannot hold a worker.
const MOST_STEPS: usize = 24;

/// A halted object is looked at again at least this often.
const HALTED_LOOK: Duration = Duration::from_secs(300);

/// After a lost race for the status, what changed is looked at so soon.
const AFTER_CONFLICT: Duration = Duration::from_millis(200);

/// A first issue that takes longer than this is shown as `Issuing`; a shorter one spares the write.
pub(crate) const ISSUING_AFTER: Duration = Duration::from_secs(5);

/// One pass.
pub(crate) struct Pass<'a> {
    /// What all passes share.
    pub ctx: &'a Context,
    /// What this process knows of the object.
    pub memory: &'a mut Memory,
    /// The object, as fresh as known.
    pub object: Arc<ArtifactToken>,
    /// The checked wish.
    pub wish: Wish,
    /// The service as it was checked last.
    pub service: Option<Arc<ServiceEntry>>,
    /// Why the object's namespace may have no new token of the service, if so.
    pub forbidden: Option<Halt>,
    /// The Secret as known.
    pub known: KnownSecret,
    /// The service's list, once this pass asked for it.
    pub listing: Option<Vec<Row>>,
    /// The Secret write was dry-run against `known`.
    pub preflight: bool,
    /// What the service said of what `known` holds.
    pub verdict: Option<Verdict>,
    /// What was found that forbids a new token.
    pub halt: Option<Halt>,
}

/// How the last step left the pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Decide again.
    Continue,
    /// The object is gone.
    Gone,
}

impl<'a> Pass<'a> {
    /// A pass over `object`, as the cache has it, or as this process wrote it if that is newer.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub(crate) async fn begin(
        ctx: &'a Context,
        memory: &'a mut Memory,
        cached: Arc<ArtifactToken>,
    ) -> Result<Self, PassError> {
        let object = memory.newest(cached, ctx.listed.since());
        let service = ctx.shared.services.get(&Key::of(&object));
        let forbidden = service.as_deref().and_then(|service| ctx.shared.forbidden(service, &object));
        // Who may not use a service is told nothing else of it, and its credential is not used for an object without our
        // finalizer, which has no token there.
        let begun = object.finalizers().iter().any(|name| name == FINALIZER);
        let service = service.filter(|_| begun || forbidden.is_none());
        let wish = Wish::of(&object, service.as_deref(), &ctx.shared.settings);
        let known = KnownSecret::default();
        let (listing, preflight, verdict, halt) = (None, false, None, None);
        let mut pass = Self { ctx, memory, object, wish, service, forbidden, known, listing, preflight, verdict, halt };
        pass.remind().await?;
        pass.look().await?;
        pass.take_slot();
        Ok(pass)
    }

    /// A process that has just begun, or forgot, takes the last slot for the time when the token was seen accepted.
    fn take_slot(&mut self) {
        if let Some(current) = self.ledger().current {
            let slot = || schedule::last_slot(&self.wish.desired, &current, self.ctx.shared.clock.now().earliest);
            self.memory.accepted.get_or_insert_with(slot);
        }
    }

    /// Runs the pass to its end, and says when to look again.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub(crate) async fn run(mut self) -> Result<Action, PassError> {
        for _ in 0..MOST_STEPS {
            let now = self.ctx.shared.clock.now().earliest;
            let observed = self.observe(now);
            let step = next_step(&self.wish.desired, &observed, now);
            debug!(object = %self.label(), ?step, "next step");
            match step {
                Step::Wait(until) => return self.rest(&observed, Phase::Resting, until).await,
                Step::Halt(halt) => {
                    // Revokes and verification go on while nothing new may be made.
                    let wake = next_wake(&self.wish.desired, &observed, now);
                    let look = now.plus(HALTED_LOOK).min(wake.unwrap_or(now.plus(HALTED_LOOK)));
                    return self.rest(&observed, Phase::Halted(&halt), Some(look)).await;
                }
                step => {
                    if self.perform(step, &observed).await? == Flow::Gone {
                        info!(object = %self.label(), "released");
                        return Ok(Action::await_change());
                    }
                }
            }
        }
        Ok(Action::requeue(Duration::ZERO))
    }

    /// namespace/name, for logs.
    pub(crate) fn label(&self) -> String {
        format!("{}/{}", self.object.namespace().unwrap_or_default(), self.object.name_any())
    }

    /// The ledger as known.
    pub(crate) fn ledger(&self) -> Ledger {
        self.object.status.as_ref().map(|status| status.ledger.clone()).unwrap_or_default()
    }

    /// Ends the pass: tells people what changed, and says when to look again.
    async fn rest(mut self, observed: &Observed, phase: Phase<'_>, until: Option<Time>) -> Result<Action, PassError> {
        let mut ledger = observed.ledger.clone();
        // Every pass begins with the look that was asked for; where the service has to be asked, too, it ends with its answer.
        let answered = !observed.facts.doubtful || !self.wish.desired.probe;
        if observed.object.requests.reconcile.is_some() && answered && ledger != Ledger::default() {
            ledger.handled_requests.reconcile.clone_from(&observed.object.requests.reconcile);
        }
        let told = self.told(observed, phase, ledger);
        let old = self.object.status.clone().unwrap_or_default();
        let now = self.ctx.shared.clock.now().earliest;
        let young = now.since(observed.object.created) < ISSUING_AFTER && old.conditions.is_empty();
        let brief = young && phase == Phase::Resting && observed.ledger == Ledger::default() && until.is_some();
        let released = observed.object.deleting && !observed.object.finalizer;
        if told != old && !brief && !released {
            if self.write_status(told).await? != Written::Yes {
                return Ok(Action::requeue(AFTER_CONFLICT));
            }
            if let Phase::Halted(halt) = phase {
                self.announce_halt(halt, &old).await;
            }
        }
        let late = if brief { until.map(|until| until.min(now.plus(ISSUING_AFTER))) } else { until };
        Ok(late.map_or_else(Action::await_change, |until| Action::requeue(until.since(now))))
    }

    /// The whole status of this situation.
    pub(crate) fn told(&self, observed: &Observed, phase: Phase<'_>, ledger: Ledger) -> ArtifactTokenStatus {
        let old = self.object.status.clone().unwrap_or_default();
        let now = self.ctx.shared.clock.now();
        let after = Observed { ledger, ..observed.clone() };
        let situation = Situation {
            ledger: &after.ledger,
            phase,
            trouble: self.memory.trouble.as_ref().map(|(_, trouble)| trouble),
            holds_current: after.holds_current(),
            wanted: schedule::trigger(&self.wish.desired, &after, now.earliest).is_some(),
            deleting: observed.object.deleting,
            suspended: self.wish.desired.suspended,
            generation: observed.object.generation,
            now: now.latest,
        };
        let next =
            after.ledger.current.as_ref().and_then(|current| schedule::next_rotation(&self.wish.desired, current));
        ArtifactTokenStatus {
            observed_generation: Some(observed.object.generation),
            conditions: conditions(&situation, &old.conditions),
            next_rotation_time: next,
            binding: after.ledger.current.as_ref().map(|_| Binding { name: self.object.spec.secret.name.clone() }),
            ledger: after.ledger,
        }
    }

    /// The uid, which is always there on an object from the API server.
    pub(crate) fn uid(&self) -> String {
        self.object.meta().uid.clone().unwrap_or_default()
    }
}
