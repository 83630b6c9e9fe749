//! The real decision, cached by its input.

use std::collections::HashMap;
use std::hash::Hash;

use artifact_token_operator::api::ids::TokenId;
use artifact_token_operator::api::ledger::Outcome;
use artifact_token_operator::rotation::plan::{GiveUpReason, Step, next_step};

use super::bridge;
use super::fingerprint::{Identity, fingerprint};
use super::mutations;
use super::setup::Setup;
use super::tokens::{Set, Token};
use super::world::{Facts, Process, State};

/// A [`Step`] in the model's terms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Do {
    Read,
    Sweep,
    Preflight,
    CreatePlaceholder(u8),
    Finalize(bool),
    Claim(u8),
    Generate,
    Try,
    Update,
    GiveUp(GiveUpReason),
    Verify,
    Decide(Outcome),
    RollBack(u8),
    RecordConflict(Token),
    ConfirmIdentity,
    RecordLeak,
    RecordReplaced(Token),
    Supersede(Set),
    Revoke(Token),
    Prove(Token),
    ReadOffer,
    Resume,
    DeleteOffer,
    ReadCompanion,
    Keep(Set),
    RaiseFence(u8),
    Abandon,
    Render,
    Reject,
    DeleteSecret,
    Release,
    /// Wait or Halt.
    Rest,
}

/// The decision and its cache, for one run.
#[derive(Default)]
pub struct Decision {
    known: HashMap<u128, Do, Identity>,
}

impl Decision {
    pub fn next(&mut self, setup: &Setup, state: &State, index: usize) -> Do {
        let process = &state.processes[index];
        let key = fingerprint(|hasher| {
            process.hash(hasher);
            state.facts.hash(hasher);
        });
        if let Some(step) = self.known.get(&key) {
            return *step;
        }
        let step = ask(setup, process, state);
        self.known.insert(key, step);
        step
    }
}

fn ask(setup: &Setup, process: &Process, state: &State) -> Do {
    let mut observed = bridge::observed(process, &state.facts, setup.named);
    let mut desired = bridge::desired(&process.object, &state.facts);
    mutations::before(setup, &mut desired, &mut observed);
    let step = next_step(&desired, &observed, bridge::NOW);
    short(mutations::after(setup, &observed, step), &state.facts)
}

fn number(wide: u32) -> u8 {
    u8::try_from(wide).unwrap_or(u8::MAX)
}

fn short(step: Step, facts: &Facts) -> Do {
    let token = |id: &TokenId| bridge::token(id, facts);
    let tokens = |ids: &[TokenId]| ids.iter().map(token).fold(Set::EMPTY, Set::with);
    match step {
        Step::Read => Do::Read,
        Step::Sweep => Do::Sweep,
        Step::Preflight => Do::Preflight,
        Step::CreatePlaceholder { fence } => Do::CreatePlaceholder(number(fence)),
        Step::Finalize { claims } => Do::Finalize(claims),
        Step::Claim { attempt } => Do::Claim(number(attempt)),
        Step::Generate => Do::Generate,
        Step::Try => Do::Try,
        Step::Update => Do::Update,
        Step::GiveUp(reason) => Do::GiveUp(reason),
        Step::Verify => Do::Verify,
        Step::Decide(outcome) => Do::Decide(outcome),
        Step::RollBack { fence } => Do::RollBack(number(fence)),
        Step::RecordConflict(row) => Do::RecordConflict(token(&row.id)),
        Step::ConfirmIdentity => Do::ConfirmIdentity,
        Step::RecordLeak { .. } => Do::RecordLeak,
        Step::RecordReplaced(id) => Do::RecordReplaced(token(&id)),
        Step::Supersede(rows) => Do::Supersede(rows.iter().fold(Set::EMPTY, |set, row| set.with(token(&row.id)))),
        Step::Revoke { id, .. } => Do::Revoke(token(&id)),
        Step::Prove { id, .. } => Do::Prove(token(&id)),
        Step::ReadOffer => Do::ReadOffer,
        Step::Resume => Do::Resume,
        Step::DeleteOffer => Do::DeleteOffer,
        Step::ReadCompanion => Do::ReadCompanion,
        Step::Keep(ids) => Do::Keep(tokens(&ids)),
        Step::RaiseFence { fence } => Do::RaiseFence(number(fence)),
        Step::Abandon => Do::Abandon,
        Step::Render => Do::Render,
        Step::Reject => Do::Reject,
        Step::DeleteSecret => Do::DeleteSecret,
        Step::Release => Do::Release,
        // No change of `verification.probe` is in the model, no answer that says nothing, no rate limit, no expiry, and every refusal is the second
        // one (see the bridge).
        Step::Halt(_)
        | Step::Wait(_)
        | Step::RecordProbed
        | Step::TakeTurn(_)
        | Step::RecordUnclear(_)
        | Step::RecordRefusal
        | Step::ForgetRefusal
        | Step::Remind(_) => Do::Rest,
    }
}
