//! What hands write into annotations that they should leave alone.

/// A mark of the operator on a Secret, and what a hand writes there. Anybody who may edit the Secret can do that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The Secret belonged to an object of this name that is gone.
    Former,
    /// It holds the token of this attempt.
    Attempt(u32),
    /// No attempt up to this one may be published.
    Fence(u32),
    /// It holds the token of a stranger.
    StrangersId,
    /// It holds the token that the Secret of this object holds.
    IdOf(usize),
    /// That token, and one of a stranger, were replaced by what it holds.
    Superseded(usize),
    /// Nothing stands there any more of what it holds.
    Unmarked,
    /// The template asked for other keys.
    Applied,
}

/// Marks of each kind, as often as a life draws them; a number stands for another object.
pub fn marks(other: usize) -> [Mark; 14] {
    [
        Mark::Former,
        Mark::Former,
        Mark::Attempt(0),
        Mark::Attempt(1),
        Mark::Attempt(50),
        Mark::Attempt(2_000_000_000),
        Mark::Fence(0),
        Mark::Fence(60),
        Mark::Fence(2_000_000_000),
        Mark::StrangersId,
        Mark::IdOf(other),
        Mark::Superseded(other),
        Mark::Unmarked,
        Mark::Applied,
    ]
}

/// What a hand writes into an annotation by which people ask the operator for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// What another object has there.
    CopiedFrom(usize),
    /// An empty text.
    Empty,
    /// A long text that is no time.
    Garbage,
    /// Nothing: the annotation goes.
    Gone,
}

/// The annotations of objects by which people ask for something that does no harm. `skip-revocation` is not among them: it lets tokens go.
pub const REQUESTS: [&str; 3] = ["rotate-requested-at", "reconcile-requested-at", "confirm-identity"];
