//! The pretended world in as few bytes as possible: what stands at the API server, at the service, at a consumer, and in
//! the memory of each process.
//!
//! Tokens are numbered by their claims. A number that nothing refers to any more is taken again, and attempts are kept
//! only in their order (see `canonical`), so that the space is finite without a bound on how often things happen.
//! A resourceVersion is "unchanged since I read it"; a time is "over" or "not over yet".

use super::tokens::{Set, Token};

/// Token slots. Slot 0 belongs to the claim that the finalizer's patch is.
pub const SLOTS: usize = 6;
/// The most processes.
pub const PROCESSES: usize = 2;
/// Kinds of counted faults, see `setup::Fault`.
pub const FAULTS: usize = 21;

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

/// What stands in the ledger of a leak.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Leak {
    /// None was noticed.
    #[default]
    None,
    /// What was in use has no replacement yet.
    Open,
    Replaced,
}

/// What a person said of a leak: a token claimed before some time leaked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Alarm {
    #[default]
    None,
    /// The time is past: what was claimed when it was said.
    Past,
    /// The time is to come: what was claimed when it is noticed.
    Ahead,
}

/// The ledger. Counts, messages, history and the order of superseded tokens are left out: the decision does not look at
/// them, but for the highest attempt, which the newest claim keeps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Book {
    pub claim: Token,
    pub age: Age,
    pub fate: Fate,
    pub current: Token,
    pub rejected: bool,
    pub superseded: Set,
    /// Of `superseded`: the overlap is over.
    pub over: Set,
    /// Of `superseded`: never published.
    pub unpublished: Set,
    /// Of `superseded`: the Secret held it then.
    pub held: Set,
    pub lost: Set,
    /// Kept for nameless services only.
    pub possibly_lost: Set,
    pub leak: Leak,
    /// A twin's token.
    pub conflict: Token,
}

impl Book {
    pub const BLANK: Self = Self {
        claim: Token::NONE,
        age: Age::Young,
        fate: Fate::Open,
        current: Token::NONE,
        rejected: false,
        superseded: Set::EMPTY,
        over: Set::EMPTY,
        unpublished: Set::EMPTY,
        held: Set::EMPTY,
        lost: Set::EMPTY,
        possibly_lost: Set::EMPTY,
        leak: Leak::None,
        conflict: Token::NONE,
    };

    /// Tokens that stand in it as alive.
    pub fn known(&self) -> Set {
        self.superseded.with(self.current)
    }

    pub fn refers(&self) -> Set {
        self.superseded.and(self.lost).and(self.possibly_lost).with(self.claim).with(self.current).with(self.conflict)
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
    /// A person said that all tokens of this identity are this object's.
    pub confirmed: bool,
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
        confirmed: false,
        book: Book::BLANK,
    };
}

/// The Secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Secret {
    pub exists: bool,
    pub attempt: u8,
    pub id: Token,
    /// What the data is.
    pub data: Token,
    /// max(attempt, annotation `fence`).
    pub fence: u8,
    /// Somebody edited a label.
    pub touched: bool,
}

impl Secret {
    pub const ABSENT: Self =
        Self { exists: false, attempt: 0, id: Token::NONE, data: Token::NONE, fence: 0, touched: false };

    pub fn refers(&self) -> Set {
        Set::of(self.id).with(self.data)
    }
}

/// What a service said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Said {
    #[default]
    Nothing,
    Accepted,
    Refused,
}

/// What a process alone has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct InFlight {
    pub token: Token,
    /// *Generate* was answered.
    pub value: bool,
    /// Past the publish deadline.
    pub late: bool,
    /// Past its token settle time.
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

/// Where a process is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum At {
    /// Between two passes.
    #[default]
    Idle,
    /// In a pass, about to ask for the next step.
    Pass,
    /// *Generate* was sent.
    Asked,
    /// The service was listed, the Secret not read yet.
    Listed,
    /// A revoke is proved and not recorded yet.
    Revoked,
}

/// A process: its place, its snapshots, its memory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Process {
    pub at: At,
    pub target: Token,
    pub object: Object,
    /// The object is unchanged since.
    pub object_fresh: bool,
    pub secret: Secret,
    /// The Secret is unchanged since.
    pub secret_fresh: bool,
    pub live: bool,
    pub preflight: bool,
    pub verdict: Said,
    pub listed: bool,
    pub listing: Set,
    /// The service was listed for lost claims not long ago.
    pub swept: bool,
    /// The sweep of the service saw a token that the ledger does not know.
    pub suspects: bool,
    /// The current token is to be verified again.
    pub due: bool,
    /// The token whose value is in memory, beside the one in flight.
    pub remembered: Token,
    pub in_flight: InFlight,
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
        due: false,
        remembered: Token::NONE,
        in_flight: InFlight::EMPTY,
    };

    /// The end of a pass: the snapshots go, the memory stays.
    pub fn end_pass(&mut self) {
        let Self { swept, suspects, due, remembered, in_flight, .. } = *self;
        *self = Self { swept, suspects, due, remembered, in_flight, ..Self::IDLE };
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

/// What is so of tokens, whoever knows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Facts {
    /// The attempt of each slot's claim.
    pub attempts: [u8; SLOTS + 1],
    /// Claimed before the leak.
    pub leaked: Set,
    /// Another cluster's, under this object's identity.
    pub of_other_cluster: Set,
}

impl Facts {
    pub const NONE: Self = Self { attempts: [0; SLOTS + 1], leaked: Set::EMPTY, of_other_cluster: Set::EMPTY };

    pub fn attempt(&self, token: Token) -> u8 {
        if token == Token::FIRST { 1 } else { self.attempts.get(usize::from(token.0)).copied().unwrap_or(0) }
    }
}

/// Everything.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct State {
    pub object: Object,
    pub secret: Secret,
    /// At the service: alive.
    pub alive: Set,
    /// At the service: requests that are under way. They have neither landed nor been dropped.
    pub requests: Set,
    /// A revoke was sent.
    pub ended: Set,
    /// Claims for which *generate* was sent.
    pub asked: Set,
    /// Claims that were durable once.
    pub claimed: Set,
    /// A write of the Secret that was sent, whose answer is lost, and that lands if the Secret is unchanged.
    pub armed: Secret,
    /// ... and that is a create: it lands whenever there is no Secret.
    pub creates: bool,
    /// What consumers may hold: all that was ever in the Secret, but for what an overlap passed by since it left.
    pub holders: Set,
    pub facts: Facts,
    pub processes: [Process; PROCESSES],
    /// What may still go wrong.
    pub budget: [u8; FAULTS],
}

impl State {
    pub fn attempt(&self, token: Token) -> u8 {
        self.facts.attempt(token)
    }

    /// What lives under this object's identity, but for twins' tokens.
    pub fn own_alive(&self) -> Set {
        self.alive.without(Token::STRANGER).but(self.facts.of_other_cluster)
    }

    /// The object changed: nobody's snapshot is fresh.
    pub fn object_changed(&mut self) {
        for process in &mut self.processes {
            process.object_fresh = false;
        }
    }

    /// The Secret changes: nobody's snapshot is fresh, nothing that was sent lands, and a consumer has it at once.
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
        }
    }

    /// What the Secret is once this token is published into it.
    pub fn published(&self, token: Token) -> Secret {
        let attempt = self.attempt(token);
        Secret { exists: true, attempt, id: token, data: token, fence: attempt, touched: false }
    }
}
