//! Whether a token is dead that only a person can revoke. The operator asks with its value, and sends nothing else.

use secrecy::SecretString;

use super::{Prover, REFUSES_ALL};
use crate::api::ledger::Proof;
use crate::controller::token::perform::alive::Alive;
use crate::service::client::answers::VerifyAnswer;

/// So often a token is looked at whose value got lost: for about a day, since the pauses grow to an hour.
const LOOKS: u32 = 32;

/// What people are told of a token whose value got lost.
const FORGOTTEN: &str = "the operator does not have its value any more, so it cannot see whether it is dead: revoke it by hand. After a day it \
     counts as revoked, unseen";

impl Prover<'_, '_> {
    /// The service refuses it, and not others. Without the value nothing can be seen.
    pub(super) async fn by_hand(&mut self, value: Option<SecretString>) -> Result<Proof, Alive> {
        let Some(value) = value else {
            let forgotten = || Alive { forgotten: true, ..Alive::because(FORGOTTEN) };
            return if self.looks() >= LOOKS { Ok(Proof::Answered) } else { Err(forgotten()) };
        };
        match self.ask(&value).await {
            Ok(VerifyAnswer::Accepted) => {
                self.accepted = true;
                Err(Alive::because("the service still accepts it"))
            }
            Ok(VerifyAnswer::Refused { .. }) => self.by_control(REFUSES_ALL).await,
            Err(error) => Err(Alive::after(&error)),
        }
    }

    /// How often it was looked at in vain since its value got lost.
    fn looks(&self) -> u32 {
        let mut superseded = self.pass.ledger().superseded.iter();
        superseded.find(|old| self.doomed.is(old.attempt, &old.id)).map_or(0, |old| old.tries)
    }
}
