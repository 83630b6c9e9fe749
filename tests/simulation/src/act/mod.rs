//! What people, machines and services do in a life.

mod about;
mod ban;
mod kind;
mod mark;

pub use about::About;
pub use ban::{BANS, Ban};
pub use kind::{KINDS, Kind};
pub use mark::{Mark, Note, REQUESTS, marks};

use crate::api_server::{Backup, Trouble};
use crate::fate::Class;
use crate::objects;
use crate::services::{Odd, OddEnd, Pause};

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
    /// The object is deleted with the policy `Orphan`: its tokens and its Secret stay.
    LetGo(usize),
    /// `spec.suspend` is set.
    Suspend(usize, bool),
    /// The token is asked for with other parameters.
    EditScopes(usize),
    /// Its rotation is due each so many hours, or on request only with 0.
    EditInterval(usize, u32),
    /// So many seconds of overlap.
    EditOverlap(usize, u32),
    /// A lifetime of so many hours, or for ever with 0.
    EditLifetime(usize, u32),
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
    /// The same to another namespace, under the same name.
    CopyAbroad(usize),
    /// `kubectl apply` of its Secret as it was so many seconds ago, marks and all.
    RestoreSecret(usize, u32),
    /// Its Secret gets `immutable: true`.
    Immutable(usize),
    /// Somebody else has a Secret of its name, before it is created.
    Squat(usize),
    /// Somebody puts the marks of another object's Secret on its Secret.
    Forge(usize, usize),
    /// Somebody writes a mark of the operator on its Secret.
    Mark(usize, Mark),
    /// Somebody writes into the annotation of this number by which people ask for something.
    Note(usize, usize, Note),
    /// Somebody writes something else than `true` into `skip-revocation`.
    SkipNot(usize),
    /// `kubectl replace` of a file without finalizers.
    Strip(usize),
    /// The credential's Secret gets another version with the same value.
    TouchCredential,
    /// The credential is wrong for so many seconds.
    WrongCredential(u32),
    /// The credential is that of another account for so many seconds: its list has none of our tokens.
    OtherAccount(u32),
    /// The service object is deleted, and so many seconds later created again.
    RemakeService(u32),
    /// The service object allows so many requests a minute.
    Limit(u32),
    /// For so many seconds the service object forbids something.
    Forbid(Ban, u32),
    /// The service refuses all tokens for so many seconds; the operator's own account works.
    RefuseTokens(u32),
    /// A person ends the token of the object at the service.
    EndToken(usize),
    /// From now on the service gives the id of the newest token again once that is gone.
    ReuseIds,
    /// From now on the service gives a token itself as its id, which is a fault of the declaration that only a person can mend.
    TokensAsIds,
    /// A stranger makes a token at the service.
    Stranger,
    /// Somebody hands over something for the object, whether or not anything is due.
    HandOver(usize, Offered),
    /// The service answers everything with this status for so many seconds.
    Outage(u16, u32),
    /// The same for one operation: *list*.
    ListFails(u16, u32),
    /// The same for another one.
    OneFails(Class, u16, u32),
    /// The list is odd for so many seconds.
    OddList(Odd, u32),
    /// From now on the first page of the list is empty, and names a next one.
    EmptyPages,
    /// Everything, or one operation, is answered with this status, which asks for a pause: operation, status, pause, seconds.
    Throttle(Option<Class>, u16, Pause, u32),
    /// From now on *generate* takes so many seconds.
    SlowGenerate(u32),
    /// One operation is answered with this status, for one object only: object, operation, status, seconds.
    FailsFor(usize, Class, u16, u32),
    /// For so many seconds the ends that the service says for new tokens are odd.
    OddEnd(OddEnd, u32),
    /// *verify* and *list*, or one of them, answer from a replica that is behind: operation, by how many seconds, for how long.
    Behind(Option<Class>, u32, u32),
    /// kill -9.
    Kill,
    /// A second operator runs for so many seconds.
    Second(u32),
    /// Nothing of the process that holds the Lease goes out or comes in for so many seconds; then what waited goes on.
    HoldLeader(u32),
    /// Somebody deletes the Lease.
    DeleteLease,
    /// Somebody else writes itself into the Lease.
    TakeLease,
    /// All watches break.
    BreakWatches,
    /// All watches break, and begin with 410.
    Compact,
    /// Watches lag by so many seconds: lag, for how long.
    Lag(u32, u32),
    /// The API server refuses something for so many seconds, or is not there.
    Api(Trouble, u32),
    /// The API server's store goes back to what it was so many seconds ago.
    Restore(Backup, u32),
    /// The API server's clock jumps.
    ClockStep(i64),
    /// The machines of all operators are suspended for so many seconds: their monotonic clocks stand still, and the world goes on.
    Sleep(u32),
}

/// What somebody hands over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// A new token.
    New,
    /// A value that no service has issued.
    Strange,
    /// The token that the Secret holds.
    Current,
    /// Nothing: the Secret has another key.
    Nothing,
}

/// All that is handed over.
pub const OFFERS: [Offered; 4] = [Offered::New, Offered::Strange, Offered::Current, Offered::Nothing];

impl Act {
    /// Whether a service, or the way to it, does not work meanwhile.
    pub fn fails_service(self) -> bool {
        let lies = matches!(self, Self::OddList(odd, _) if !odd.is_truthful());
        lies || matches!(
            self,
            Self::WrongCredential(_)
                | Self::OtherAccount(_)
                | Self::RemakeService(_)
                | Self::RefuseTokens(_)
                | Self::Outage(..)
                | Self::ListFails(..)
                | Self::OneFails(..)
                | Self::Throttle(..)
                | Self::SlowGenerate(_)
                | Self::FailsFor(..)
                | Self::Behind(..)
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
