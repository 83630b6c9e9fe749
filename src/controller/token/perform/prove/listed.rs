//! What a list shows of a token that is to die, and the revoke of one that a list has under our name.

use super::{BY_HAND, PROOF_PAUSE, PROOF_TRIES, Prover};
use crate::api::ids::TokenId;
use crate::api::ledger::Proof;
use crate::api::token_service::Capability;
use crate::controller::token::perform::alive::{Alive, nothing_done};
use crate::rotation::proof::{Complete, Listed};
use crate::rotation::service_sweep::NamedToken;
use crate::service::client::answers::ListedToken;

impl Prover<'_, '_> {
    /// What a list read now says of it.
    pub(super) async fn look(&mut self) -> Result<Listed, Alive> {
        let listing = self.client.list(&mut self.places).await.map_err(|error| Alive::after(&error))?;
        let rows: Vec<NamedToken> = listing.rows.iter().map(named).collect();
        let declaration = self.client.declaration();
        let list = Complete {
            rows: &rows,
            prefix: declaration.prefix().filter(|_| declaration.can(Capability::Names)),
            credentials_revision: self.credential(),
            living: &self.listable(),
        };
        Ok(list.says_of(&self.doomed))
    }

    /// The list has it under our name. It is dead once the list no longer has it.
    pub(super) async fn revoke_listed(&mut self) -> Result<Proof, Alive> {
        let declaration = self.client.declaration();
        if !declaration.can(Capability::Names) && declaration.reuses_ids() {
            return Err(Alive::because(BY_HAND));
        }
        let answer = self.revoke().await;
        if let Some(error) = answer.as_ref().err().filter(|error| nothing_done(error)) {
            return Err(Alive::after(error));
        }
        // This very credential has listed it.
        self.doomed.credentials_revision =
            self.pass.service().map(|service| service.revision.clone()).unwrap_or_default();
        for _ in 0..if answer.is_ok() { PROOF_TRIES } else { 1 } {
            match self.look().await? {
                Listed::Ours => tokio::time::sleep(PROOF_PAUSE).await,
                Listed::Gone | Listed::Unseen { .. } => return Ok(Proof::Unlisted),
                Listed::Nothing(why) => return Err(Alive::because(why)),
            }
        }
        Err(answer.err().map_or_else(|| Alive::because("the service still lists it"), |error| Alive::after(&error)))
    }
}

fn named(row: &ListedToken) -> NamedToken {
    NamedToken { id: TokenId::new(row.id.clone()), name: row.name.clone().unwrap_or_default() }
}
