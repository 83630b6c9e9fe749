//! The status of a service object.

use std::time::Duration;

use crate::api::condition::{Condition, ConditionStatus, ConditionType, told};
use crate::api::reason::Reason;
use crate::api::token_service::TokenServiceStatus;
use crate::api::token_service::sweep::LastSweep;
use crate::controller::error::PassError;
use crate::controller::events;
use crate::controller::registry::ServiceEntry;
use crate::controller::service::object::ServiceObject;
use crate::controller::shared::Shared;
use crate::rotation::desired::Halt;
use crate::rotation::renamed;
use crate::rotation::service_answers::Standing;
use crate::service::declaration::Declaration;

/// The end of what is shown while a slow check is under way.
pub(super) const BEING_CHECKED: &str = " is being checked";

/// What became of the status that a check found.
pub(super) enum Shown {
    /// It is as it was.
    Unchanged,
    /// It was written.
    Written,
    /// It only tells something, and this process told much in a short time: it is written later.
    After(Duration),
}

/// Shows the result of a check.
pub(super) async fn update_status(
    service: &ServiceObject,
    entry: &ServiceEntry,
    ctx: &Shared,
) -> Result<Shown, PassError> {
    let old = service.status.clone().unwrap_or_default();
    let standing = ctx.services.standing(&entry.key);
    let now = ctx.clock.now().time();
    let refusing = refusing(standing);
    let trouble = trouble(service, ctx);
    let told = entry.halt.as_ref().or(refusing.as_ref()).or(trouble.as_ref());
    let status = TokenServiceStatus {
        observed_generation: Some(entry.generation),
        conditions: conditions(entry, told, &old.conditions, ctx),
        capabilities: entry.declaration.as_ref().map(Declaration::capabilities).unwrap_or_default(),
        credentials_revision: if entry.halt.is_none() && standing == Standing::Good {
            Some(entry.revision.clone())
        } else {
            // Keep the revision with which the tokens were seen to work.
            old.credentials_revision.clone()
        },
        last_sweep: last_sweep(&old, entry.generation),
    };
    if status == old {
        return Ok(Shown::Unchanged);
    }
    let facts = |status: &TokenServiceStatus| (status.observed_generation, status.credentials_revision.clone());
    // The end of a check that was shown is told at once.
    let shown = old.conditions.iter().any(|condition| condition.message.ends_with(BEING_CHECKED));
    let only_tells = service.status.is_some() && !shown && facts(&status) == facts(&old);
    if let Some(pause) = ctx.services.telling_pause(entry, now).filter(|_| only_tells) {
        return Ok(Shown::After(pause));
    }
    service.write_status(&status, &ctx.client).await?;
    if only_tells {
        ctx.services.told(entry, now);
    }
    let known = |reason| old.conditions.iter().any(|condition| condition.reason == reason);
    if let Some(halt) = refusing.filter(|halt| entry.halt.is_none() && !known(halt.reason)) {
        events::service_warning(ctx, service.reference(), halt.reason, "Verify", halt.message).await;
    }
    Ok(Shown::Written)
}

/// What the last sweep found, as far as it is true of this generation of the spec.
fn last_sweep(old: &TokenServiceStatus, generation: i64) -> Option<LastSweep> {
    let same = old.observed_generation == Some(generation);
    old.last_sweep.clone().map(|last| LastSweep { renamed: last.renamed.filter(|_| same), ..last })
}

/// What does not work while nothing halts the service: an operation, as calls show it, or names, as the last sweep found them.
pub(super) fn trouble(service: &ServiceObject, ctx: &Shared) -> Option<Halt> {
    let heard = ctx.services.trouble(&service.key, ctx.clock.now().time());
    // What a sweep found under another declaration may be mended.
    let status = service.status.as_ref().filter(|status| status.observed_generation == Some(service.generation()));
    heard.or_else(|| renamed::trouble(status?.last_sweep.as_ref()?.renamed.unwrap_or_default()))
}

/// What people read while the service refuses most tokens (P20).
fn refusing(standing: Standing) -> Option<Halt> {
    let Standing::Refusing { other_credential } = standing else { return None };
    Some(if other_credential {
        let message = "since the credential changed the service refuses most tokens of it: is it another account's, or another place? \
                       No new token is generated for that. Put the right credential into the Secret of spec.credentials; or, if all \
                       tokens are to be replaced, set spec.revokeIssuedBefore to now";
        Halt::stalled(Reason::OriginDoubtful, message)
    } else {
        let message = "the service refuses most of its tokens, two at least: a part of it may be away. No token is replaced for that; they \
                       are asked about again, and all goes on when one of them is accepted. If they are dead indeed, set \
                       spec.revokeIssuedBefore to now, or the annotation artifact-token.dev/rotate-requested-at of each ArtifactToken";
        Halt::passing(Reason::TokensRefused, message)
    })
}

/// Shows a state that is not the result of a check yet.
pub(super) async fn show(service: &mut ServiceObject, entry: &ServiceEntry, ctx: &Shared) -> Result<(), PassError> {
    let old = service.status.clone().unwrap_or_default();
    let status = TokenServiceStatus {
        observed_generation: Some(entry.generation),
        conditions: conditions(entry, entry.halt.as_ref(), &old.conditions, ctx),
        ..old
    };
    if let Some(version) = service.write_status(&status, &ctx.client).await? {
        service.meta.resource_version = Some(version);
        service.status = Some(status);
    }
    Ok(())
}

fn conditions(entry: &ServiceEntry, halt: Option<&Halt>, old: &[Condition], ctx: &Shared) -> Vec<Condition> {
    let now = ctx.clock.now().time();
    let condition = |type_, status, reason, message: &str| {
        let before = old.iter().find(|before| before.type_ == type_ && before.status == status);
        Condition {
            type_,
            status,
            reason,
            message: told(message.chars().take(1024).collect(), reason, before),
            observed_generation: Some(entry.generation),
            last_transition_time: before.map_or(now, |before| before.last_transition_time),
        }
    };
    let (ready, abnormal) = (ConditionType::Ready, ConditionStatus::True);
    match halt {
        None => vec![condition(
            ready,
            ConditionStatus::True,
            Reason::CredentialsAccepted,
            "the credential is accepted, and verify refuses a wrong token",
        )],
        Some(halt) => {
            let type_ = if halt.stalled { ConditionType::Stalled } else { ConditionType::Reconciling };
            vec![
                condition(ready, ConditionStatus::False, halt.reason, &halt.message),
                condition(type_, abnormal, halt.reason, &halt.message),
            ]
        }
    }
}
