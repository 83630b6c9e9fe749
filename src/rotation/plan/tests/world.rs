//! A tiny world for walks: one object, one Secret, one service; every step is performed at once and works.

use std::time::Duration;

use crate::api::ledger::{Claim, Current, HandledRequests, Ledger, Outcome, Proof};
use crate::api::reason::Reason;
use crate::api::time::Time;
use crate::rotation::desired::{Desired, Timings};
use crate::rotation::ledger::{Failure, Remains};
use crate::rotation::observed::{Content, Hand, Observed, Ours, Pauses, Row, SecretState, Seen, ServiceSeen, Verdict};
use crate::rotation::plan::{Lapse, Step, next_step};

/// A walk that takes more steps is a loop.
const MOST_STEPS: usize = 80;

pub(super) struct World {
    pub(super) desired: Desired,
    pub(super) observed: Observed,
    pub(super) now: Time,
    /// What lives at the service.
    pub(super) tokens: Vec<Row>,
    /// What lives and is refused all the same.
    pub(super) refused: Option<String>,
    writes: u64,
}

pub(super) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

impl World {
    /// A fresh object. Tokens are rotated after a day, superseded ones live for ten minutes more.
    pub(super) fn new() -> Self {
        let now = Time::from_millis(1_800_000_000_000);
        let desired = Desired {
            halt: None,
            suspended: false,
            interval: Some(seconds(24 * 3600)),
            spread: Duration::ZERO,
            rotate_before: None,
            overlap: seconds(600),
            rotate_issued_before: None,
            revoke_issued_before: None,
            probe: true,
            verification_interval: Duration::ZERO,
            request_digest: "digest".to_owned(),
            timings: Timings::derive(seconds(30), seconds(60), seconds(30), seconds(30)),
        };
        let observed = Observed {
            deleting: false,
            finalizer: false,
            leave: None,
            generation: 1,
            created: now,
            requests: HandledRequests::default(),
            ledger: Ledger::default(),
            secrets: vec![Seen { live: false, state: SecretState::Absent }],
            hand: Hand::Empty,
            holds_previous: false,
            listing: None,
            swept: None,
            suspected: false,
            service: Some(ServiceSeen { attributable: true, same_origin: true, trusted: true }),
            halt: None,
            preflight: false,
            verdict: None,
            accepted: None,
            doubtful: false,
            pauses: Pauses::default(),
        };
        Self { desired, observed, now, tokens: Vec::new(), refused: None, writes: 0 }
    }

    /// An object at rest: attempt 1 verified and published, a day before its rotation.
    pub(super) fn at_rest() -> Self {
        let mut world = Self::new();
        world.walk(3600);
        world
    }

    /// Takes steps until nothing is to be done within `horizon` seconds from now, and tells them.
    pub(super) fn walk(&mut self, horizon: u64) -> Vec<String> {
        let end = self.now.plus(seconds(horizon));
        let mut told = Vec::new();
        while told.len() < MOST_STEPS {
            let step = next_step(&self.desired, &self.observed, self.now);
            match step {
                Step::Wait(Some(until)) if until <= end => {
                    told.push(format!("Wait {}", until.since(self.now).as_secs()));
                    self.pass_until(until);
                }
                Step::Wait(_) | Step::Halt(_) => return told,
                Step::Read | Step::Sweep | Step::Preflight => {
                    told.push(phrase(&step));
                    self.look(&step);
                }
                _ => {
                    told.push(phrase(&step));
                    self.perform(step);
                }
            }
        }
        told
    }

    /// Takes steps up to and with the first that is told so.
    pub(super) fn walk_to(&mut self, last: &str) {
        for _ in 0..MOST_STEPS {
            let step = next_step(&self.desired, &self.observed, self.now);
            let found = phrase(&step) == last;
            match step {
                Step::Wait(Some(until)) => self.pass_until(until),
                Step::Read | Step::Sweep | Step::Preflight => self.look(&step),
                _ => self.perform(step),
            }
            if found {
                return;
            }
        }
    }

    /// The process ends and another one starts.
    pub(super) fn crash(&mut self) {
        self.observed.hand = Hand::Empty;
        (self.observed.holds_previous, self.observed.swept, self.observed.accepted) = (false, None, None);
        self.pass_until(self.now);
    }

