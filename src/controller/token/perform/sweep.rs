//! Sweep: reads the service's list of this object's tokens, and settles its claims and orphans by it.

use std::time::Duration;

use crate::api::ids::TokenId;
use crate::api::ledger::{Ledger, Outcome};
use crate::api::reason::Reason;
use crate::controller::error::PassError;
use crate::controller::token::object_writer::ObjectWriter;
use crate::controller::token::pass::{Fact, Flow, Pass};
use crate::controller::token::perform::calls::{call_failed, take_places};
use crate::controller::token::perform::claim::attributable;
use crate::controller::token::perform::record::{Written, record};
use crate::controller::token::perform::secret::access::SecretAccess;
use crate::rotation::identity::{self, Name};
use crate::rotation::observed::{Observed, Row};
use crate::rotation::report::Phase;
use crate::rotation::step_kind::{Cause, StepKind};
use crate::service::client::answers::{ListedToken, Listing};
use crate::service::client::{Places, ServiceClient};
use crate::service::errors::{Doubt, ServiceError};

/// How long a question right after the list waits for its place: as long as a further page of the list would.
const ASK_WAIT: Duration = Duration::from_secs(120);

/// Lists the service first; the Secret is read after it (P5). A question about the token in the Secret goes on with the same turn: in a pass
/// of its own it would need another list before it.
pub(super) async fn sweep(
    pass: &mut Pass<'_>,
    client: &ServiceClient,
    secrets: &SecretAccess,
) -> Result<Flow, PassError> {
    // Each page takes its own place, once for all who wait for the same list.
    let Some(mut places) = take_places(pass, client, StepKind::Sweep, 0).await else { return Ok(Flow::Continue) };
    match client.list(&mut places).await {
        Ok(listing) => {
            let judged = judge(pass, client, secrets, &listing, &places).await;
            pass.keep_question(places.with_max_wait(ASK_WAIT));
            judged
        }
        Err(error) => {
            call_failed(pass, StepKind::Sweep, &error);
            Ok(Flow::Continue)
        }
    }
}

/// Judges the list, and reads the Secret after it.
async fn judge(
    pass: &mut Pass<'_>,
    client: &ServiceClient,
    secrets: &SecretAccess,
    listing: &Listing,
    places: &Places,
) -> Result<Flow, PassError> {
    let prefix = client.declaration().prefix().unwrap_or_default();
    let others = lists_others(pass, prefix, listing);
    let rows = own_rows(pass, prefix, listing);
    if let Err(error) = unlike_tokens(pass, client, &rows, places).await {
        call_failed(pass, StepKind::Sweep, &error);
        return Ok(Flow::Continue);
    }
    pass.went_well(StepKind::Sweep);
    pass.listed(rows, others);
    match secrets.read().await {
        Ok(secret) => pass.secret_read(secret),
        Err(error) => {
            pass.listed_in_vain();
            return Err(error);
        }
    }
    // A list counts once it can be judged.
    pass.memory_mut().swept = Some(pass.now().time());
    pass.shared().services.cleared(pass.uid());
    Ok(Flow::Continue)
}

/// An id that the ledger is to learn from a list may not be a token. What was asked once is not asked again.
async fn unlike_tokens(
    pass: &mut Pass<'_>,
    client: &ServiceClient,
    rows: &[Row],
    places: &Places,
) -> Result<(), ServiceError> {
    let known = |row: &&Row| pass.ledger().has_token(row.attempt, &row.id) || pass.memory().no_tokens.contains(&row.id);
    let new: Vec<TokenId> = rows.iter().filter(|row| !known(row)).map(|row| row.id.clone()).collect();
    let asked = client.no_tokens(new.iter().map(TokenId::as_str), places).await;
    match &asked {
        Ok(()) => {
            let listed = |id: &TokenId| rows.iter().any(|row| row.id == *id);
            let asked = &mut pass.memory_mut().no_tokens;
            asked.retain(listed);
            asked.extend(new);
        }
        Err(error) => misdeclared(pass, error),
    }
    asked
}

/// Where a field gives tokens instead of ids, the service object is wrong for all who use it.
pub(super) fn misdeclared(pass: &Pass<'_>, error: &ServiceError) {
    if let ServiceError::Unknown { what, doubt: Doubt::TokenAsId } = error {
        let generation = pass.service().map_or(0, |service| service.generation);
        pass.shared().services.misdeclared(pass.service_key(), generation, what.clone());
    }
}

/// Whether the list shows a token with the operator's name that is not the current one of this object.
fn lists_others(pass: &Pass<'_>, prefix: &str, listing: &Listing) -> bool {
    let current = pass.ledger().current.as_ref().map(|current| current.id.as_str());
    let ours = |row: &ListedToken| row.name.as_deref().is_some_and(|name| identity::parse(prefix, name).is_some());
    listing.rows.iter().any(|row| Some(row.id.as_str()) != current && ours(row))
}

/// The rows that carry this object's identity.
fn own_rows(pass: &Pass<'_>, prefix: &str, listing: &Listing) -> Vec<Row> {
    let own = identity::uid16(pass.uid());
    let row = |listed: &ListedToken| {
        let Name { attempt, nonce, uid16 } = identity::parse(prefix, listed.name.as_deref()?)?;
        let (id, created, expiration) = (TokenId::new(listed.id.as_str())?, listed.created, listed.expiration);
        (uid16 == own).then_some(Row { id, attempt, nonce, created, expiration })
    };
    listing.rows.iter().filter_map(row).collect()
}

/// Records as superseded the tokens that were found at the service and that nobody needs.
pub(super) async fn supersede(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    rows: &[Row],
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let revoke_after = pass.now().end_of(pass.desired().overlap);
    let held: Vec<TokenId> = observed.secrets.ours().filter_map(|ours| ours.id.clone()).collect();
    let revision = pass.service().map(|service| service.revision.clone()).unwrap_or_default();
    let change = |ledger: &mut Ledger| {
        ledger.orphans_found(rows, &held, revoke_after);
        rows.iter().for_each(|row| ledger.seen_by(row.attempt, &row.id, &revision));
    };
    let written = record(pass, objects, observed, Phase::Working, Fact::Other, change).await?;
    if written == Written::Yes {
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        let note = format!("found at the service and superseded, revoked at {revoke_after}: {}", ids.join(", "));
        pass.normal(Reason::OrphanedTokenFound, "Sweep", note).await;
    }
    Ok(written.into())
}

/// Closes a settled claim whose outcome is unknown.
pub(super) async fn abandon(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let Some(claim) = observed.open_claim().filter(|claim| claim.outcome != Some(Outcome::Verified)) else {
        return Ok(Flow::Continue);
    };
    let attributable = attributable(observed);
    // What went wrong with the request says what to do. Another process does not know it.
    let lost = pass.memory().transient_failure.as_ref().filter(|(cause, _)| *cause == Cause::Lost(claim.attempt));
    let told = lost.map(|(_, failure)| failure.message.clone());
    let unknown = || format!("attempt {}: its outcome is unknown, so its token may live unseen", claim.attempt);
    let message = told.unwrap_or_else(unknown);
    let failure = pass.failure(observed.object.generation, Reason::TokenGenerationFailed, message);
    let now = pass.now().time();
    let change = |ledger: &mut Ledger| ledger.abandoned(&claim, attributable, failure, now);
    Ok(record(pass, objects, observed, Phase::Working, Fact::Other, change).await?.into())
}
