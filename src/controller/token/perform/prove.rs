//! Ends a token whose id is still known to be ours, and looks for a proof that it is dead (P8, P9, P19).

pub(super) mod by_hand;
mod listed;

use std::time::Duration;

use secrecy::SecretString;

use crate::api::ids::TokenId;
use crate::api::ledger::Proof;
use crate::api::time::Time;
use crate::api::token_service::Capability;
use crate::controller::token::memory::signs::{Signs, Word};
use crate::controller::token::pass::Pass;
use crate::controller::token::perform::alive::{Alive, nothing_done};
use crate::controller::token::perform::doomed::doomed;
use crate::controller::value_digest::digest_of;
use crate::rotation::patience::{self, Refused};
use crate::rotation::proof::{Doomed, Listed};
use crate::service::client::answers::{RevokeAnswer, VerifyAnswer};
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

const OTHERS_WORD: &str = "the service says that it has no such token, but nothing shows that the operator's credential is of the account that \
     generated it: put that one's back, or revoke the token by hand. After a day it counts as revoked, unseen";

const REFUSES_ALL: &str =
    "the service refuses it, and nothing shows that it accepts others, so its refusal proves nothing";

/// Whether a person ends the token, or the operator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndedBy {
    Person,
    Operator,
}

/// Ends the token, or sees whether a person has, and says how it is known to be dead.
pub(super) async fn revoke_and_prove(
    pass: &Pass<'_>,
    client: &ServiceClient,
    (attempt, id): (u32, &TokenId),
    ended_by: EndedBy,
    places: Places,
) -> Result<Proof, Alive> {
    // Most proofs need no further call. One that does must come to its end, or it would be tried again for ever.
    let places = places.with_max_wait(PROOF_WAIT);
    let value = pass.memory().values.get(id).cloned().or_else(|| stored_value(pass, id));
    let doomed = doomed(pass, attempt, id);
    let listed = pass.listing().into_iter().flatten().any(|row| doomed.is(row.attempt, &row.id));
    let mut prover = Prover { pass, client, places, doomed, accepted: false, ended: None, listed };
    let proof = match ended_by {
        // The service accepted it before it was published.
        EndedBy::Person => prover.by_hand(value).await,
        EndedBy::Operator => {
            let proof = prover.prove(value).await;
            proof.and_then(|proof| prover.believed(proof))
        }
    };
    let Prover { accepted, ended, listed, .. } = prover;
    proof.map_err(|alive| Alive { accepted, ended, listed, ..alive })
}

/// The value in the Secret, unless somebody else may have written it: then an answer about it says nothing of our token.
fn stored_value(pass: &Pass<'_>, id: &TokenId) -> Option<SecretString> {
    let held = pass.holds_last(id) && !pass.is_secret_rewritten();
    // In one that cannot be written nothing else tells whether somebody wrote another value before that.
    let digest = pass.memory().digest.as_ref().filter(|(known, _)| known == id).map(|(_, digest)| *digest);
    let same = |value: &SecretString| held || digest == Some(digest_of(value));
    (held || pass.holds_unwritable(id)).then(|| pass.held_token()).flatten().filter(same)
}

/// Ends a token, if its id is still known to be ours, and looks for a proof that it is dead.
struct Prover<'a, 'b> {
    pass: &'a Pass<'b>,
    client: &'a ServiceClient,
    places: Places,
    doomed: Doomed,
    /// The service accepted its value now.
    accepted: bool,
    /// What the service answered to a revoke, after which nothing showed more.
    ended: Option<Word>,
    /// A list that was read now has it under our name.
    listed: bool,
}

impl Prover<'_, '_> {
    async fn prove(&mut self, value: Option<SecretString>) -> Result<Proof, Alive> {
        let Some(value) = value.filter(|_| self.pass.desired().probe) else { return self.by_id(false).await };
        match self.ask(&value).await {
            Ok(VerifyAnswer::Accepted) => {
                self.accepted = true;
                self.accepted(&value).await
            }
            Ok(VerifyAnswer::Refused { .. }) => self.by_id(true).await,
            Err(error) if error.retry_after() > Duration::ZERO => Err(Alive::after(&error)),
            Err(_) if self.client.declaration().can(Capability::List) => self.by_list_alone().await,
            Err(_) => self.unclear(&value).await,
        }
    }

    /// The proof, unless the service may not know the token yet: it neither accepted nor listed it.
    fn believed(&mut self, proof: Proof) -> Result<Proof, Alive> {
        if self.accepted || self.listed || proof == Proof::Answered {
            return Ok(proof);
        }
        let (timings, now) = (&self.pass.desired().timings, self.pass.now());
        let old_enough = patience::is_old_enough(self.doomed.claimed, timings, now);
        // That it is gone it may have said because it does not know it yet.
        self.ended = self.ended.take().filter(|word| old_enough.is_ok() || word.answer == RevokeAnswer::Success);
        old_enough.map(|()| proof).map_err(Alive::not_yet)
    }

