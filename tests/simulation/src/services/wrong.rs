//! What can be wrong with a service for a while.

use std::time::Duration;

use crate::fate::Class;

/// An answer that a service gives to everything for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Its status.
    pub status: u16,
    /// The pause that it asks for.
    pub pause: Option<Pause>,
    /// Only one operation is concerned.
    pub only: Option<Class>,
    /// Only what is about one object.
    pub of: Option<usize>,
}

impl Outage {
    /// Everything gets this answer.
    pub fn all(status: u16) -> Self {
        Self { status, pause: None, only: None, of: None }
    }

    /// One operation does.
    pub fn only(class: Class, status: u16) -> Self {
        Self { only: Some(class), ..Self::all(status) }
    }
}

/// A pause that an answer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// How long.
    pub seconds: u32,
    /// By which header.
    pub by: Asks,
}

/// How an answer asks for a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// `Retry-After`, in seconds.
    RetryAfter,
    /// No request is left (`X-RateLimit-Remaining: 0`); `X-RateLimit-Reset` says after how many seconds there are some.
    Reset,
    /// The same, and it says when: in seconds since 1970.
    ResetTime,
}

/// What is odd about a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Odd {
    /// It is empty.
    Empty,
    /// Each second token is missing.
    Forgets,
    /// It has dead tokens, too.
    Dead,
    /// The service puts something before each name.
    Renamed,
    /// It comes in short pages.
    Short,
    /// The same, and each row comes twice.
    Doubles,
    /// It has rows of strangers in every form.
    Strange,
    /// Each id comes twice, under two names.
    TwoNames,
    /// Each page is the first one.
    Again,
    /// There is always a next page.
    Endless,
    /// The last page names a next one, which gets this status.
    NoNext(u16),
    /// A row has no id, or an empty one.
    NoId(bool),
}

/// All of them. What a list leaves out is what most rules are about.
pub const ODDITIES: [Odd; 17] = [
    Odd::Empty,
    Odd::Empty,
    Odd::Forgets,
    Odd::Forgets,
    Odd::Forgets,
    Odd::Dead,
    Odd::Renamed,
    Odd::Short,
    Odd::Doubles,
    Odd::Strange,
    Odd::TwoNames,
    Odd::Again,
    Odd::Endless,
    Odd::NoNext(404),
    Odd::NoNext(500),
    Odd::NoId(true),
    Odd::NoId(false),
];

impl Odd {
    /// Whether it has all that lives under its own name, however odd it looks.
    pub fn is_truthful(self) -> bool {
        matches!(self, Self::Short | Self::Doubles | Self::Strange)
    }

    /// Whether it has more pages than its rows need.
    pub fn has_short_pages(self) -> bool {
        matches!(self, Self::Short | Self::Doubles | Self::Again | Self::Endless | Self::NoNext(_))
    }
}

/// What is odd about the end that *generate* says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddEnd {
    /// It says none.
    Absent,
    /// What it says is no time.
    Unreadable,
    /// It says so many seconds from now, whatever is true.
    Says(i32),
    /// The token lives for so many seconds at most, and the answer says so.
    Shorter(u32),
}

/// Some of each.
pub const ENDS: [OddEnd; 12] = [
    OddEnd::Absent,
    OddEnd::Unreadable,
    OddEnd::Says(-3600),
    OddEnd::Says(0),
    OddEnd::Says(30),
    OddEnd::Says(200),
    OddEnd::Says(900),
    OddEnd::Says(365 * 86_400),
    OddEnd::Shorter(100),
    OddEnd::Shorter(200),
    OddEnd::Shorter(600),
    OddEnd::Shorter(3000),
];

/// A token is not replaced before it is so old: its replacement may take as long again.
const REPLACED_AFTER: u32 = 150;

/// One that lives no longer than that is replaced once an hour.
const SHORT_LIVED_PAUSE: u32 = 3600;

impl OddEnd {
    /// How long a token lives, as the answer says, where that is less than what was asked for.
    pub fn seconds(self) -> Option<u32> {
        match self {
            Self::Says(seconds) => u32::try_from(seconds).ok().filter(|seconds| (1..86_400).contains(seconds)),
            Self::Shorter(seconds) => Some(seconds),
            Self::Absent | Self::Unreadable => None,
        }
    }

    /// The most tokens of one object that follow each other because of it in so many seconds.
    pub fn tokens_within(self, seconds: u32) -> u32 {
        let each =
            |life: u32| if life <= REPLACED_AFTER { SHORT_LIVED_PAUSE } else { REPLACED_AFTER.max(life * 2 / 3) };
        // And one more once it is over.
        self.seconds().map_or(0, |life| seconds / each(life) + 2)
    }
}

/// A replica that does not know yet what happened a moment ago, while another one performs what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    /// By how much.
    pub by: Duration,
    /// Only one operation asks it.
    pub only: Option<Class>,
}
