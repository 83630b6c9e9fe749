//! A tiny world for walks: one object, one Secret, one service. Every step is performed at once and works.

use std::time::Duration;

use super::phrase::phrase;
use crate::api::ids::TokenId;
use crate::api::ledger::LeakTimes;
use crate::api::time::Time;
use crate::rotation::desired::{Desired, Instructions, Timings};
use crate::rotation::observed::{
    Content, InFlight, Object, Observed, Ours, Row, SecretState, Secrets, Service, ServiceSeen,
};
use crate::rotation::plan::{Step, next_step};

/// A walk with more steps is a loop.
const MAX_STEPS: usize = 80;

pub(super) struct World {
    pub(super) desired: Desired,
    pub(super) observed: Observed,
    pub(super) now: Time,
    /// The tokens that live at the service.
    pub(super) tokens: Vec<Row>,
    /// A living token that the service refuses.
    pub(super) refused: Option<String>,
    writes: u64,
}

pub(super) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

impl World {
    /// A fresh object. Tokens are rotated after a day, and a superseded token lives for ten more minutes.
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
            revoke_issued_before: LeakTimes::default(),
            probe: true,
            verification_interval: Duration::ZERO,
            request_digest: "digest".to_owned(),
            by_hand: Instructions::default(),
            timings: Timings::derive(seconds(30), seconds(60), seconds(30), seconds(30)),
        };
        let seen = ServiceSeen { attributable: true, same_origin: true, trusted: true, by_hand: false };
        let observed = Observed {
            object: Object { generation: 1, created: now, ..Object::default() },
            secrets: Secrets::one(false, SecretState::Absent),
            service: Service { seen: Some(seen), ..Service::default() },
            ..Observed::default()
        };
        Self { desired, observed, now, tokens: Vec::new(), refused: None, writes: 0 }
    }

    /// An object at rest: attempt 1 verified and published, a day before its rotation.
    pub(super) fn at_rest() -> Self {
        let mut world = Self::new();
        world.walk(3600);
        world
    }

    /// Takes steps until there is nothing to do within `horizon` seconds from now, and returns them.
    pub(super) fn walk(&mut self, horizon: u64) -> Vec<String> {
        let end = self.now.plus(seconds(horizon));
        let mut steps = Vec::new();
        while steps.len() < MAX_STEPS {
            let step = self.next();
            match step {
                Step::Wait(Some(until)) if until <= end => {
                    steps.push(format!("Wait {}", until.since(self.now).as_secs()));
                    self.pass_until(until);
                }
                Step::Wait(_) | Step::Halt(_) => return steps,
                Step::Read | Step::Sweep | Step::Preflight => {
                    steps.push(phrase(&step));
                    self.look(&step);
                }
                _ => {
                    steps.push(phrase(&step));
                    self.perform(step);
                }
            }
        }
        steps
    }

    /// Takes steps up to and including the first with this phrase.
    pub(super) fn walk_to(&mut self, last: &str) {
        for _ in 0..MAX_STEPS {
            if self.step() == last {
                return;
            }
        }
    }

    /// Here every revoke has its turn at once.
    fn next(&mut self) -> Step {
        self.observed.facts.turn = true;
        next_step(&self.desired, &self.observed, self.now)
    }

    /// Takes one step, or waits. A wait without end ends after an hour.
    pub(super) fn step(&mut self) -> String {
        let step = self.next();
        let taken = phrase(&step);
        match step {
            Step::Wait(Some(until)) => self.pass_until(until),
            Step::Wait(None) | Step::Halt(_) => self.pass_until(self.now.plus(seconds(3600))),
            Step::Read | Step::Sweep | Step::Preflight => self.look(&step),
            _ => self.perform(step),
        }
        taken
    }

    /// The process crashes and another one starts.
    pub(super) fn crash(&mut self) {
        self.observed.in_flight = InFlight::Nothing;
        self.observed.facts.holds_previous = false;
        self.observed.facts.accepted = None;
        self.observed.service.swept = None;
        self.pass_until(self.now);
    }

    /// Begins a new pass at this time.
    pub(super) fn pass_until(&mut self, time: Time) {
        self.now = time;
        self.observed.secrets.seen[0].live = false;
        self.observed.service.listing = None;
        self.observed.facts.verdict = None;
        self.observed.facts.preflight = false;
    }

    /// The ids of the living tokens, and the id in the Secret.
    pub(super) fn state(&self) -> (Vec<&str>, Option<&str>) {
        let tokens = self.tokens.iter().map(|row| row.id.as_str()).collect();
        (tokens, self.observed.secrets.ours().next().and_then(|ours| ours.id.as_ref().map(TokenId::as_str)))
    }

    pub(super) fn hold(&mut self, attempt: u32, id: Option<TokenId>, fence: u32) {
        self.writes += 1;
        let content = if id.is_some() { Content::Token } else { Content::Empty };
        let ours = Ours { attempt, id, fence, content, rendered: true, content_hash: self.writes };
        self.observed.secrets.seen[0].state = SecretState::Ours(ours);
    }

    fn look(&mut self, step: &Step) {
        self.observed.secrets.seen[0].live = true;
        match step {
            Step::Sweep => {
                self.observed.service.listing = Some(self.tokens.clone());
                self.observed.service.swept = Some(self.now);
            }
            Step::Preflight => self.observed.facts.preflight = true,
            _ => {}
        }
    }
}
