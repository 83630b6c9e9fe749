//! The kinds of act, and how one of each is drawn.

use super::mark::marks;
use super::{Act, BANS, Note, OFFERS, REQUESTS, pick};
use crate::api_server::{BACKUPS, TROUBLES};
use crate::fate::Class;
use crate::services::{Asks, ENDS, ODDITIES, Odd, Pause};

/// The answers that ask for a pause.
const PAUSES: [(u16, Asks); 7] = [
    (403, Asks::RetryAfter),
    (429, Asks::RetryAfter),
    (503, Asks::RetryAfter),
    (403, Asks::Reset),
    (429, Asks::Reset),
    (403, Asks::ResetTime),
    (429, Asks::ResetTime),
];

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
    EditInterval,
    EditOverlap,
    EditLifetime,
    Leak,
    LeakAll,
    LeakAhead,
    DeleteSecret,
    EditSecret,
    Fight,
    CopySecret,
    CopyAbroad,
    RestoreSecret,
    Immutable,
    Squat,
    Forge,
    Strip,
    TouchCredential,
    WrongCredential,
    OtherAccount,
    RemakeService,
    Limit,
    RefuseTokens,
    EndToken,
    ReuseIds,
    Stranger,
    HandOver,
    Outage,
    ListFails,
    OneFails,
    OddList,
    EmptyPages,
    Throttle,
    SlowGenerate,
    Mark,
    Note,
    FailsFor,
    OddEnd,
    Behind,
    Kill,
    Second,
    BreakWatches,
    Compact,
    Lag,
    Api,
    Restore,
    ClockStep,
    Sleep,
    LetGo,
    Forbid,
    /// A fault of single calls ([`crate::fate::Fault`]).
    Fault,
}

