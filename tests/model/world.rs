//! The model world in as few bytes as possible: the state of the API server, the service, a consumer, and the memory of each process.
//!
//! Tokens are numbered by their claims. A number that nothing refers to any more is reused, and only the order of attempts is kept (see
//! `canonical`). So the space is finite although things may happen any number of times. A resourceVersion is "unchanged since I read
//! it"; a time is "over" or "not over yet".

use super::hand::{Deals, Hand, Hands};
use super::tokens::{Set, Token};

/// Token slots. Slot 0 belongs to the finalizer's claim.
pub const SLOTS: usize = 6;
/// The maximum number of processes.
pub const PROCESSES: usize = 2;
/// Kinds of counted faults, see `setup::Fault`.
pub const FAULTS: usize = 32;

/// How old the newest claim is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Age {
    #[default]
    Young,
    /// Past its publish deadline.
    Late,
    /// Past its settle time.
    Settled,
}

/// The outcome of the newest claim.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Fate {
    #[default]
    Open,
    Verified,
    Failed,
}

/// What the ledger says about a leak.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Leak {
    /// No leak is recorded.
    #[default]
    None,
    /// The token that was in use has no replacement yet.
    Open,
    Replaced,
}

/// What a person said about a leak: tokens claimed before some time leaked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Alarm {
    #[default]
    None,
    /// The time is past: the leak covers what was claimed when the person said so.
    Past,
    /// The time is in the future: the leak covers what was claimed when it is recorded.
    Ahead,
    /// After that was noticed, a past time in the other of the two places where it may stand.
    AheadThenPast,
}

/// The ledger without counts, messages and the order of superseded tokens. The decision does not look at these, except for
/// the highest attempt, which the newest claim keeps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Book {
    pub claim: Token,
    pub age: Age,
    pub fate: Fate,
    pub current: Token,
    pub rejected: bool,
    /// The claim answers the request of a person. Kept where people make the tokens.
    pub answers: bool,
    /// Those of the claim, the current and the superseded tokens that were handed over.
    pub handed: Set,
    pub superseded: Set,
    /// Those of `superseded` whose overlap is over.
    pub over: Set,
    /// Those of `superseded` that were never published.
    pub unpublished: Set,
    /// Those of `superseded` that the Secret held at that time.
    pub held: Set,
    pub lost: Set,
    /// Tokens that were revoked and proved dead, as long as anything else refers to them.
    pub history: Set,
    /// Kept for nameless services only.
    pub possibly_lost: Set,
    pub leak: Leak,
    /// The leak of the second place is recorded, too.
    pub second_leak: bool,
    /// A token of another cluster.
    pub conflict: Token,
    /// The token in the Secret that the former object left behind, as long as consumers may hold it.
    pub replaced: Token,
    /// Its replacement is verified, so that its overlap runs.
    pub replacing: bool,
}

impl Book {
    pub const BLANK: Self = Self {
        claim: Token::NONE,
        age: Age::Young,
        fate: Fate::Open,
        current: Token::NONE,
        rejected: false,
        answers: false,
        handed: Set::EMPTY,
        superseded: Set::EMPTY,
        over: Set::EMPTY,
        unpublished: Set::EMPTY,
        held: Set::EMPTY,
        lost: Set::EMPTY,
        history: Set::EMPTY,
        possibly_lost: Set::EMPTY,
        leak: Leak::None,
        second_leak: false,
        conflict: Token::NONE,
        replaced: Token::NONE,
        replacing: false,
    };

    /// The tokens that it lists as living.
    pub fn known(&self) -> Set {
        self.superseded.with(self.current)
    }

    pub fn refers(&self) -> Set {
        let sets = self.superseded.and(self.lost).and(self.possibly_lost);
        sets.with(self.claim).with(self.current).with(self.conflict).with(self.replaced)
    }
}

/// The custom resource.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Object {
    pub exists: bool,
    pub deleting: bool,
    pub finalizer: bool,
    /// The rotation annotation differs from what the ledger says was handled.
    pub requested: bool,
    /// Created longer ago than any settle time.
    pub old: bool,
    pub alarm: Alarm,
    /// `spec.suspend`, which stands for all that can forbid a new token.
    pub suspended: bool,
    /// A person confirmed that all tokens of this identity belong to this object.
    pub confirmed: bool,
    /// It took the name of an object that is gone, and no process has written its status yet.
    pub unseen: bool,
    pub book: Book,
}

