//! The Secret that keeps the values of superseded tokens which were handed over. The proof that one is dead needs its value, and a process
//! may die before a person has revoked the token.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use secrecy::SecretString;

use crate::api::ids::TokenId;
use crate::api::reason::Reason;
use crate::controller::error::PassError;
use crate::controller::token::pass::{Flow, Pass};
use crate::controller::token::perform::secret::access::{DryRun, SecretAccess, SecretDeletion, SecretWrite};
use crate::rotation::desired::Halt;
use crate::rotation::observed::Companion;
use crate::rotation::step_kind::StepKind;
use crate::secret::hand_over::{Keeper, companion_body, companion_name, companion_patch, keeper, kept_value};

fn access(pass: &Pass<'_>) -> SecretAccess {
    let namespace = pass.object().namespace().unwrap_or_default();
    SecretAccess::new(pass.ctx().secrets_in(&namespace), namespace, companion_name(&pass.object().name_any()))
}

/// Reads which values are kept, and takes them into the memory.
pub(super) async fn read(pass: &mut Pass<'_>) -> Result<Flow, PassError> {
    let secret = access(pass).read().await?;
    note(pass, secret.as_ref());
    Ok(Flow::Continue)
}

/// Reads it again, if the value of one of these tokens is not at hand: another process may have kept it meanwhile.
pub(super) async fn look_for(pass: &mut Pass<'_>, ids: &[TokenId]) -> Result<(), PassError> {
    let at_hand = |id: &TokenId| pass.memory().values.contains_key(id) || pass.holds(id);
    if !ids.iter().all(at_hand) {
        read(pass).await?;
    }
    Ok(())
}

/// Keeps the values of these tokens, and no others. What is there is read first, so that nothing is lost that another process keeps.
pub(super) async fn keep(pass: &mut Pass<'_>, ids: &[TokenId]) -> Result<Flow, PassError> {
    let companion = access(pass);
    let current = companion.read().await?;
    let decided_on = pass.memory().by_hand.companion.clone();
    note(pass, current.as_ref());
    // Another process has changed it: it is decided again what is kept.
    if pass.memory().by_hand.companion != decided_on {
        return Ok(Flow::Continue);
    }
    let value = |id: &TokenId| {
        let kept = current.as_ref().and_then(|secret| kept_value(secret, id));
        let held = || if pass.holds(id) { pass.held_token() } else { None };
        let value = kept.or_else(|| pass.memory().values.get(id).cloned()).or_else(held);
        value.map(|value| (id.clone(), value))
    };
    let values: BTreeMap<TokenId, SecretString> = ids.iter().filter_map(value).collect();
    let owner = pass.owner().clone();
    let write = match current {
        Some(current) if values.is_empty() => return delete(pass, &companion, &current).await,
        Some(current) => companion.patch(companion_patch(&owner, &values, &current), DryRun::No).await,
        None if values.is_empty() => {
            pause_for_missing(pass, ids);
            return Ok(Flow::Continue);
        }
        None => companion.create_body(&companion_body(&owner, &values)).await,
    };
    match write {
        SecretWrite::Done(secret) => {
            pass.went_well(StepKind::Offer);
            note(pass, Some(&*secret));
            pause_for_missing(pass, ids);
        }
        SecretWrite::Conflict => pass.memory_mut().by_hand.companion = None,
        SecretWrite::Denied(halt) => {
            pass.pause(StepKind::Offer, halt.reason, &halt.message);
            pass.forbid(halt);
        }
        SecretWrite::Unknown(what) => {
            pass.memory_mut().by_hand.companion = None;
            pass.pause(StepKind::Offer, Reason::SecretUpdateFailed, &what);
        }
    }
    Ok(Flow::Continue)
}

/// Pauses if the value of one of these tokens is not kept after all: it was nowhere at hand, or somebody took it out of the write. The same
/// step at once would end the same.
fn pause_for_missing(pass: &mut Pass<'_>, ids: &[TokenId]) {
    let kept = match &pass.memory().by_hand.companion {
        Some(Companion::Ours(kept)) => kept.as_slice(),
        _ => &[],
    };
    if let Some(missing) = ids.iter().find(|id| !kept.contains(id)).cloned() {
        let what = format!("the value of {missing} could not be kept: it is not at hand, or a webhook took it out");
        pass.pause(StepKind::Offer, Reason::SecretUpdateFailed, &what);
    }
}

async fn delete(pass: &mut Pass<'_>, companion: &SecretAccess, current: &Secret) -> Result<Flow, PassError> {
    match companion.delete(current).await {
        SecretDeletion::Gone => note(pass, None),
        SecretDeletion::Conflict => pass.memory_mut().by_hand.companion = None,
        SecretDeletion::Unknown(what) => {
            pass.memory_mut().by_hand.companion = None;
            pass.pause(StepKind::Offer, Reason::SecretUpdateFailed, &what);
        }
    }
    Ok(Flow::Continue)
}

/// Remembers which values are kept. A value whose end differs from what the ledger says of the token was written by somebody else.
fn note(pass: &mut Pass<'_>, secret: Option<&Secret>) {
    let state = match secret.map(|secret| (secret, keeper(secret, pass.owner()))) {
        None => Companion::Absent,
        Some((_, Keeper::Foreign)) => Companion::Foreign(foreign(pass)),
        Some((_, Keeper::Former)) => Companion::Ours(Vec::new()),
        Some((secret, Keeper::Ours(ids))) => {
            for id in &ids {
                let known = pass.memory().values.contains_key(id);
                if let Some(value) = kept_value(secret, id).filter(|value| !known && pass.is_like(id, value)) {
                    pass.memory_mut().values.insert(id.clone(), value);
                }
            }
            Companion::Ours(ids)
        }
    };
    pass.companion_was_read(state);
}

fn foreign(pass: &Pass<'_>) -> Halt {
    let name = companion_name(&pass.object().name_any());
    let message = format!(
        "the Secret {name} was not made by this operator, which keeps the values of replaced tokens under that name until a person has \
         revoked them: delete it, or give it another name"
    );
    Halt::stalled(Reason::SecretConflict, message)
}
