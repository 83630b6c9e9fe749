//! Performs one step: one external act and its record.
//!
//! The signature of a step shows what it may touch: [`ObjectWriter`] writes the object, [`SecretAccess`] reads and writes the
//! Secret, [`ServiceClient`] calls the service. None of them knows the pass.

mod alive;
mod announce;
mod calls;
mod claim;
mod companion;
mod doomed;
pub(in crate::controller::token) mod hand_over;
mod issue;
mod leak;
mod outcome;
mod prove;
pub(super) mod record;
mod release;
mod revoke;
pub(super) mod secret;
mod sweep;
mod verify;

use crate::api::ledger::Outcome;
use crate::api::reason::Reason;
use crate::controller::error::PassError;
use crate::controller::token::object_writer::ObjectWriter;
use crate::controller::token::pass::{Flow, Pass};
use crate::rotation::observed::Observed;
use crate::rotation::plan::Step;
use crate::rotation::step_kind::StepKind;
use crate::rotation::urgency::urgency;
use crate::service::client::ServiceClient;

use secret::access::SecretAccess;

/// Performs `step`, which was decided on `observed`.
pub(super) async fn perform(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    secrets: &SecretAccess,
    step: Step,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    pass.set_urgency(urgency(&step, observed, pass.now().time()));
    if !matches!(step, Step::Read | Step::Verify) {
        // Only the question right after a list goes on with its turn.
        pass.take_kept_question();
    }
    let client = pass.client();
    let client = client.as_ref();
    match step {
        Step::Read => secret::preflight::read(pass, secrets).await,
        Step::Preflight => secret::preflight::preflight(pass, client, secrets, observed).await,
        Step::CreatePlaceholder { fence } => secret::repair::create_placeholder(pass, objects, secrets, fence).await,
        Step::Update => secret::publish::update(pass, objects, secrets, observed).await,
        Step::RollBack { fence } => secret::publish::roll_back(pass, objects, secrets, fence).await,
        Step::RaiseFence { fence } => Ok(secret::repair::raise_fence(pass, secrets, fence).await),
        Step::Render => Ok(secret::repair::render(pass, secrets).await),
        Step::DeleteSecret => secret::repair::delete(pass, secrets).await,
        Step::Finalize { claims } => claim::finalize(pass, objects, client, claims, observed).await,
        Step::Claim { attempt } => claim::claim(pass, objects, client, attempt, observed).await,
        Step::GiveUp(because) => outcome::give_up(pass, objects, because, observed).await,
        Step::Decide(Outcome::Verified) => outcome::decide_verified(pass, objects, observed).await,
        Step::Decide(Outcome::Failed) => outcome::decide_failed(pass, objects, observed).await,
        Step::Supersede(rows) => sweep::supersede(pass, objects, &rows, observed).await,
        Step::Abandon => sweep::abandon(pass, objects, observed).await,
        Step::RecordUnclear(unclear) => verify::record_unclear(pass, objects, unclear, observed).await,
        Step::RecordProbed => verify::record_probed(pass, objects, observed).await,
        Step::RecordRefusal => verify::record_refusal(pass, objects, observed).await,
        Step::ForgetRefusal => verify::forget_refusal(pass, objects, observed).await,
        Step::Reject => verify::reject(pass, objects, observed).await,
        Step::RecordLeak { issued_before } => leak::record_leak(pass, objects, issued_before, observed).await,
        Step::RecordConflict(row) => leak::record_conflict(pass, objects, &row, observed).await,
        Step::RecordReplaced(id) => claim::record_replaced(pass, objects, id, observed).await,
        Step::ConfirmIdentity => leak::confirm_identity(pass, objects, observed).await,
        Step::ReadOffer => hand_over::read_offer(pass, observed).await,
        Step::DeleteOffer => hand_over::delete_offer(pass, observed).await,
        Step::Remind(days) => hand_over::remind(pass, objects, days, observed).await,
        Step::ReadCompanion => companion::read(pass).await,
        Step::Keep(ids) => companion::keep(pass, &ids).await,
        Step::Release => release::release(pass, objects, observed).await,
        step @ (Step::Generate
        | Step::Resume
        | Step::Try
        | Step::Verify
        | Step::Sweep
        | Step::TakeTurn(_)
        | Step::Revoke { .. }
        | Step::Prove { .. }) => match client {
            Some(client) => call(pass, objects, secrets, client, step, observed).await,
            None => Ok(cannot_call(pass, &step)),
        },
        // The pass ends at these steps; nothing is left to perform.
        Step::Halt(_) | Step::Wait(_) => Ok(Flow::Continue),
    }
}

/// Performs a step that calls the service.
async fn call(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    secrets: &SecretAccess,
    client: &ServiceClient,
    step: Step,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    match step {
        Step::Generate => issue::generate(pass, objects, client, observed).await,
        Step::Resume => hand_over::resume(pass, client, observed).await,
        Step::Try => Ok(verify::try_value(pass, client).await),
        Step::Verify => Ok(verify::verify(pass, client).await),
        Step::Sweep => sweep::sweep(pass, client, secrets).await,
        Step::TakeTurn(id) => revoke::take_turn(pass, objects, client, &id, observed).await,
        Step::Revoke { attempt, id } => revoke::revoke(pass, objects, client, (attempt, &id), observed).await,
        Step::Prove { attempt, id } => revoke::prove(pass, objects, client, (attempt, &id), observed).await,
        _ => Ok(Flow::Continue),
    }
}

/// Pauses a step that needs the service while the service cannot be called.
fn cannot_call(pass: &mut Pass<'_>, step: &Step) -> Flow {
    let kind = match step {
        Step::Generate | Step::Resume => StepKind::Generate,
        Step::Try | Step::Verify => StepKind::Verify,
        Step::Sweep => StepKind::Sweep,
        _ => StepKind::Revoke,
    };
    pass.pause(kind, Reason::ServiceNotReady, "the service cannot be called now");
    Flow::Continue
}
