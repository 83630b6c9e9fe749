//! Ends a token whose id is still known to be ours, and looks for a proof that it is dead (P8, P9, P19).

use std::time::Duration;

use secrecy::SecretString;

use crate::api::ids::TokenId;
use crate::api::ledger::Proof;
use crate::api::token_service::Capability;
use crate::controller::token::pass::Pass;
use crate::rotation::identity;
use crate::rotation::proof::{Complete, Doomed, Listed};
use crate::rotation::service_sweep::NamedToken;
use crate::service::client::answers::{ListedToken, RevokeAnswer, VerifyAnswer};
use crate::service::client::{Places, ServiceClient};
use crate::service::errors::ServiceError;

/// The least calls of a revoke: ask with the old value, revoke, ask again; or list, revoke, list.
pub(super) const REVOKE_CALLS: u32 = 3;
/// How often a proof is tried. Services take a moment to forget a token (measured: 5 ms). After these tries the revoke counts as
/// failed, and is tried again after its back-off.
const PROOF_TRIES: u32 = 4;
/// The pause between two tries.
const PROOF_PAUSE: Duration = Duration::from_millis(250);
/// How long a proof waits for each further place in the rate limit. At one request a minute that may take two minutes.
const PROOF_WAIT: Duration = Duration::from_secs(180);

/// What a person must do where ids come back.
const BY_HAND: &str = "the service gives ids again, and nothing shows whose this id is now, so no revoke is sent to it: look for the token \
     there, and revoke it by hand";

/// Why a token is not known to be dead.
pub(super) struct Alive {
    pub what: String,
    pub after: Duration,
    /// The service refuses its value, which proves nothing yet.
    pub refused: bool,
}

impl Alive {
    fn because(what: &str) -> Self {
        Self::until(Duration::ZERO, what)
    }

    fn until(after: Duration, what: &str) -> Self {
        Self { what: what.to_owned(), after, refused: false }
    }

    fn after(error: &ServiceError) -> Self {
        Self::until(error.retry_after(), &error.to_string())
    }
}

/// Ends the token, and says how it is known to be dead.
pub(super) async fn revoke_and_prove(
    pass: &Pass<'_>,
    client: &ServiceClient,
    (attempt, id): (u32, &TokenId),
    places: Places,
) -> Result<Proof, Alive> {
    // Most proofs need no further call. One that does must come to its end, or it would be tried again for ever.
    let places = places.with_max_wait(PROOF_WAIT);
    let value = pass.memory().values.get(id).cloned().or_else(|| stored_value(pass, id));
    let mut prover = Prover { pass, client, places, doomed: doomed(pass, attempt, id) };
    let Some(value) = value.filter(|_| pass.desired().probe) else { return prover.by_id(false).await };
    match prover.ask(&value).await {
        Ok(VerifyAnswer::Accepted) => prover.accepted(&value).await,
        Ok(VerifyAnswer::Refused) => prover.by_id(true).await,
        Err(error) if error.retry_after() > Duration::ZERO => Err(Alive::after(&error)),
        Err(_) => prover.by_id(false).await,
    }
}

fn stored_value(pass: &Pass<'_>, id: &TokenId) -> Option<SecretString> {
    pass.holds(id).then(|| pass.held_token()).flatten()
}

/// What the ledger knows of the token.
fn doomed(pass: &Pass<'_>, attempt: u32, id: &TokenId) -> Doomed {
    let ledger = pass.ledger();
    let current = ledger.current.iter().map(|current| (&current.id, &current.nonce, &current.credentials_revision));
    let superseded = ledger.superseded.iter().map(|old| (&old.id, &old.nonce, &old.credentials_revision));
    let known = current.chain(superseded).find(|(known, ..)| *known == id);
    let (nonce, credentials_revision) =
        known.map(|(_, nonce, revision)| (nonce.clone(), revision.clone())).unwrap_or_default();
    Doomed { uid16: identity::uid16(pass.uid()), attempt, nonce, id: id.clone(), credentials_revision }
}

/// Ends a token, if its id is still known to be ours, and looks for a proof that it is dead.
struct Prover<'a, 'b> {
    pass: &'a Pass<'b>,
    client: &'a ServiceClient,
    places: Places,
    doomed: Doomed,
}

impl Prover<'_, '_> {
    async fn ask(&mut self, value: &SecretString) -> Result<VerifyAnswer, ServiceError> {
        self.client.verify(Some(value), &mut self.places).await
    }

    async fn revoke(&mut self) -> Result<RevokeAnswer, ServiceError> {
        self.client.revoke(self.doomed.id.as_str(), &mut self.places).await
    }

    /// The service accepted the value a moment ago: the id is ours, and if the service refuses the value after the revoke, it is dead.
    async fn accepted(&mut self, value: &SecretString) -> Result<Proof, Alive> {
        let answer = self.revoke().await;
        if let Err(error @ ServiceError::Refused { credential: true, .. }) = &answer {
            return Err(Alive::after(error));
        }
        // Whatever was answered, the value shows whether it happened (seen: 500 for a user without tokens).
        for _ in 0..if answer.is_ok() { PROOF_TRIES } else { 1 } {
            match self.ask(value).await {
                Ok(VerifyAnswer::Refused) => return Ok(Proof::Refused),
                Ok(VerifyAnswer::Accepted) => tokio::time::sleep(PROOF_PAUSE).await,
                Err(error) => return Err(Alive::after(answer.as_ref().err().unwrap_or(&error))),
            }
        }
        Err(answer.err().map_or_else(|| Alive::because("the service still accepts it"), |error| Alive::after(&error)))
    }

