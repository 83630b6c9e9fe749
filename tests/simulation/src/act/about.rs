//! What an act is about, and what it holds up.

use std::time::Duration;

use super::Act;
use crate::layout::Layout;
use crate::services::Odd;

/// After something failed, the next try comes within an hour (S7), and takes some minutes.
const NEXT_TRY: u32 = 3600 + 600;

/// A step of the work on one token, with all that it waits for.
const WORK: u32 = 600;

/// A second correction of one Secret waits longer, up to an hour, unless there was none for as long (P24).
const ROW: u32 = 2 * 3600;

/// A token of a shorter life is replaced so often that its overlaps come together.
const SHORT: u32 = 600;

/// What an act is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// One object.
    One(usize),
    /// All objects.
    All,
    /// Those of the first service.
    Service,
    /// None of them.
    Nothing,
}

impl About {
    /// Whether that is about this object, too.
    pub fn concerns(self, index: usize, layout: Layout) -> bool {
        let of_service = self == Self::Service && layout.site(index) == layout.first();
        of_service || self == Self::All || self == Self::One(index)
    }
}

impl Act {
    /// What it is about.
    pub fn about(self) -> About {
        match self {
            Self::Create(one)
            | Self::Rotate(one)
            | Self::Reconcile(one)
            | Self::Delete(one)
            | Self::LetGo(one)
            | Self::Suspend(one, _)
            | Self::EditScopes(one)
            | Self::EditInterval(one, _)
            | Self::EditOverlap(one, _)
            | Self::EditLifetime(one, _)
            | Self::Leak(one)
            | Self::LeakAhead(Some(one))
            | Self::DeleteSecret(one)
            | Self::EditSecret(one)
            | Self::Fight(one, ..)
            | Self::CopySecret(one)
            | Self::CopyAbroad(one)
            | Self::RestoreSecret(one, _)
            | Self::Immutable(one)
            | Self::Squat(one)
            | Self::Forge(one, _)
            | Self::Strip(one)
            | Self::Mark(one, _)
            | Self::Note(one, ..)
            | Self::SkipNot(one)
            | Self::FailsFor(one, ..)
            | Self::HandOver(one, _)
            | Self::EndToken(one) => About::One(one),
            Self::TouchCredential | Self::Stranger | Self::ReuseIds | Self::EmptyPages => About::Nothing,
            Self::LeakAll | Self::LeakAhead(None) | Self::Limit(_) | Self::Forbid(..) | Self::TokensAsIds => {
                About::Service
            }
            // A service, or the way to it.
            Self::OddList(..) | Self::OddEnd(..) => About::Service,
            act if act.fails_service() => About::Service,
            _ => About::All,
        }
    }

    /// Whether a token may be due because of it, besides one that a rotation or a lifetime asks for.
    pub fn wants_a_token(self) -> bool {
        !matches!(
            self,
            Self::Reconcile(_)
                | Self::Delete(_)
                | Self::DeleteAll
                | Self::LetGo(_)
                | Self::Forbid(..)
                | Self::EditOverlap(..)
                | Self::CopySecret(_)
                | Self::CopyAbroad(_)
                | Self::TouchCredential
                | Self::Stranger
                | Self::HandOver(..)
                | Self::EmptyPages
                | Self::SkipNot(_)
                | Self::BreakWatches
                | Self::Compact
                | Self::Lag(..)
                | Self::Limit(_)
                | Self::Throttle(..)
                | Self::Outage(..)
                | Self::ListFails(..)
                | Self::OneFails(..)
                | Self::SlowGenerate(_)
                | Self::Behind(..)
                | Self::FailsFor(..)
                | Self::RefuseTokens(_)
                | Self::WrongCredential(_)
                | Self::Kill
                | Self::Second(_)
                | Self::HoldLeader(_)
                | Self::DeleteLease
                | Self::TakeLease
        )
    }

    /// For how long what is due for its objects may be late: zero if it holds nothing up, and the longest time if it may be for ever.
    pub fn holds_up(self) -> Duration {
        let seconds = match self {
            Self::Reconcile(_)
            | Self::EditOverlap(..)
            | Self::CopySecret(_)
            | Self::CopyAbroad(_)
            | Self::TouchCredential
            | Self::Stranger
            | Self::ReuseIds
            | Self::EmptyPages
            | Self::SkipNot(_)
            | Self::BreakWatches
            | Self::Compact => 0,
            // A slow answer is no failure, but each token takes longer.
            Self::SlowGenerate(seconds) if seconds < 40 => 0,
            Self::OddList(..) | Self::OddEnd(..) | Self::Behind(..) => return self.oddity_holds_up(),
            // The first tokens of twenty objects, where sixty calls a minute are allowed.
            Self::Create(_) => 120,
            Self::Kill | Self::Limit(_) | Self::DeleteLease | Self::TakeLease => WORK,
            // Its attempt may count as lost by then, and comes after a failure.
            Self::HoldLeader(seconds) => seconds + NEXT_TRY,
            // A value that is refused is asked about for a minute, and a person looks now and then.
            Self::HandOver(..) => WORK,
            Self::Second(seconds) | Self::Lag(_, seconds) => seconds + WORK,
            Self::Rotate(_)
            | Self::Note(..)
            | Self::EditScopes(_)
            | Self::EditInterval(..)
            | Self::EditLifetime(..) => NEXT_TRY,
            Self::EditSecret(_) | Self::DeleteSecret(_) | Self::EndToken(_) | Self::Mark(..) => ROW,
            Self::Leak(_) | Self::LeakAll | Self::LeakAhead(_) => ROW,
            Self::Fight(_, _, seconds) => seconds + ROW,
            // Clocks disagree for an hour.
            Self::ClockStep(_) => NEXT_TRY,
            Self::Sleep(seconds)
            | Self::WrongCredential(seconds)
            | Self::OtherAccount(seconds)
            | Self::RemakeService(seconds)
            | Self::Forbid(_, seconds)
            | Self::RefuseTokens(seconds)
            | Self::Outage(_, seconds)
            | Self::ListFails(_, seconds)
            | Self::OneFails(_, _, seconds)
            | Self::FailsFor(.., seconds)
            | Self::Api(_, seconds) => seconds + NEXT_TRY,
            Self::Throttle(_, _, pause, seconds) => pause.seconds + seconds + NEXT_TRY,
            // A person must act first, or the object is gone.
            Self::Delete(_)
            | Self::DeleteAll
            | Self::LetGo(_)
            | Self::Suspend(..)
            | Self::Strip(_)
            | Self::Squat(_)
            | Self::Forge(..)
            | Self::Immutable(_)
            | Self::RestoreSecret(..)
            | Self::Restore(..)
            | Self::TokensAsIds
            | Self::SlowGenerate(_) => return Duration::MAX,
        };
        Duration::from_secs(seconds.into())
    }

    /// The same for answers that are odd for a while.
    fn oddity_holds_up(self) -> Duration {
        let seconds = match self {
            Self::OddList(odd, _) if odd.is_truthful() => 0,
            // Dead tokens may look like another cluster's.
            Self::OddList(Odd::Dead, _) => return Duration::MAX,
            // A token that is replaced soon leaves no room for another one.
            Self::OddEnd(odd, _) if odd.seconds().is_none_or(|life| life >= SHORT) => 0,
            // What is not known yet is no failure if it is known within the settle time.
            Self::Behind(_, by, _) if by <= 30 => 0,
            Self::OddList(_, seconds) | Self::OddEnd(_, seconds) | Self::Behind(_, _, seconds) => seconds + NEXT_TRY,
            _ => 0,
        };
        Duration::from_secs(seconds.into())
    }
}
