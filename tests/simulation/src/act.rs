//! What people, machines and services do in a life.

use crate::objects;

/// One deed. A number stands for an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// The object is created, also once more after its deletion.
    Create(usize),
    /// A new token is requested.
    Rotate(usize),
    /// A pass is requested.
    Reconcile(usize),
    /// The object is deleted.
    Delete(usize),
    /// `kubectl delete --all`.
    DeleteAll,
    /// `spec.suspend` is set.
    Suspend(usize, bool),
    /// The token is asked for with other parameters.
    EditScopes(usize),
    /// All tokens of the object until now are declared as leaked.
    Leak(usize),
    /// All tokens of the service until now are declared as leaked.
    LeakAll,
    /// The same with a time that lies a month ahead: of an object, or of the service.
    LeakAhead(Option<usize>),
    /// Its Secret is deleted.
    DeleteSecret(usize),
    /// Somebody writes another value into its Secret.
    EditSecret(usize),
    /// For so many seconds another controller wants to have something else in its Secret: in the key of the token, or in one beside it.
    Fight(usize, bool, u32),
    /// A tool copies its Secret, marks and all, to another name.
    CopySecret(usize),
    /// Somebody else has a Secret of its name, before it is created.
    Squat(usize),
    /// Somebody puts the marks of another object's Secret on its Secret.
    Forge(usize, usize),
    /// `kubectl replace` of a file without finalizers.
    Strip(usize),
    /// The credential's Secret gets another version with the same value.
    TouchCredential,
    /// The credential is wrong for so many seconds.
    WrongCredential(u32),
    /// The service object allows so many requests a minute.
    Limit(u32),
    /// The service refuses all tokens for so many seconds; the operator's own account works.
    RefuseTokens(u32),
    /// A person ends the token of the object at the service.
    EndToken(usize),
    /// From now on the service gives the id of the newest token again once that is gone.
    ReuseIds,
    /// A stranger makes a token at the service.
    Stranger,
    /// The service answers everything with this status for so many seconds.
    Outage(u16, u32),
    /// The same for one operation: *list*.
    ListFails(u16, u32),
    /// The same with `Retry-After`: status, pause, seconds.
    Throttle(u16, u32, u32),
    /// From now on *generate* takes so many seconds.
    SlowGenerate(u64),
    /// kill -9.
    Kill,
    /// A second operator runs for so many seconds.
    Second(u32),
    /// All watches break.
    BreakWatches,
    /// All watches break, and begin with 410.
    Compact,
    /// Watches lag by so many seconds: lag, for how long.
    Lag(u32, u32),
    /// The API server's clock jumps.
    ClockStep(i64),
    /// The machines of all operators are suspended for so many seconds: their monotonic clocks stand still, and the world goes on.
    Sleep(u32),
}

/// The kinds of what a random life draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Kind {
    Rotate,
    Reconcile,
    Delete,
    Recreate,
    Suspend,
    EditScopes,
    Leak,
    LeakAll,
    LeakAhead,
    DeleteSecret,
    EditSecret,
    Fight,
    CopySecret,
    Squat,
    Forge,
    Strip,
    TouchCredential,
    WrongCredential,
    Limit,
    RefuseTokens,
    EndToken,
    ReuseIds,
    Stranger,
    Outage,
    ListFails,
    Throttle,
    SlowGenerate,
    Kill,
    Second,
    BreakWatches,
    Compact,
    Lag,
    ClockStep,
    Sleep,
    /// A fault of single calls ([`crate::fate::Fault`]).
    Fault,
}