    /// A new pass, at this time.
    pub(super) fn pass_until(&mut self, time: Time) {
        self.now = time;
        self.observed.secrets[0].live = false;
        (self.observed.listing, self.observed.verdict, self.observed.preflight) = (None, None, false);
    }

    /// The ids of the tokens that live, and the id that the Secret holds.
    pub(super) fn state(&self) -> (Vec<&str>, Option<&str>) {
        let tokens = self.tokens.iter().map(|row| row.id.as_str()).collect();
        (tokens, self.observed.ours().next().and_then(|ours| ours.id.as_deref()))
    }

    pub(super) fn hold(&mut self, attempt: u32, id: Option<&str>, fence: u32) {
        self.writes += 1;
        let content = if id.is_some() { Content::Token } else { Content::Empty };
        let (id, rendered, essence) = (id.map(str::to_owned), true, self.writes);
        let ours = Ours { attempt, id, fence, content, rendered, essence, predecessor: None };
        self.observed.secrets[0].state = SecretState::Ours(ours);
    }

    fn look(&mut self, step: &Step) {
        self.observed.secrets[0].live = true;
        match step {
            Step::Sweep => {
                (self.observed.listing, self.observed.swept) = (Some(self.tokens.clone()), Some(self.now));
            }
            Step::Preflight => self.observed.preflight = true,
            _ => {}
        }
    }