    /// There is a value, and the service said nothing about it. A list in which no token of ours lives says little, too.
    async fn by_list_alone(&mut self) -> Result<Proof, Alive> {
        let proof = self.by_id(false).await?;
        if self.listed || proof != Proof::Unlisted || !self.listable().is_empty() {
            return Ok(proof);
        }
        let (timings, now) = (&self.pass.desired().timings, self.pass.now());
        let absent = patience::is_absent(self.signs().unlisted, timings, now);
        absent.map_err(|not_yet| Alive { unlisted: true, ..Alive::not_yet(not_yet) })?;
        Ok(proof)
    }

    fn signs(&self) -> Signs {
        let signs = self.pass.memory().signs.get(&self.doomed.id).cloned().unwrap_or_default();
        signs.until(self.pass.now().stamp())
    }

    /// There is a value, but no list, and the service said nothing about the value. What is due is revoked all the same, once. The
    /// service's word that it did so counts when the value could not be tried for a while.
    async fn unclear(&mut self, value: &SecretString) -> Result<Proof, Alive> {
        if self.client.declaration().reuses_ids() {
            return Err(Alive::because(BY_HAND));
        }
        let (said, answer) = self.word(false).await?;
        let (timings, now) = (&self.pass.desired().timings, self.pass.now());
        match self.ask(value).await {
            Ok(VerifyAnswer::Refused { .. }) if answer == RevokeAnswer::Success => Ok(Proof::Refused),
            Ok(VerifyAnswer::Refused { .. }) => self.by_control(REFUSES_ALL).await,
            Ok(VerifyAnswer::Accepted) => {
                (self.accepted, self.ended) = (true, None);
                Err(Alive::because("the service still accepts it"))
            }
            Err(_) if said.is_some_and(|said| patience::is_word_enough(said, timings, now)) || self.is_forgotten() => {
                self.by_word(answer)
            }
            Err(error) => Err(Alive::after(&error)),
        }
    }

    async fn ask(&mut self, value: &SecretString) -> Result<VerifyAnswer, ServiceError> {
        self.client.verify(Some(value), &mut self.places).await
    }

    async fn revoke(&mut self) -> Result<RevokeAnswer, ServiceError> {
        self.client.revoke(self.doomed.id.as_str(), &mut self.places).await
    }

    /// The service accepted the value a moment ago: the id is ours, and if the service refuses the value after the revoke, it is dead.
    async fn accepted(&mut self, value: &SecretString) -> Result<Proof, Alive> {
        let answer = self.revoke().await;
        if let Some(error) = answer.as_ref().err().filter(|error| nothing_done(error)) {
            return Err(Alive::after(error));
        }
        // Whatever was answered, the value shows whether it happened (seen: 500 for a user without tokens).
        for _ in 0..if answer.is_ok() { PROOF_TRIES } else { 1 } {
            match self.ask(value).await {
                Ok(VerifyAnswer::Refused { .. }) => return Ok(Proof::Refused),
                Ok(VerifyAnswer::Accepted) => tokio::time::sleep(PROOF_PAUSE).await,
                Err(error) => return Err(Alive::after(answer.as_ref().err().unwrap_or(&error))),
            }
        }
        Err(answer.err().map_or_else(|| Alive::because("the service still accepts it"), |error| Alive::after(&error)))
    }

    /// The value is gone, or `refused` already. The id is sent only if a list read now has it under our own name or, where tokens have no
    /// names, if ids never come back.
    async fn by_id(&mut self, refused: bool) -> Result<Proof, Alive> {
        let declaration = self.client.declaration();
        // Without names a row with this id may be a stranger's, and of a value that is refused it says nothing.
        let lists = declaration.can(Capability::List) && (!refused || declaration.can(Capability::Names));
        if !lists {
            return if refused { self.refused().await } else { self.answered().await };
        }
        match self.look().await? {
            Listed::Ours => {
                self.listed = true;
                self.revoke_listed().await
            }
            Listed::Gone if !refused => Ok(Proof::Unlisted),
            // A list in which no token of ours lives says as little as the refusal does.
            Listed::Gone if self.listable().is_empty() => self.refused_again(true),
            Listed::Gone => Ok(Proof::Refused),
            Listed::Unseen { why, taken } => self.unseen(refused, why, taken).await,
            Listed::Nothing(why) if refused => self.by_control(why).await,
            Listed::Nothing(why) => Err(Alive::because(why)),
        }
    }

    /// There is neither a value nor a list. The service's word is all there is, and the history says so.
    async fn answered(&mut self) -> Result<Proof, Alive> {
        if self.client.declaration().reuses_ids() {
            return Err(Alive::because(BY_HAND));
        }
        let (_, answer) = self.word(true).await?;
        self.by_word(answer)
    }

    /// Nothing but the service's word says that it is dead.
    fn by_word(&self, answer: RevokeAnswer) -> Result<Proof, Alive> {
        let own = self.credential() == self.doomed.credentials_revision;
        let ended = answer == RevokeAnswer::Success;
        let counts = patience::is_word_of_it(ended, own, self.doomed.due, self.pass.now());
        if counts { Ok(Proof::Answered) } else { Err(Alive::because(OTHERS_WORD)) }
    }