    /// The value is gone, or `refused` already. The id is sent only if a list read now has it under our own name or, where tokens have
    /// no names, if ids never come back.
    async fn by_id(&mut self, refused: bool) -> Result<Proof, Alive> {
        if !self.client.declaration().can(Capability::List) {
            return if refused { self.refused(None).await } else { self.answered().await };
        }
        match self.look().await? {
            Listed::Ours => self.revoke_listed().await,
            Listed::Gone => Ok(if refused { Proof::Refused } else { Proof::Unlisted }),
            Listed::Unseen if !refused => Ok(Proof::Answered),
            Listed::Nothing(what) if !refused => Err(Alive::because(what)),
            Listed::Nothing(what) => self.refused(Some(what)).await,
            Listed::Unseen => self.refused(Some("nothing but the refusal says that it is dead")).await,
        }
    }

    /// There is neither a value nor a list. The service's word is all there is, and the history says so.
    async fn answered(&mut self) -> Result<Proof, Alive> {
        if self.client.declaration().reuses_ids() {
            return Err(Alive::because(BY_HAND));
        }
        self.revoke().await.map(|_| Proof::Answered).map_err(|error| Alive::after(&error))
    }

    /// The value is refused. That is a proof if the service accepts a living token besides or, where there is none, if it refuses the
    /// value again later.
    async fn refused(&mut self, unlisted: Option<&'static str>) -> Result<Proof, Alive> {
        // The service may never have accepted it. Where nothing can come of it, it is told to end it all the same.
        if unlisted.is_none() && !self.client.declaration().reuses_ids() {
            let _ = self.revoke().await;
        }
        let current = self.pass.ledger().current.as_ref();
        let current = current.filter(|current| current.id != self.doomed.id && current.rejected_time.is_none());
        let Some(living) = current else { return self.refused_again() };
        let value = stored_value(self.pass, &living.id);
        if let Some(value) = value
            && matches!(self.ask(&value).await, Ok(VerifyAnswer::Accepted))
        {
            return Ok(Proof::Refused);
        }
        Err(Alive::because(
            unlisted.unwrap_or("the service refuses the current token, too, so its refusal proves nothing"),
        ))
    }

    fn refused_again(&self) -> Result<Proof, Alive> {
        let settle = self.pass.desired().timings.refusal_settle;
        let first = self.pass.memory().refused_in_vain.get(&self.doomed.id);
        match first.filter(|first| self.pass.now().is_over(first.plus(settle))) {
            Some(_) => Ok(Proof::Refused),
            None => {
                let what = "the service refuses it, and no living token shows that it does not refuse everybody: it is asked again";
                Err(Alive { refused: true, ..Alive::until(settle, what) })
            }
        }
    }

    /// What a list read now says of it.
    async fn look(&mut self) -> Result<Listed, Alive> {
        let listing = self.client.list(&mut self.places).await.map_err(|error| Alive::after(&error))?;
        let rows: Vec<NamedToken> = listing.rows.iter().map(named).collect();
        let declaration = self.client.declaration();
        let current = self.pass.ledger().current.as_ref();
        let living = current.filter(|current| current.id != self.doomed.id && current.rejected_time.is_none());
        let list = Complete {
            rows: &rows,
            prefix: declaration.prefix().filter(|_| declaration.can(Capability::Names)),
            credentials_revision: self.pass.service().map_or("", |service| &service.revision),
            living: living.map(|living| &living.id),
        };
        Ok(list.says_of(&self.doomed))
    }

    /// The list has it under our name. It is dead once the list no longer has it.
    async fn revoke_listed(&mut self) -> Result<Proof, Alive> {
        let declaration = self.client.declaration();
        if !declaration.can(Capability::Names) && declaration.reuses_ids() {
            return Err(Alive::because(BY_HAND));
        }
        let answer = self.revoke().await;
        if let Err(error) = &answer
            && (error.retry_after() > Duration::ZERO || matches!(error, ServiceError::Refused { credential: true, .. }))
        {
            return Err(Alive::after(error));
        }
        // This very credential has listed it.
        self.doomed.credentials_revision =
            self.pass.service().map(|service| service.revision.clone()).unwrap_or_default();
        for _ in 0..if answer.is_ok() { PROOF_TRIES } else { 1 } {
            match self.look().await? {
                Listed::Ours => tokio::time::sleep(PROOF_PAUSE).await,
                Listed::Gone | Listed::Unseen => return Ok(Proof::Unlisted),
                Listed::Nothing(what) => return Err(Alive::because(what)),
            }
        }
        Err(answer.err().map_or_else(|| Alive::because("the service still lists it"), |error| Alive::after(&error)))
    }
}

fn named(row: &ListedToken) -> NamedToken {
    NamedToken { id: TokenId::new(row.id.clone()), name: row.name.clone().unwrap_or_default() }
}