impl Object {
    pub const GONE: Self = Self {
        exists: false,
        deleting: false,
        finalizer: false,
        requested: false,
        old: false,
        alarm: Alarm::None,
        suspended: false,
        confirmed: false,
        unseen: false,
        book: Book::BLANK,
    };
}

/// The Secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Secret {
    pub exists: bool,
    pub attempt: u8,
    pub id: Token,
    /// The token in the data.
    pub data: Token,
    /// max(attempt, annotation `fence`).
    pub fence: u8,
    /// Somebody edited a label.
    pub touched: bool,
    /// It names the former object as its owner.
    pub former: bool,
}

impl Secret {
    pub const ABSENT: Self =
        Self { exists: false, attempt: 0, id: Token::NONE, data: Token::NONE, fence: 0, touched: false, former: false };

    pub fn refers(&self) -> Set {
        Set::of(self.id).with(self.data)
    }
}

/// What the service said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Said {
    #[default]
    Nothing,
    Accepted,
    Refused,
}

/// The attempt that only this process has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct InFlight {
    pub token: Token,
    /// The service answered *generate*.
    pub value: bool,
    /// The publish deadline has passed.
    pub late: bool,
    /// The token settle time has passed.
    pub settled: bool,
    pub trial: Said,
    pub expected: Secret,
    pub sent: bool,
}

impl InFlight {
    pub const EMPTY: Self = Self {
        token: Token::NONE,
        value: false,
        late: false,
        settled: false,
        trial: Said::Nothing,
        expected: Secret::ABSENT,
        sent: false,
    };
}

/// The place of a process in its pass.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum At {
    /// Between two passes.
    #[default]
    Idle,
    /// In a pass, about to ask for the next step.
    Pass,
    /// *Generate* was sent.
    Asked,
    /// It listed the service and has not read the Secret yet.
    Listed,
    /// It proved a revoke and has not recorded it yet.
    Revoked,
}

/// A process: its place, its snapshots, its memory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Process {
    pub at: At,
    pub target: Token,
    pub object: Object,
    /// The object is unchanged since this process read it.
    pub object_fresh: bool,
    pub secret: Secret,
    /// The Secret is unchanged since this process read it.
    pub secret_fresh: bool,
    pub live: bool,
    pub preflight: bool,
    pub verdict: Said,
    pub listed: bool,
    pub listing: Set,
    /// It recently listed the service for lost claims.
    pub swept: bool,
    /// The sweep of the service saw a token that is not in the ledger.
    pub suspects: bool,
    /// A list failed a moment ago.
    pub list_pause: bool,
    /// The verification of the current token is due.
    pub due: bool,
    /// The token whose value is in memory, beside the one in flight.
    pub remembered: Token,
    pub in_flight: InFlight,
    pub hands: Hands,
}

impl Process {
    pub const IDLE: Self = Self {
        at: At::Idle,
        target: Token::NONE,
        object: Object::GONE,
        object_fresh: false,
        secret: Secret::ABSENT,
        secret_fresh: false,
        live: false,
        preflight: false,
        verdict: Said::Nothing,
        listed: false,
        listing: Set::EMPTY,
        swept: false,
        suspects: false,
        list_pause: false,
        due: false,
        remembered: Token::NONE,
        in_flight: InFlight::EMPTY,
        hands: Hands::NONE,
    };

    /// Ends the pass: drops the snapshots and keeps the memory.
    pub fn end_pass(&mut self) {
        let Self { swept, suspects, list_pause, due, remembered, in_flight, hands, .. } = *self;
        let hands = hands.after_pass();
        *self = Self { swept, suspects, list_pause, due, remembered, in_flight, hands, ..Self::IDLE };
    }

    pub fn refers(&self) -> Set {
        self.object
            .book
            .refers()
            .and(self.secret.refers())
            .and(self.listing)
            .and(self.in_flight.expected.refers())
            .with(self.target)
            .with(self.in_flight.token)
    }
}