    /// Whether nothing that comes later could show more.
    fn is_forgotten(&self) -> bool {
        patience::is_forgotten(self.doomed.due, self.pass.now())
    }

    /// What the service answers to a revoke, and since when it does. After the word that the token is gone nothing shows whose its id is. So
    /// none is sent for ten minutes, and then one each time if `again`: a service that was broken says that of every token.
    async fn word(&mut self, again: bool) -> Result<(Option<Time>, RevokeAnswer), Alive> {
        let (timings, now) = (self.pass.desired().timings, self.pass.now());
        let revision = self.credential().to_owned();
        // That a token was ended is so whoever heard it.
        let counts = |(_, word): &(Time, Word)| word.revision == revision || word.answer == RevokeAnswer::Success;
        let known = self.signs().ended.filter(counts);
        let said = known.as_ref().map(|(said, _)| *said);
        let long = again && said.is_some_and(|said| patience::is_word_enough(said, &timings, now));
        let word = match known {
            Some((_, word)) if word.answer == RevokeAnswer::Success || !long => word,
            _ => Word { answer: self.revoke().await.map_err(|error| Alive::after(&error))?, revision },
        };
        let answer = word.answer;
        self.ended = Some(word);
        Ok((said, answer))
    }

    /// The list lacks it, and perhaps it is the list of another account: another version of the credential generated the token, or nobody
    /// knows which one. Where tokens have names, nothing shows that the id is still ours, so nothing is sent to it.
    async fn unseen(&mut self, refused: bool, why: &'static str, taken: bool) -> Result<Proof, Alive> {
        if refused {
            return self.by_control(why).await;
        }
        let declaration = self.client.declaration();
        if !taken && !declaration.can(Capability::Names) && !declaration.reuses_ids() {
            let (_, answer) = self.word(true).await?;
            if answer == RevokeAnswer::Success {
                return Ok(Proof::Answered);
            }
        }
        if self.is_forgotten() { Ok(Proof::Answered) } else { Err(Alive::because(why)) }
    }

    /// The value is refused, and there is no list. That is a proof if the service does what the revoke asks for, too: it may refuse everybody
    /// for a while. Where ids come again nothing shows whose it is, and none is sent.
    async fn refused(&mut self) -> Result<Proof, Alive> {
        let answer = if self.client.declaration().reuses_ids() { RevokeAnswer::Gone } else { self.word(true).await?.1 };
        if answer == RevokeAnswer::Success { Ok(Proof::Refused) } else { self.by_control(REFUSES_ALL).await }
    }

    /// The value is refused. That is a proof if the service accepts a living token besides or, where none can be asked about, if it refuses
    /// the value for long. (An object whose Secret somebody else keeps has no control, and would else have no room for a new token either.)
    async fn by_control(&mut self, otherwise: &'static str) -> Result<Proof, Alive> {
        let Some(control) = self.control() else { return self.refused_again(false) };
        match self.ask(&control).await {
            Ok(VerifyAnswer::Accepted) => Ok(Proof::Refused),
            _ => Err(Alive::because(otherwise)),
        }
    }

    /// The tokens of which one at least lives, as far as is known.
    fn living(&self) -> Vec<&TokenId> {
        let now = self.pass.now().time();
        self.pass.ledger().controls((self.doomed.attempt, &self.doomed.id), now, |id| self.pass.holds(id))
    }

    /// Those of them that a list can show: nobody knows the id of one that was handed over.
    fn listable(&self) -> Vec<&TokenId> {
        let ledger = self.pass.ledger();
        let current = ledger.current.as_ref().filter(|current| current.hand_over.is_some()).map(|current| &current.id);
        self.living().into_iter().filter(|id| current != Some(*id)).collect()
    }

    /// The value of a token that lives: if the service accepts it, it does not refuse everybody.
    fn control(&self) -> Option<SecretString> {
        let known = |id: &TokenId| self.pass.memory().values.get(id).cloned().or_else(|| stored_value(self.pass, id));
        self.living().into_iter().find_map(known)
    }

    /// The value is refused, and no token of ours could be a control. `unlisted`: a list does not have it either.
    fn refused_again(&self, unlisted: bool) -> Result<Proof, Alive> {
        let key = self.pass.service_key();
        let services = &self.pass.shared().services;
        let refused = Refused {
            since: self.signs().refused,
            unlisted,
            unlisted_since: self.signs().unlisted,
            others: services.others(&key, self.pass.uid()),
            refuses_most: services.refuses_most(&key),
        };
        let dead = refused.is_dead(&self.pass.desired().timings, self.pass.now());
        dead.map_err(|not_yet| Alive { refused: true, unlisted, ..Alive::not_yet(not_yet) })?;
        Ok(Proof::Refused)
    }

    /// The version of the operator's credential; that of the token's, if their values are the same.
    fn credential(&self) -> &str {
        let (now, then) =
            (self.pass.service().map_or("", |service| &service.revision), &self.doomed.credentials_revision);
        let same = self.pass.shared().services.same_credential(&self.pass.service_key(), then, now);
        if same { then } else { now }
    }
}