/// All kinds.
pub const KINDS: [Kind; 35] = [
    Kind::Rotate,
    Kind::Reconcile,
    Kind::Delete,
    Kind::Recreate,
    Kind::Suspend,
    Kind::EditScopes,
    Kind::Leak,
    Kind::LeakAll,
    Kind::LeakAhead,
    Kind::DeleteSecret,
    Kind::EditSecret,
    Kind::Fight,
    Kind::CopySecret,
    Kind::Squat,
    Kind::Forge,
    Kind::Strip,
    Kind::TouchCredential,
    Kind::WrongCredential,
    Kind::Limit,
    Kind::RefuseTokens,
    Kind::EndToken,
    Kind::ReuseIds,
    Kind::Stranger,
    Kind::Outage,
    Kind::ListFails,
    Kind::Throttle,
    Kind::SlowGenerate,
    Kind::Kill,
    Kind::Second,
    Kind::BreakWatches,
    Kind::Compact,
    Kind::Lag,
    Kind::ClockStep,
    Kind::Sleep,
    Kind::Fault,
];

impl Act {
    /// One of a kind; `None` for kinds that are no acts.
    pub fn draw(kind: Kind, random: &mut fastrand::Rng, tokens: usize) -> Option<Self> {
        let one = random.usize(0..tokens);
        let seconds = random.u32(5..3000);
        Some(match kind {
            Kind::Rotate => Self::Rotate(one),
            Kind::Reconcile => Self::Reconcile(one),
            Kind::Delete if random.u8(0..4) == 0 => Self::DeleteAll,
            Kind::Delete => Self::Delete(one),
            Kind::Recreate => Self::Create(one),
            Kind::Suspend => Self::Suspend(one, random.bool()),
            Kind::EditScopes => Self::EditScopes(one),
            Kind::Leak => Self::Leak(one),
            Kind::LeakAll => Self::LeakAll,
            Kind::LeakAhead => Self::LeakAhead(random.bool().then_some(one)),
            Kind::DeleteSecret => Self::DeleteSecret(one),
            Kind::EditSecret => Self::EditSecret(one),
            Kind::Fight => Self::Fight(one, random.bool(), seconds),
            Kind::CopySecret => Self::CopySecret(one),
            Kind::Squat => Self::Squat(one),
            Kind::Forge => Self::Forge(one, random.usize(0..tokens)),
            Kind::Strip => Self::Strip(one),
            Kind::TouchCredential => Self::TouchCredential,
            Kind::WrongCredential => Self::WrongCredential(seconds),
            Kind::Limit => Self::Limit(pick(random, &[30, 60, 600])),
            Kind::RefuseTokens => Self::RefuseTokens(seconds),
            Kind::EndToken => Self::EndToken(one),
            Kind::ReuseIds => Self::ReuseIds,
            Kind::Stranger => Self::Stranger,
            Kind::Outage => Self::Outage(pick(random, &[401, 403, 500, 503]), seconds),
            Kind::ListFails => Self::ListFails(pick(random, &[403, 500]), seconds),
            Kind::Throttle => {
                Self::Throttle(pick(random, &[403, 429, 503]), pick(random, &[1, 30, 600]), seconds.min(900))
            }
            Kind::SlowGenerate => Self::SlowGenerate(random.u64(1..90)),
            Kind::Kill => Self::Kill,
            Kind::Second => Self::Second(seconds.max(30)),
            Kind::BreakWatches => Self::BreakWatches,
            Kind::Compact => Self::Compact,
            Kind::Lag => Self::Lag(pick(random, &[1, 5, 20]), seconds),
            Kind::ClockStep => Self::ClockStep(pick(random, &[-3600, -30, 30, 3600])),
            Kind::Sleep => Self::Sleep(pick(random, &[60, 3600, 30_000])),
            Kind::Fault => return None,
        })
    }

    /// Whether a service, or the way to it, does not work meanwhile.
    pub fn fails_service(self) -> bool {
        matches!(
            self,
            Self::WrongCredential(_)
                | Self::RefuseTokens(_)
                | Self::Outage(..)
                | Self::ListFails(..)
                | Self::Throttle(..)
                | Self::SlowGenerate(_)
        )
    }

    /// For people.
    pub fn story(self) -> String {
        match self {
            Self::Create(one) => format!("create {}", objects::name_of(one)),
            act => format!("{act:?}"),
        }
    }
}

/// One of some.
pub fn pick<T: Copy>(random: &mut fastrand::Rng, from: &[T]) -> T {
    from[random.usize(0..from.len())]
}
