//! What a pass sees: from Kubernetes' and the service's words to the decision's.

use kube::{Resource, ResourceExt};

use crate::api::FINALIZER;
use crate::api::artifact_token::{
    CONFIRM_IDENTITY, DeletionPolicy, RECONCILE_REQUESTED_AT, ROTATE_REQUESTED_AT, SKIP_REVOCATION, ServiceKind,
};
use crate::api::ledger::{HandledRequests, Ledger};
use crate::api::reason::Reason;
use crate::api::time::Time;
use crate::api::token_service::Capability;
use crate::controller::finalizer_time;
use crate::controller::registry::{Key, ServiceEntry};
use crate::controller::token::pass::Pass;
use crate::rotation::desired::Halt;
use crate::rotation::observed::{Facts, Hand, Leave, Object, Observed, Pauses, Secrets, Service, ServiceSeen};

/// The longest request annotation that is remembered; the status has the same bound.
const LONGEST_REQUEST: usize = 256;

impl Pass<'_> {
    /// What the decision looks at.
    pub(super) fn observe(&mut self, now: Time) -> Observed {
        let ledger = self.ledger();
        let meta = self.object.meta();
        let leave = self.leave();
        let created = finalizer_time::of(meta).unwrap_or(now);
        let key = Key::of(&self.object);
        let trusted = self.ctx.shared.services.trusts(&key);
        let mut observed = Observed {
            object: Object {
                deleting: meta.deletion_timestamp.is_some(),
                finalizer: meta.finalizers.iter().flatten().any(|name| name == FINALIZER),
                leave,
                generation: meta.generation.unwrap_or_default(),
                created,
                requests: self.requests(),
            },
            secrets: Secrets::one(self.known.live, self.known.state.clone()),
            hand: self.memory.held.as_ref().map_or(Hand::Empty, |held| held.hand(now)),
            service: Service {
                seen: self.service.as_deref().and_then(|service| service_seen(service, &ledger, trusted)),
                listing: self.listing.clone(),
                swept: self.memory.swept,
                suspected: self.ctx.shared.services.suspects(&self.uid()),
            },
            facts: Facts {
                halt: self.halt.clone().or_else(|| self.standing_halt()),
                preflight: self.preflight,
                verdict: self.verdict,
                accepted: self.memory.accepted,
                doubtful: self.known.doubtful || self.ctx.shared.services.awaits(&key, &self.uid()),
                holds_previous: self.holds_previous(&ledger),
                pauses: Pauses { leak: self.leak_turn(now), ..self.memory.retries.pauses() },
            },
            ledger,
        };
        self.drop_decided_hand(&mut observed);
        observed
    }

    /// A hand whose attempt is decided is void: the record landed although its answer was lost. A value leaves it only when the
    /// ledger knows its id.
    fn drop_decided_hand(&mut self, observed: &mut Observed) {
        let void = match &observed.hand {
            Hand::Empty => false,
            Hand::Value { id, sent, .. } => !sent && observed.ledger.knows(id),
            Hand::Claim { attempt, .. } => {
                let decided = observed.ledger.claim.as_ref().filter(|claim| claim.attempt == *attempt);
                decided.is_some_and(|claim| claim.outcome.is_some())
            }
        };
        if void {
            self.memory.held = None;
            observed.hand = Hand::Empty;
        }
    }

    fn holds_previous(&self, ledger: &Ledger) -> bool {
        ledger.current.as_ref().is_some_and(|current| self.memory.values.contains_key(&current.id))
    }

    fn leave(&self) -> Option<Leave> {
        if self.object.spec.deletion.policy == DeletionPolicy::Orphan {
            return Some(Leave::Orphan);
        }
        let skip = self.object.annotations().get(SKIP_REVOCATION).is_some_and(|value| value == "true");
        skip.then_some(Leave::Skip)
    }

    /// The request annotations as they are now; an empty value asks for nothing.
    pub(super) fn requests(&self) -> HandledRequests {
        let value = |key: &str| {
            let text = self.object.annotations().get(key).filter(|text| !text.is_empty())?;
            Some(text.chars().take(LONGEST_REQUEST).collect())
        };
        HandledRequests {
            rotate: value(ROTATE_REQUESTED_AT),
            reconcile: value(RECONCILE_REQUESTED_AT),
            confirm: value(CONFIRM_IDENTITY),
        }
    }

    /// What stands against a new token outside of this pass: the service, and an older object with the same Secret.
    fn standing_halt(&self) -> Option<Halt> {
        if let Some(rival) = self.ctx.older_rival(&self.object) {
            let message = format!(
                "the ArtifactToken {} is older and keeps the same Secret {}: choose another spec.secret.name",
                rival.name_any(),
                self.object.spec.secret.name
            );
            return Some(Halt::stalled(Reason::SecretConflict, message));
        }
        if let Some(forbidden) = &self.forbidden {
            return Some(forbidden.clone());
        }
        let Some(service) = self.service.as_deref() else { return Some(self.no_service()) };
        service.halt.clone().or_else(|| {
            let message = format!("the {} has suspend: true; no token is generated until it is false", service.key);
            service.spec.suspend.then(|| Halt::passing(Reason::Suspended, message))
        })
    }

    fn no_service(&self) -> Halt {
        let key = Key::of(&self.object);
        let message = match key.kind() {
            ServiceKind::TokenService => format!("there is no {key} in this namespace: create it"),
            ServiceKind::ClusterTokenService if self.ctx.shared.settings.cluster_services => {
                format!("there is no {key}: create it, or ask those who may")
            }
            ServiceKind::ClusterTokenService => {
                format!("this operator does not look at the {key}: start it with --cluster-services")
            }
        };
        Halt::passing(Reason::ServiceNotFound, message)
    }
}

fn service_seen(service: &ServiceEntry, ledger: &Ledger, trusted: bool) -> Option<ServiceSeen> {
    let declaration = service.declaration.as_ref()?;
    service.client.as_ref()?;
    let same_origin = ledger.service.as_ref().is_none_or(|known| known.origin == service.origin);
    let attributable = declaration.can(Capability::Names) && declaration.can(Capability::List);
    Some(ServiceSeen { attributable, same_origin, trusted })
}