/// Facts about tokens, whether or not anybody knows them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Facts {
    /// The attempt of each slot's claim.
    pub attempts: [u8; SLOTS + 1],
    /// Tokens claimed before the leak.
    pub leaked: Set,
    /// Tokens of another cluster under this object's identity.
    pub of_other_cluster: Set,
    /// Tokens of the object that had the same name before this one.
    pub former: Set,
    /// The service refuses everybody.
    pub doubt: bool,
    pub deals: Deals,
}

impl Facts {
    pub const NONE: Self = Self {
        attempts: [0; SLOTS + 1],
        leaked: Set::EMPTY,
        of_other_cluster: Set::EMPTY,
        former: Set::EMPTY,
        doubt: false,
        deals: Deals::NONE,
    };

    pub fn attempt(&self, token: Token) -> u8 {
        if token == Token::FIRST { 1 } else { self.attempts.get(usize::from(token.0)).copied().unwrap_or(0) }
    }
}

/// The place of the service's sweep.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum SweepAt {
    #[default]
    Idle,
    /// It listed the service and has not read the objects yet.
    Listed,
    /// It read the objects, and revokes what has had no owner for long enough.
    Revoking,
}

/// The sweep of the whole service, and what the service object's status says of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Sweep {
    pub at: SweepAt,
    /// The tokens that it listed, or is about to revoke.
    pub rows: Set,
    /// Tokens without an owner, as recorded.
    pub orphans: Set,
    /// Those of `orphans` that were recorded longer ago than any overlap and any deadline.
    pub over: Set,
    /// Those of `orphans` that the Secret of a living object held since then, so that a consumer may have read them much later.
    pub held: Set,
}

/// The whole state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct State {
    pub object: Object,
    pub secret: Secret,
    /// Tokens that live at the service. Where people make them, this follows from `hand`.
    pub alive: Set,
    /// Requests on their way to the service: neither landed nor dropped yet.
    pub requests: Set,
    /// Tokens for which a revoke was sent, or which a person revoked as the object asked. The latter follow from `hand`.
    pub ended: Set,
    /// Claims for which *generate* was sent.
    pub asked: Set,
    /// Claims that were durable once.
    pub claimed: Set,
    /// A write of the Secret that was sent and whose answer is lost. It lands if the Secret is unchanged.
    pub armed: Secret,
    /// Whether `armed` is a create, which lands whenever there is no Secret.
    pub creates: bool,
    /// The tokens that consumers may hold: all that were ever in the Secret, except those that left it more than an overlap ago.
    pub holders: Set,
    pub facts: Facts,
    pub processes: [Process; PROCESSES],
    pub sweep: Sweep,
    pub hand: Hand,
    /// The service's list does not come.
    pub list_fails: bool,
    /// What may still go wrong.
    pub budget: [u8; FAULTS],
}

impl State {
    pub fn attempt(&self, token: Token) -> u8 {
        self.facts.attempt(token)
    }

    /// The tokens that live under this object's identity, without those of other clusters.
    pub fn own_alive(&self) -> Set {
        self.alive.without(Token::STRANGER).but(self.facts.of_other_cluster)
    }

    /// Those of them that this object generated, and not the former one of its name.
    pub fn of_this_object(&self) -> Set {
        self.own_alive().but(self.facts.former)
    }

    /// The object changed, so that no snapshot of it is fresh.
    pub fn object_changed(&mut self) {
        for process in &mut self.processes {
            process.object_fresh = false;
        }
    }

    /// Changes the Secret. No snapshot of it is fresh then, no write sent before lands, and a consumer has the new token at once.
    pub fn write_secret(&mut self, secret: Secret) {
        for process in &mut self.processes {
            process.secret_fresh = false;
        }
        if !self.creates {
            self.armed = Secret::ABSENT;
        }
        self.secret = secret;
        if secret.data.own() {
            self.holders = self.holders.with(secret.data);
            self.hand.taken = self.hand.taken.with(self.facts.deals.value(secret.data));
            if self.object.exists {
                self.sweep.held = self.sweep.held.and(self.sweep.orphans.both(Set::of(secret.data)));
            }
        }
    }

    /// The Secret after this token is published into it.
    pub fn published(&self, token: Token) -> Secret {
        let attempt = self.attempt(token);
        Secret { exists: true, attempt, id: token, data: token, fence: attempt, ..Secret::ABSENT }
    }
}
