//! What this process heard of one service: the calls of its clients, and what follows from them.

use crate::api::condition::Condition;
use crate::api::time::Time;
use crate::rotation::desired::Halt;
use crate::rotation::service_health::{Health, Trouble};
use crate::service::client::heard::Heard;
use crate::service::declaration::Declaration;

/// What this process heard of one service.
#[derive(Debug, Default)]
pub(super) struct Listening {
    /// Where the clients of the service note what they hear.
    pub(super) heard: Heard,
    /// How often in a row the service answered with a definite no to a check.
    pub(super) refusals: u32,
    health: Health,
    /// What followed the last time.
    last: Outlook,
}

/// What follows from the health of a service for its check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Outlook {
    trouble: Option<Trouble>,
    ask_at: Option<Time>,
}

impl Listening {
    /// Takes what the clients heard. Returns whether that changes what is to be told or asked.
    pub(super) fn listen(&mut self, now: Time) -> bool {
        for call in self.heard.take() {
            self.health.hear(call.operation, call.outcome, now.minus(call.took), now);
        }
        let outlook = Outlook { trouble: self.health.trouble(now), ask_at: self.health.ask_at(now) };
        std::mem::replace(&mut self.last, outlook.clone()) != outlook
    }

    /// Takes over what the status tells.
    pub(super) fn read(&mut self, told: &[Condition], declaration: Option<&Declaration>, now: Time) {
        self.health.read(told, now);
        if let Some(declaration) = declaration {
            self.health.forget_all_but(|operation| declaration.has(operation));
        }
    }

    /// When the service is to be asked because of a suspicion.
    pub(super) fn ask_at(&self) -> Option<Time> {
        self.last.ask_at
    }

    /// Counts a question that a suspicion led to.
    pub(super) fn asked(&mut self, now: Time) {
        self.health.asked(now);
    }

    /// What is to be told.
    pub(super) fn trouble(&self, now: Time) -> Option<Halt> {
        self.health.trouble(now).map(|trouble| trouble.halt())
    }

    /// When time alone changes that.
    pub(super) fn changes_at(&self, now: Time) -> Option<Time> {
        self.health.changes_at(now)
    }
}
