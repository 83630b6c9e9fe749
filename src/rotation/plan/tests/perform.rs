//! The effect of each step in the tiny world.

use std::time::Duration;

use super::world::{World, seconds};
use crate::api::ids::TokenId;
use crate::api::ids::samples::{id, nonce};
use crate::api::ledger::{Claim, Current, Outcome, Proof};
use crate::api::reason::Reason;
use crate::rotation::ledger::{Failure, Leftover};
use crate::rotation::observed::{InFlight, Row, SecretState, Verdict};
use crate::rotation::plan::Step;

impl World {
    pub(super) fn perform(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::CreatePlaceholder { fence } => self.hold(0, None, fence),
            Step::Finalize { claims } => {
                self.observed.object.finalizer = true;
                if claims {
                    self.take(1);
                }
            }
            Step::Claim { attempt } => self.claim(attempt),
            Step::Generate => self.generate(),
            Step::Update => self.update(),
            Step::Try => {
                let answer = self.ask(self.id_in_flight().as_ref().map(TokenId::as_str));
                if let InFlight::Value { trial, .. } = &mut self.observed.in_flight {
                    *trial = Some(answer);
                }
            }
            Step::Verify => self.verify(),
            Step::GiveUp(_) => self.give_up(),
            Step::Decide(outcome) => self.decide(outcome),
            Step::RollBack { fence } => {
                let current = self.observed.ledger.current.clone().unwrap();
                self.hold(current.attempt, Some(current.id), fence);
            }
            Step::RecordConflict(row) => {
                self.observed.ledger.conflict_found(&row, self.observed.object.requests.confirm.clone())
            }
            Step::ConfirmIdentity => {
                self.observed.ledger.identity_confirmed(self.observed.object.requests.confirm.clone())
            }
            Step::Supersede(rows) => {
                let held: Vec<TokenId> = self.observed.secrets.ours().filter_map(|ours| ours.id.clone()).collect();
                self.observed.ledger.orphans_found(&rows, &held, now.plus(self.desired.overlap));
            }
            Step::Revoke { attempt, id } => {
                self.tokens.retain(|row| row.id != id);
                self.observed.service.listing = self.observed.service.listing.take().map(|_| self.tokens.clone());
                self.observed.ledger.revoked(attempt, &id, Proof::Refused, now);
            }
            Step::RaiseFence { fence } => self.rewrite(fence),
            Step::Abandon => {
                let unresolved = self.observed.unresolved_claim().unwrap();
                self.observed.ledger.abandoned(&unresolved, true, failure(), now);
            }
            Step::Render => self.rewrite(self.observed.secrets.fence()),
            Step::DeleteSecret => self.observed.secrets.seen[0].state = SecretState::Absent,
            Step::Release => self.observed.object.finalizer = false,
            Step::Prove { .. }
            | Step::ReadOffer
            | Step::Resume
            | Step::DeleteOffer
            | Step::ReadCompanion
            | Step::Keep(_) => unreachable!("nobody hands over a token here"),
            Step::TakeTurn(_) | Step::Read | Step::Sweep | Step::Preflight | Step::Halt(_) | Step::Wait(_) => {}
            record => self.record(record),
        }
    }

    /// A step that only changes the ledger.
    fn record(&mut self, step: Step) {
        let (now, ledger) = (self.now, &mut self.observed.ledger);
        match step {
            Step::RecordProbed => ledger.probed(),
            Step::RecordUnclear(unclear) => ledger.unclear(unclear),
            Step::RecordReplaced(id) => ledger.will_replace(id),
            Step::RecordLeak { issued_before } => ledger.leaked(issued_before, now),
            Step::RecordRefusal => ledger.refused(now),
            Step::ForgetRefusal => ledger.accepted_again(),
            Step::Reject => ledger.rejected(now),
            Step::Remind(days) => ledger.reminded(days),
            step => unreachable!("{step:?} is performed above"),
        }
    }

    fn verify(&mut self) {
        let verdict = self.ask(self.state().1);
        let refusals = if verdict == Verdict::Accepted { 0 } else { self.observed.facts.refusals + 1 };
        let facts = &mut self.observed.facts;
        (facts.verdict, facts.refusals) = (Some(verdict), refusals);
        facts.ask_again = (refusals > 0).then(|| self.now.plus(self.desired.timings.refusal_pause(refusals)));
        if verdict == Verdict::Accepted {
            facts.accepted = Some(self.now);
        }
    }

    fn claim(&mut self, attempt: u32) {
        let (nonce, request_digest, request) =
            (nonce(format!("n{attempt}")), "digest".into(), self.observed.object.requests.rotate.clone());
        let time = self.observed.ledger.next_claim_time(self.now);
        let claim = Claim { attempt, nonce, time, request_digest, request, hand_over: None, outcome: None };
        self.observed.ledger.claimed(claim, self.observed.open_claim(), true);
        self.take(attempt);
    }

    fn rewrite(&mut self, fence: u32) {
        let (attempt, id) = self.observed.secrets.ours().next().map(|ours| (ours.attempt, ours.id.clone())).unwrap();
        self.hold(attempt, id, fence);
    }

    fn take(&mut self, attempt: u32) {
        let deadline = self.now.plus(self.desired.timings.publish_deadline);
        self.observed.in_flight = InFlight::Claim { attempt, deadline };
    }

    fn generate(&mut self) {
        let claim = self.observed.open_claim().unwrap();
        let InFlight::Claim { attempt, deadline } = self.observed.in_flight else { panic!("no claim in flight") };
        let id = id(format!("t{attempt}"));
        self.tokens.push(Row::new(id.clone(), attempt, claim.nonce));
        let expected = self.observed.secrets.expected();
        self.observed.in_flight =
            InFlight::Value { attempt, id, deadline, issued: self.now, trial: None, expected, sent: false };
    }

    fn update(&mut self) {
        let InFlight::Value { attempt, id, .. } = self.observed.in_flight.clone() else { panic!("no value in flight") };
        self.observed.facts.holds_previous = self.observed.holds_current();
        self.hold(attempt, Some(id), attempt);
    }

    fn id_in_flight(&self) -> Option<TokenId> {
        match &self.observed.in_flight {
            InFlight::Value { id, .. } => Some(id.clone()),
            InFlight::Nothing | InFlight::Claim { .. } => None,
        }
    }

    fn ask(&self, id: Option<&str>) -> Verdict {
        let lives = self.tokens.iter().any(|row| Some(row.id.as_str()) == id);
        if lives && self.refused.as_deref() != id { Verdict::Accepted } else { Verdict::Refused }
    }

    fn give_up(&mut self) {
        let leftover = self.id_in_flight().map_or(Leftover::Nothing, Leftover::Unpublished);
        let claim = self.observed.open_claim().unwrap();
        self.observed.ledger.failed(&claim, leftover, failure(), self.now);
        self.observed.in_flight = InFlight::Nothing;
    }

    fn decide(&mut self, outcome: Outcome) {
        let (now, revoke_after) = (self.now, self.now.plus(self.desired.overlap));
        let claim = self.observed.open_claim().unwrap();
        let (attempt, id) = (claim.attempt, id(self.state().1.unwrap()));
        let current = Current {
            attempt,
            id: id.clone(),
            nonce: claim.nonce.clone(),
            credentials_revision: String::new(),
            hint: None,
            request_digest: "digest".to_owned(),
            claimed_time: claim.time,
            issued_time: now,
            published_time: now,
            verified_time: now,
            probed: true,
            refused_time: None,
            rejected_time: None,
            unclear: None,
            last_used_time: None,
            hand_over: None,
            reminded_days: None,
            expiration_time: None,
            secret_resource_version: String::new(),
        };
        let ledger = &mut self.observed.ledger;
        match outcome {
            Outcome::Verified => ledger.verified(&claim, current, &[], revoke_after),
            Outcome::Failed => {
                ledger.failed(&claim, Leftover::Published { id, revoke_after, held: true }, failure(), now)
            }
        }
        self.observed.in_flight = InFlight::Nothing;
        self.observed.facts.verdict = None;
    }
}

fn failure() -> Failure {
    Failure {
        reason: Reason::TokenGenerationFailed,
        message: String::new(),
        generation: 1,
        first_retry: seconds(30),
        at_least: Duration::ZERO,
    }
}
