//! The status of a service object.

use std::time::Duration;

use crate::api::condition::{Condition, ConditionStatus, ConditionType};
use crate::api::reason::Reason;
use crate::api::token_service::TokenServiceStatus;
use crate::controller::error::PassError;
use crate::controller::registry::ServiceEntry;
use crate::controller::service::object::ServiceObject;
use crate::controller::shared::Shared;
use crate::service::declaration::Declaration;

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
    let status = TokenServiceStatus {
        observed_generation: Some(entry.generation),
        conditions: conditions(entry, &old.conditions, ctx),
        capabilities: entry.declaration.as_ref().map(Declaration::capabilities).unwrap_or_default(),
        credentials_revision: if entry.halt.is_none() && ctx.services.trusts(&entry.key) {
            Some(entry.revision.clone())
        } else {
            // Keep the revision with which the tokens were seen to work.
            old.credentials_revision.clone()
        },
        last_sweep: old.last_sweep.clone(),
    };
    if status == old {
        return Ok(Shown::Unchanged);
    }
    let facts = |status: &TokenServiceStatus| (status.observed_generation, status.credentials_revision.clone());
    let only_tells = service.status.is_some() && facts(&status) == facts(&old);
    let now = ctx.clock.now().time();
    if let Some(pause) = ctx.services.telling_pause(entry, now).filter(|_| only_tells) {
        return Ok(Shown::After(pause));
    }
    service.write_status(&status, &ctx.client).await?;
    if only_tells {
        ctx.services.told(entry, now);
    }
    Ok(Shown::Written)
}

fn conditions(entry: &ServiceEntry, old: &[Condition], ctx: &Shared) -> Vec<Condition> {
    let now = ctx.clock.now().time();
    let condition = |type_, status, reason, message: &str| {
        let before = old.iter().find(|before| before.type_ == type_ && before.status == status);
        Condition {
            type_,
            status,
            reason,
            message: message.chars().take(1024).collect(),
            observed_generation: Some(entry.generation),
            last_transition_time: before.map_or(now, |before| before.last_transition_time),
        }
    };
    let (ready, abnormal) = (ConditionType::Ready, ConditionStatus::True);
    match &entry.halt {
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
