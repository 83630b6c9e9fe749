//! Writes of the object: its finalizer and its status, each checked against the version that was decided on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::api::{Patch, PatchParams, PostParams};
use kube::{Resource, ResourceExt};
use serde_json::json;

use crate::api::artifact_token::ArtifactToken;
use crate::api::ledger::{ArtifactTokenStatus, Claim, Ledger, Lost, MAX_LOST, ServiceIdentity};
use crate::api::reason::Reason;
use crate::api::time::Time;
use crate::api::{FIELD_MANAGER, FINALIZER};
use crate::controller::events;
use crate::controller::finalizer_time;
use crate::controller::token::memory::{Held, Kind};
use crate::controller::token::pass::{Flow, Pass};
use crate::controller::token::validate::Wish;
use crate::rotation::identity::{FIRST_NONCE, NONCE_BYTES, nonce};
use crate::rotation::observed::{Leave, Observed, Secrets};
use crate::rotation::report::Phase;
use crate::service::client::Places;

use crate::controller::error::{PassError, describe};

/// Requests that an issue sends: generate, try, verify. They pass the rate limit together, before the claim.
const ISSUE_CALLS: u32 = 3;
/// A longer wait for the rate limit ends the pass instead of holding its worker.
const LONGEST_WAIT: Duration = Duration::from_millis(200);

fn post() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

/// What became of a write of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::controller) enum Written {
    /// It is as written.
    Yes,
    /// It is not, or nobody knows; the object was read again.
    No,
    /// The object is gone.
    Gone,
}

