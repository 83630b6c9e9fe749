//! The end of the token: the revoke, its proof, and what a person must do if there is none.

use artifact_token_operator::api::operation::Operation;
use artifact_token_operator::service::client::answers::{RevokeAnswer, VerifyAnswer};
use tokio::time::Instant;

use super::{Made, NO_CONNECTION, PAUSE, Trial};
use crate::check_service::witness::sketch;

impl Trial {
    pub(super) async fn revoke_and_prove(&mut self) {
        let by_hand = self.client.declaration().is_by_hand();
        let why = match (&self.id, &self.value) {
            _ if !self.client.declaration().has(Operation::Revoke) => {
                Some("the declaration has no spec.operations.revoke")
            }
            (_, Some(_)) if self.wanted.is_none() => Some("the token is not of this trial, so it stays"),
            _ if by_hand || self.wanted.is_none() || self.made == Made::No => Some("there is no token to revoke"),
            _ if self.not_ours => Some("the id may be that of another token"),
            (None, _) => Some("the id of the token is not known"),
            _ if self.unreachable => Some(NO_CONNECTION),
            (Some(_), _) => None,
        };
        if let Some(why) = why {
            self.report.not_tried("revoke", why);
            self.report.not_tried("prove", why);
            return;
        }
        self.revoke().await;
        self.prove().await;
    }

    /// Asks the service to end the token.
    async fn revoke(&mut self) {
        let Some(id) = self.id.clone() else { return };
        self.report.step("revoke");
        let drawn = sketch(self.client.declaration(), Vec::new(), async |client, mut places| {
            let _ = client.revoke(&id, &mut places).await;
        });
        self.report.request(&drawn.await);
        let client = self.client.clone();
        let answer = self.patiently(async |places| client.revoke(&id, places).await).await;
        self.show_answers();
        match answer {
            Ok(RevokeAnswer::Success) => {
                self.revoked = true;
                self.report.good("the service says that it ended the token");
            }
            Ok(RevokeAnswer::Gone) => {
                self.revoked = true;
                self.report.bad(
                    "the service says that there is no such token, and there was one a moment ago: look at \
                     spec.operations.revoke.request, and whether spec.operations.generate.response.id is the id that it takes",
                );
            }
            Err(error) => self.failed(&error),
        }
    }

    /// The token is dead: the service refuses it, and its list does not have it.
    async fn prove(&mut self) {
        self.report.step("prove");
        let refused = self.prove_by_verify().await;
        let unlisted = self.prove_by_list().await;
        let dead = match (refused, unlisted) {
            // The service accepts it still, so it lives, whatever a list says.
            (Some(refused), _) => refused,
            (None, unlisted) => unlisted.unwrap_or(false),
        };
        self.judged = true;
        if dead {
            self.made = Made::Dead;
        } else if refused.is_none() && unlisted.is_none() {
            self.report.bad("nothing shows that the token is dead: neither verify nor list knew it while it lived");
        }
    }