/// All kinds.
pub const KINDS: [Kind; 56] = [
    Kind::Rotate,
    Kind::Reconcile,
    Kind::Delete,
    Kind::Recreate,
    Kind::Suspend,
    Kind::EditScopes,
    Kind::EditInterval,
    Kind::EditOverlap,
    Kind::EditLifetime,
    Kind::Leak,
    Kind::LeakAll,
    Kind::LeakAhead,
    Kind::DeleteSecret,
    Kind::EditSecret,
    Kind::Fight,
    Kind::CopySecret,
    Kind::CopyAbroad,
    Kind::RestoreSecret,
    Kind::Immutable,
    Kind::Squat,
    Kind::Forge,
    Kind::Strip,
    Kind::TouchCredential,
    Kind::WrongCredential,
    Kind::OtherAccount,
    Kind::RemakeService,
    Kind::Limit,
    Kind::RefuseTokens,
    Kind::EndToken,
    Kind::ReuseIds,
    Kind::Stranger,
    Kind::HandOver,
    Kind::Outage,
    Kind::ListFails,
    Kind::OneFails,
    Kind::OddList,
    Kind::EmptyPages,
    Kind::Throttle,
    Kind::SlowGenerate,
    Kind::Mark,
    Kind::Note,
    Kind::FailsFor,
    Kind::OddEnd,
    Kind::Behind,
    Kind::Kill,
    Kind::Second,
    Kind::BreakWatches,
    Kind::Compact,
    Kind::Lag,
    Kind::Api,
    Kind::Restore,
    Kind::ClockStep,
    Kind::Sleep,
    Kind::LetGo,
    Kind::Forbid,
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
            Kind::EditInterval => Self::EditInterval(one, pick(random, &[0, 1, 6])),
            Kind::EditOverlap => Self::EditOverlap(one, pick(random, &[10, 60, 600])),
            Kind::EditLifetime => Self::EditLifetime(one, pick(random, &[0, 4, 24])),
            Kind::Leak => Self::Leak(one),
            Kind::LeakAll => Self::LeakAll,
            Kind::LeakAhead => Self::LeakAhead(random.bool().then_some(one)),
            Kind::DeleteSecret => Self::DeleteSecret(one),
            Kind::EditSecret => Self::EditSecret(one),
            Kind::Fight => Self::Fight(one, random.bool(), seconds),
            Kind::CopySecret => Self::CopySecret(one),
            Kind::CopyAbroad => Self::CopyAbroad(one),
            Kind::RestoreSecret => Self::RestoreSecret(one, pick(random, &[60, 700, 3600, 10_000])),
            Kind::Immutable => Self::Immutable(one),
            Kind::Squat => Self::Squat(one),
            Kind::Forge => Self::Forge(one, random.usize(0..tokens)),
            Kind::Strip => Self::Strip(one),
            Kind::TouchCredential => Self::TouchCredential,
            Kind::WrongCredential => Self::WrongCredential(seconds),
            Kind::OtherAccount => Self::OtherAccount(seconds),
            Kind::RemakeService => Self::RemakeService(seconds),
            Kind::Limit => Self::Limit(pick(random, &[30, 60, 600])),
            Kind::RefuseTokens => Self::RefuseTokens(seconds),
            Kind::EndToken => Self::EndToken(one),
            Kind::ReuseIds => Self::ReuseIds,
            Kind::Stranger => Self::Stranger,
            Kind::HandOver => Self::HandOver(one, pick(random, &OFFERS)),
            Kind::Outage => Self::Outage(pick(random, &[401, 403, 500, 503]), seconds),
            Kind::ListFails => Self::ListFails(pick(random, &[403, 500]), seconds),
            Kind::EmptyPages => Self::EmptyPages,
            Kind::SlowGenerate => Self::SlowGenerate(random.u32(1..90)),
            Kind::OneFails
            | Kind::OddList
            | Kind::Throttle
            | Kind::Mark
            | Kind::Note
            | Kind::OddEnd
            | Kind::FailsFor
            | Kind::Behind => return Self::draw_in_detail(kind, random, tokens, seconds),
            Kind::Kill => Self::Kill,
            Kind::Second => Self::Second(seconds.max(30)),
            Kind::BreakWatches => Self::BreakWatches,
            Kind::Compact => Self::Compact,
            Kind::Lag => Self::Lag(pick(random, &[1, 5, 20]), seconds),
            Kind::Api => Self::Api(pick(random, &TROUBLES), pick(random, &[5, 60, 600, seconds])),
            Kind::Restore => Self::Restore(pick(random, &BACKUPS), pick(random, &[30, 200, 900, 7200])),
            Kind::ClockStep => Self::ClockStep(pick(random, &[-3600, -30, 30, 3600])),
            Kind::Sleep => Self::Sleep(pick(random, &[60, 3600, 30_000])),
            Kind::LetGo => Self::LetGo(one),
            Kind::Forbid => Self::Forbid(pick(random, &BANS), seconds),
            Kind::Fault => return None,
        })
    }

    /// One of a kind that has many forms.
    fn draw_in_detail(kind: Kind, random: &mut fastrand::Rng, tokens: usize, seconds: u32) -> Option<Self> {
        let one = random.usize(0..tokens);
        Some(match kind {
            Kind::OneFails => {
                let class = pick(random, &[Class::Generate, Class::Verify, Class::Revoke]);
                Self::OneFails(class, pick(random, &[403, 500, 503]), seconds)
            }
            Kind::OddList => match pick(random, &ODDITIES) {
                // Such a list has a thousand pages each time.
                Odd::Endless => Self::OddList(Odd::Endless, seconds.min(600)),
                odd => Self::OddList(odd, seconds),
            },
            Kind::Throttle => {
                let only = pick(random, &[None, None, Some(Class::Generate), Some(Class::Verify), Some(Class::Revoke)]);
                let (status, by) = pick(random, &PAUSES);
                Self::Throttle(only, status, Pause { seconds: pick(random, &[1, 30, 600]), by }, seconds.min(900))
            }
            Kind::Mark => {
                let all = marks(random.usize(0..tokens));
                Self::Mark(one, pick(random, &all))
            }
            Kind::Note if random.u8(0..8) == 0 => Self::SkipNot(one),
            Kind::Note => {
                let other = Note::CopiedFrom(random.usize(0..tokens));
                let note = pick(random, &[other, other, Note::Empty, Note::Garbage, Note::Gone]);
                Self::Note(one, random.usize(0..REQUESTS.len()), note)
            }
            Kind::OddEnd => Self::OddEnd(pick(random, &ENDS), seconds),
            Kind::FailsFor => {
                let class = pick(random, &[Class::Generate, Class::Verify, Class::Revoke]);
                Self::FailsFor(one, class, pick(random, &[401, 403, 404, 422, 500]), seconds)
            }
            Kind::Behind => {
                let only = pick(random, &[None, None, Some(Class::Verify), Some(Class::List)]);
                Self::Behind(only, pick(random, &[1, 5, 30, 90]), seconds)
            }
            _ => return None,
        })
    }
}