impl Pass<'_> {
    /// Records a transition of the ledger. `phase` is what the pass comes to with it, so that no second write is needed to
    /// tell people.
    pub(super) async fn record(
        &mut self,
        observed: &Observed,
        phase: Phase<'_>,
        change: impl FnOnce(&mut Ledger),
    ) -> Result<Written, PassError> {
        let mut ledger = self.ledger();
        change(&mut ledger);
        let mut seen = observed.clone();
        seen.secrets = Secrets::one(self.known.live, self.known.state.clone());
        let told = self.told(&seen, phase, ledger);
        self.write_status(told).await
    }

    /// Writes the whole status, checked against the version of `object`.
    pub(in crate::controller) async fn write_status(
        &mut self,
        mut status: ArtifactTokenStatus,
    ) -> Result<Written, PassError> {
        if self.wish.digest_is_known {
            status.ledger.fill_in_digest(&self.wish.desired.request_digest);
        }
        let mut object = ArtifactToken::clone(&self.object);
        object.meta_mut().managed_fields = None;
        object.status = Some(status);
        let api = self.ctx.shared.tokens(&object.namespace().unwrap_or_default());
        match api.replace_status(&object.name_any(), &post(), &object).await {
            Ok(written) => {
                self.keep(written);
                Ok(Written::Yes)
            }
            Err(error) => self.reread(&error, "the status").await,
        }
    }

    /// After a conflict or a lost answer: what is there now? Where nothing changed, the API server does not take the record, and
    /// deciding again at once would be a loop.
    async fn reread(&mut self, error: &kube::Error, what: &'static str) -> Result<Written, PassError> {
        let why = describe(error);
        tracing::debug!(object = %self.label(), what, why, "not written");
        let api = self.ctx.shared.tokens(&self.object.namespace().unwrap_or_default());
        let read = api.get_opt(&self.object.name_any()).await;
        match read.map_err(|error| PassError::read("the ArtifactToken", &error))? {
            Some(object) if object.uid() == self.object.uid() => {
                if object.resource_version() == self.object.resource_version() {
                    self.listed_in_vain();
                    return Err(PassError::Record { what, why });
                }
                self.keep(object);
                // What was read before the other process's deed is no ground for the next one.
                self.known.live = false;
                if self.listing.take().is_some() {
                    // What was listed is not recorded: a claim must not be taken without it.
                    self.memory.swept = None;
                }
                (self.preflight, self.verdict) = (false, None);
                Ok(Written::No)
            }
            Some(_) | None => Ok(Written::Gone),
        }
    }

    fn keep(&mut self, mut object: ArtifactToken) {
        finalizer_time::keep_only(object.meta_mut());
        if object.meta().generation != self.object.meta().generation {
            // The spec changed in the middle of the pass.
            self.wish = Wish::of(&object, self.service.as_deref(), &self.ctx.shared.settings);
            (self.preflight, self.known.live) = (false, false);
            self.memory.secret = None;
        }
        let object = Arc::new(object);
        self.memory.keep(object.clone(), &self.object);
        self.object = object;
    }

    /// Tells a store that was put back which attempts it forgot: their tokens are looked for by name. The finalizer comes first, as
    /// before everything (P1).
    pub(in crate::controller) async fn remind(&mut self) -> Result<(), PassError> {
        let mut names = self.object.finalizers().to_vec();
        let held = names.iter().any(|name| name == FINALIZER);
        // Nothing can be put on an object that is going.
        let going = self.object.meta().deletion_timestamp.is_some() && !held;
        if self.memory.forgotten.is_empty() || going {
            return Ok(());
        }
        if !held {
            names.push(FINALIZER.to_owned());
            self.patch_finalizers(names).await?;
        }
        let mut status = self.object.status.clone().unwrap_or_default();
        let lost = &mut status.ledger.lost;
        lost.extend(self.memory.forgotten.iter().cloned());
        lost.drain(..lost.len().saturating_sub(MAX_LOST));
        if self.write_status(status).await? == Written::Yes {
            self.memory.forgotten.clear();
        }
        Ok(())
    }

    /// P1. For the process that does it the patch is the claim of attempt 1, too.
    pub(super) async fn finalize(&mut self, claims: bool, observed: &Observed) -> Result<Flow, PassError> {
        let mut places = None;
        if claims {
            places = self.admitted().await;
            if places.is_none() {
                return Ok(Flow::Continue);
            }
        }
        let (sent, now) = (Instant::now(), self.ctx.shared.clock.now());
        let mut names = self.object.finalizers().to_vec();
        names.push(FINALIZER.to_owned());
        match self.patch_finalizers(names).await? {
            Written::Gone => return Ok(Flow::Gone),
            Written::No => return Ok(Flow::Continue),
            Written::Yes => {}
        }
        if let Some(places) = places {
            self.hold((1, FIRST_NONCE.to_owned()), now.latest, sent, places, observed);
        }
        Ok(Flow::Continue)
    }

    async fn patch_finalizers(&mut self, names: Vec<String>) -> Result<Written, PassError> {
        let version = self.object.resource_version().unwrap_or_default();
        let patch = json!({"metadata": {"resourceVersion": version, "finalizers": names}});
        let api = self.ctx.shared.tokens(&self.object.namespace().unwrap_or_default());
        match api
            .patch(
                &self.object.name_any(),
                &PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() },
                &Patch::Merge(patch),
            )
            .await
        {
            Ok(written) => {
                self.keep(written);
                Ok(Written::Yes)
            }
            Err(error) => self.reread(&error, "the finalizers").await,
        }
    }

    /// P2. A lost answer is told from a lost race by the nonce.
    pub(super) async fn claim(&mut self, attempt: u32, observed: &Observed) -> Result<Flow, PassError> {
        let Some(places) = self.admitted().await else { return Ok(Flow::Continue) };
        let mut random = [0_u8; NONCE_BYTES];
        if getrandom::fill(&mut random).is_err() {
            self.paused(Kind::Generate, Duration::ZERO, Reason::Issuing, "this machine gives no random numbers");
            return Ok(Flow::Continue);
        }
        let (sent, now) = (Instant::now(), self.ctx.shared.clock.now());
        let request_digest = self.wish.desired.request_digest.clone();
        // A clock that stepped back is no reason to take the replacement of a leaked token for a leaked one.
        let time = observed.ledger.leak.as_ref().map_or(now.latest, |leak| leak.claimed_before.max(now.latest));
        let request = observed.object.requests.rotate.clone();
        let claim = Claim { attempt, nonce: nonce(random), time, request_digest, request, outcome: None };
        let (open, attributable) = (observed.open_claim(), self.attributable(observed));
        let service = self.identity();
        let recorded = claim.clone();
        let written = self
            .record(observed, Phase::Working, move |ledger| {
                ledger.claimed(recorded, open, attributable);
                ledger.service = service;
            })
            .await?;
        let landed = self.ledger().claim.is_some_and(|known| known.nonce == claim.nonce && known.attempt == attempt);
        match written {
            Written::Gone => Ok(Flow::Gone),
            Written::Yes | Written::No => {
                if landed {
                    self.hold((attempt, claim.nonce), time, sent, places, observed);
                }
                Ok(Flow::Continue)
            }
        }
    }

    /// The rate limit comes before the claim, so that no claim waits for it.
    async fn admitted(&mut self) -> Option<Places> {
        let service = self.client()?;
        match service.take_places(ISSUE_CALLS, LONGEST_WAIT).await {
            Ok(places) => {
                self.went_well(Kind::Generate);
                Some(places)
            }
            Err(after) => {
                let what = "the service's rate limit (spec.limits.requestsPerMinute, or its Retry-After) is used up";
                self.paused(Kind::Generate, after, Reason::Throttled, what);
                None
            }
        }
    }

    fn hold(
        &mut self,
        (attempt, nonce): (u32, String),
        claimed: Time,
        sent: Instant,
        places: Places,
        observed: &Observed,
    ) {
        // What an earlier attempt's token was refused for is no reason to ask less often for this one.
        self.memory.retries.succeeded(Kind::Verify);
        self.memory.claimed(Lost { attempt, nonce, time: claimed });
        self.memory.held = Some(Held {
            attempt,
            claimed,
            deadline: sent + self.wish.desired.timings.publish_deadline,
            request_digest: self.wish.desired.request_digest.clone(),
            base: observed.secrets.base(),
            replaces: observed.secrets.ours().filter_map(|ours| ours.id.clone()).collect(),
            places,
            value: None,
        });
    }

    /// Whether a token of the service can be told by its name.
    pub(super) fn attributable(&self, observed: &Observed) -> bool {
        observed.service.seen.is_some_and(|service| service.attributable)
    }

    /// Where the ids of this object's tokens mean something.
    pub(super) fn identity(&self) -> Option<ServiceIdentity> {
        let service = self.service.as_ref()?;
        Some(ServiceIdentity { uid: service.uid.clone(), origin: service.origin.clone() })
    }

    /// The claim that an attempt belongs to, as the ledger has it.
    pub(super) fn claim_of(&self, attempt: u32, observed: &Observed) -> Claim {
        let open = observed.open_claim().filter(|claim| claim.attempt == attempt);
        let lost = observed.ledger.lost.iter().find(|lost| lost.attempt == attempt);
        let claimed = self.memory.held.as_ref().map(|held| held.claimed);
        open.unwrap_or_else(|| Claim {
            attempt,
            nonce: lost.map(|lost| lost.nonce.clone()).unwrap_or_default(),
            time: lost.map(|lost| lost.time).or(claimed).unwrap_or(observed.object.created),
            request_digest: String::new(),
            request: None,
            outcome: None,
        })
    }

    /// The finalizer goes; nothing of this object may live.
    pub(super) async fn release(&mut self, observed: &Observed) -> Result<Flow, PassError> {
        let names: Vec<String> = self.object.finalizers().iter().filter(|name| *name != FINALIZER).cloned().collect();
        // What was revoked during the deletion stands in this ledger alone; the patch's answer does not have it.
        let ledger = self.ledger();
        match self.patch_finalizers(names).await? {
            Written::No => return Ok(Flow::Continue),
            Written::Gone | Written::Yes => {}
        }
        self.tell_release(observed, &ledger).await;
        self.ctx.memories.forget(&self.uid());
        Ok(Flow::Gone)
    }

    async fn tell_release(&self, observed: &Observed, ledger: &Ledger) {
        let left: Vec<String> = ledger.current.iter().map(|current| current.id.clone()).collect();
        let left: Vec<String> = left.into_iter().chain(ledger.superseded.iter().map(|old| old.id.clone())).collect();
        if observed.object.leave.is_some() && !left.is_empty() {
            let asked = match observed.object.leave {
                Some(Leave::Orphan) => "spec.deletion.policy is Orphan",
                Some(Leave::Skip) | None => "the annotation skip-revocation is set",
            };
            let note =
                format!("{asked}: these tokens stay alive at the service, revoke them by hand: {}", left.join(", "));
            events::warning(&self.ctx.shared, &self.object, Reason::TokenRevocationSkipped, "Revoke", note).await;
        } else if observed.object.leave.is_none() && !ledger.history.is_empty() {
            let note = format!("attempt {} was revoked and proved dead", ledger.history[0].attempt);
            events::normal(&self.ctx.shared, &self.object, Reason::TokenRevoked, "Revoke", note).await;
        }
        for lost in &ledger.possibly_lost {
            let note = format!(
                "a token generated at about {} (attempt {}) may live at the service: its tokens have no names, so look for \
                 it there and revoke it by hand",
                lost.claimed_time, lost.attempt
            );
            events::warning(&self.ctx.shared, &self.object, Reason::OrphanedTokenFound, "Release", note).await;
        }
    }

    /// People are told of a halt once, when it begins.
    pub(in crate::controller) async fn announce_halt(
        &self,
        halt: &crate::rotation::desired::Halt,
        old: &ArtifactTokenStatus,
    ) {
        let known = old.conditions.iter().any(|condition| condition.reason == halt.reason);
        if halt.stalled && !known {
            events::warning(&self.ctx.shared, &self.object, halt.reason, "Reconcile", halt.message.clone()).await;
        }
    }
}