    /// Whether the service refuses the token now; `None` where its answer proves nothing.
    async fn prove_by_verify(&mut self) -> Option<bool> {
        let value = self.value.clone().filter(|_| self.accepted && self.verify_proves)?;
        self.draw_verify(true).await;
        let until = Instant::now() + self.settle;
        loop {
            let answer = self.ask(Some(&value)).await;
            if matches!(answer, Ok(VerifyAnswer::Accepted)) && Instant::now() < until {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            self.show_answers();
            match answer {
                Ok(VerifyAnswer::Refused { .. }) => {
                    self.report.good("the service refuses the token now");
                    return Some(true);
                }
                Ok(VerifyAnswer::Accepted) => {
                    self.report.bad(&format!(
                        "the service still accepts the token {} s after the revoke: look at spec.operations.revoke.request, \
                         success and gone",
                        self.settle.as_secs()
                    ));
                    return Some(false);
                }
                Err(error) => {
                    self.failed(&error);
                    return None;
                }
            }
        }
    }

    /// Whether the list lacks the token now; `None` where it proves nothing.
    async fn prove_by_list(&mut self) -> Option<bool> {
        if !self.listed {
            return None;
        }
        self.draw_list().await;
        let until = Instant::now() + self.settle;
        loop {
            let answer = self.read_list().await;
            let has = answer.as_ref().is_ok_and(|listing| self.find(listing).is_some());
            if has && Instant::now() < until {
                self.witness.take();
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            self.show_pages().await;
            return match answer {
                Ok(_) if has => {
                    self.report.bad(&format!(
                        "the list still has the token {} s after the revoke: look at spec.operations.revoke.request; if the service \
                         lists dead tokens, leave them out by a filter in spec.operations.list.items",
                        self.settle.as_secs()
                    ));
                    Some(false)
                }
                Ok(_) => {
                    self.report.good("the list does not have the token any more");
                    Some(true)
                }
                Err(error) => {
                    self.failed(&error);
                    None
                }
            };
        }
    }

    /// Whether a token of the trial may live.
    pub fn may_live(&self) -> bool {
        matches!(self.made, Made::Yes | Made::Perhaps)
    }

    /// Ends what the steps left, whatever ended them.
    pub async fn clean(&mut self) {
        if !self.may_live() {
            return;
        }
        self.unreachable = false;
        self.gather_evidence().await;
        if self.id.is_none() && self.client.declaration().has(Operation::List) && self.own_part.is_some() {
            self.list().await;
        }
        if self.not_ours || !self.client.declaration().has(Operation::Revoke) {
            return;
        }
        // A service that has answered to the revoke has nothing else to say to the same id.
        if self.id.is_some() && !(self.revoked && self.judged) {
            if !self.revoked && self.is_still_ours().await {
                self.revoke().await;
            }
            self.prove().await;
        }
        if let Some(listed) = self.listed_id.take().filter(|_| self.may_live()) {
            self.id = Some(listed);
            self.revoke().await;
            self.prove().await;
        }
    }

    /// Whether the id can only be that of the trial's token. Where ids are given again, the token itself must say so.
    async fn is_still_ours(&mut self) -> bool {
        if !self.client.declaration().reuses_ids() {
            return true;
        }
        let Some(value) = self.value.clone() else { return false };
        let accepted = matches!(self.ask(Some(&value)).await, Ok(VerifyAnswer::Accepted));
        self.witness.take();
        accepted && self.verify_proves
    }

    /// Asks about the living token, if nothing before did: later, its refusal proves something.
    async fn gather_evidence(&mut self) {
        let Some(value) = self.value.clone().filter(|_| !self.accepted && !self.listed && !self.revoked) else {
            return;
        };
        self.accepted = matches!(self.ask(Some(&value)).await, Ok(VerifyAnswer::Accepted));
        self.verify_proves = matches!(self.ask(None).await, Ok(VerifyAnswer::Refused { .. }));
        self.witness.take();
    }

    /// What a person must do about a token that may live.
    pub fn tell_leftover(&self) {
        let report = &self.report;
        let name = self.wanted.as_ref().and_then(|wanted| wanted.name.as_deref());
        report.line("");
        report.line(match self.made {
            Made::Perhaps => {
                "The service may have made a token that nobody has revoked. Look for it, and revoke it by hand:"
            }
            _ => "The token of this trial may live still. Revoke it by hand:",
        });
        report.line(&format!("  id:    {}", self.id.as_deref().unwrap_or("not known")));
        report.line(&format!("  name:  {}", name.unwrap_or("none: tokens of this service have no names")));
        if let Some(wanted) = &self.wanted {
            report.line(&format!("  made:  {} or a little later", wanted.claimed));
        }
        let declaration = self.client.declaration();
        let page = declaration.page().map(|page| format!(": {page}")).unwrap_or_default();
        report.line(&format!("  where: the service at {}{page}", declaration.origin()));
    }
}