    fn perform(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::Shell { fence } => self.hold(0, None, fence),
            Step::Finalize { claims } => {
                self.observed.finalizer = true;
                if claims {
                    self.take(1);
                }
            }
            Step::Claim { attempt } => self.claim(attempt),
            Step::Generate => self.generate(),
            Step::Update => self.update(),
            Step::Try => {
                let answer = self.ask(self.in_hand().as_deref());
                if let Hand::Value { trial, .. } = &mut self.observed.hand {
                    *trial = Some(answer);
                }
            }
            Step::Verify => self.observed.verdict = Some(self.ask(self.state().1)),
            Step::GiveUp(_) => self.give_up(),
            Step::Decide(outcome) => self.decide(outcome),
            Step::RollBack { fence } => {
                let current = self.observed.ledger.current.clone().unwrap();
                self.hold(current.attempt, Some(&current.id), fence);
            }
            Step::Dispute(row) => self.observed.ledger.disputed(&row, self.observed.requests.confirm.clone()),
            Step::Confirm => self.observed.ledger.confirmed(self.observed.requests.confirm.clone()),
            Step::RecordLeak { issued_before } => self.observed.ledger.leaked(issued_before, now),
            Step::Supersede(rows) => {
                let held: Vec<String> = self.observed.ours().filter_map(|ours| ours.id.clone()).collect();
                self.observed.ledger.found(&rows, &held, now.plus(self.desired.overlap));
            }
            Step::Revoke { attempt, id } => {
                self.tokens.retain(|row| row.id != id);
                self.observed.listing = self.observed.listing.take().map(|_| self.tokens.clone());
                self.observed.ledger.revoked(attempt, &id, Proof::Refused, now);
            }
            Step::RaiseFence { fence } => self.rewrite(fence),
            Step::Abandon => {
                let stray = self.observed.stray_claim().unwrap();
                self.observed.ledger.abandoned(&stray, true, failure(), now);
            }
            Step::Render => self.rewrite(self.observed.fence()),
            Step::Reject => self.observed.ledger.rejected(now),
            Step::DeleteSecret => self.observed.secrets[0].state = SecretState::Absent,
            Step::Release => self.observed.finalizer = false,
            Step::Read | Step::Sweep | Step::Preflight | Step::Halt(_) | Step::Wait(_) => {}
        }
    }

    fn claim(&mut self, attempt: u32) {
        let (nonce, request) = (format!("n{attempt}"), self.observed.requests.rotate.clone());
        let request_digest = "digest".to_owned();
        let claim = Claim { attempt, nonce, time: self.now, request_digest, request, outcome: None };
        self.observed.ledger.claimed(claim, self.observed.open_claim(), true);
        self.take(attempt);
    }

    fn rewrite(&mut self, fence: u32) {
        let (attempt, id) = self.observed.ours().next().map(|ours| (ours.attempt, ours.id.clone())).unwrap();
        self.hold(attempt, id.as_deref(), fence);
    }

    fn take(&mut self, attempt: u32) {
        let deadline = self.now.plus(self.desired.timings.publish_deadline);
        self.observed.hand = Hand::Claim { attempt, deadline };
    }

    fn generate(&mut self) {
        let claim = self.observed.open_claim().unwrap();
        let Hand::Claim { attempt, deadline } = self.observed.hand else { panic!("no claim in hand") };
        let id = format!("t{attempt}");
        let row =
            Row { id: id.clone(), attempt, nonce: claim.nonce, created: None, expiration: None, predecessor: false };
        self.tokens.push(row);
        let (issued, trial, base, sent) = (self.now, None, self.observed.base(), false);
        self.observed.hand = Hand::Value { attempt, id, deadline, issued, trial, base, sent };
    }

    fn update(&mut self) {
        let Hand::Value { attempt, id, .. } = self.observed.hand.clone() else { panic!("no value in hand") };
        self.observed.holds_previous = self.observed.holds_current();
        self.hold(attempt, Some(&id), attempt);
    }

    fn in_hand(&self) -> Option<String> {
        match &self.observed.hand {
            Hand::Value { id, .. } => Some(id.clone()),
            Hand::Empty | Hand::Claim { .. } => None,
        }
    }

    fn ask(&self, id: Option<&str>) -> Verdict {
        let lives = self.tokens.iter().any(|row| Some(row.id.as_str()) == id);
        if lives && self.refused.as_deref() != id { Verdict::Accepted } else { Verdict::Refused }
    }

    fn give_up(&mut self) {
        let remains = self.in_hand().map_or(Remains::Nothing, Remains::Unpublished);
        let claim = self.observed.open_claim().unwrap();
        self.observed.ledger.failed(&claim, remains, failure(), self.now);
        self.observed.hand = Hand::Empty;
    }

    fn decide(&mut self, outcome: Outcome) {
        let (now, revoke_after) = (self.now, self.now.plus(self.desired.overlap));
        let claim = self.observed.open_claim().unwrap();
        let (attempt, id) = (claim.attempt, self.state().1.unwrap().to_owned());
        let current = Current {
            attempt,
            id: id.clone(),
            nonce: claim.nonce.clone(),
            hint: None,
            request_digest: "digest".to_owned(),
            claimed_time: claim.time,
            issued_time: now,
            published_time: now,
            verified_time: now,
            probed: true,
            rejected_time: None,
            expiration_time: None,
            secret_resource_version: String::new(),
        };
        let ledger = &mut self.observed.ledger;
        match outcome {
            Outcome::Verified => ledger.verified(&claim, current, &[], revoke_after),
            Outcome::Failed => {
                ledger.failed(&claim, Remains::Published { id, revoke_after, held: true }, failure(), now)
            }
        }
        self.observed.hand = Hand::Empty;
        self.observed.verdict = None;
    }
}

fn failure() -> Failure {
    let (reason, message) = (Reason::TokenGenerationFailed, String::new());
    Failure { reason, message, generation: 1, first_retry: seconds(30), at_least: Duration::ZERO }
}

fn phrase(step: &Step) -> String {
    match step {
        Step::Claim { attempt } => format!("Claim {attempt}"),
        Step::Revoke { id, .. } => format!("Revoke {id}"),
        Step::Finalize { claims: true } => "Finalize and claim 1".to_owned(),
        Step::Shell { fence } => format!("Shell {fence}"),
        Step::RaiseFence { fence } => format!("RaiseFence {fence}"),
        Step::RollBack { fence } => format!("RollBack {fence}"),
        Step::Decide(Outcome::Verified) => "Verified".to_owned(),
        Step::Decide(Outcome::Failed) => "Failed".to_owned(),
        Step::GiveUp(Lapse::Deleting) => "GiveUp".to_owned(),
        Step::Dispute(row) => format!("Dispute {}", row.id),
        Step::RecordLeak { .. } => "RecordLeak".to_owned(),
        Step::Supersede(rows) => format!("Supersede {}", rows[0].id),
        other => format!("{other:?}"),
    }
}
