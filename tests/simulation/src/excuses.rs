//! What a law must know before it blames the product: what others did, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use artifact_token_operator::rotation::identity::Name;

use crate::api_server::ApiServer;
use crate::services::Token;

/// Records have whole seconds.
pub const SECOND: Duration = Duration::from_secs(1);

/// A claim has settled: from then on nobody waits for what was sent with it (S12).
pub const CLAIM_SETTLES: Duration = Duration::from_secs(180);

/// A pass may still work with a spec that it read so long ago.
const OLD_SPEC: Duration = Duration::from_secs(60);

/// Clocks disagree for an hour after a jump (P7), and what was noticed meanwhile may be recorded after it.
const DISAGREE: Duration = Duration::from_secs(2 * 3600);

/// What a law must know before it blames the product.
#[derive(Debug, Default)]
pub struct Excuses {
    /// How long a token of an object must stay when it was replaced, each since when.
    pub overlaps: BTreeMap<usize, Vec<(Duration, Duration)>>,
    /// When somebody declared the tokens of an object as leaked.
    pub leaks: BTreeMap<usize, Vec<Leak>>,
    /// Objects whose finalizer somebody took away.
    pub stripped: BTreeSet<usize>,
    /// What hands have put into Secrets again from older copies, and when: how long consumers hold it from then on is the hands' affair.
    pub put_back: BTreeMap<String, Vec<Duration>>,
    /// The values of tokens that got the id of another one while a revoke of that was on its way.
    pub struck: BTreeSet<String>,
    /// The uids of objects whose creation landed so late that nobody can have waited for it.
    pub landed_late: BTreeSet<String>,
    /// When a clock jumped.
    pub jumps: Vec<Duration>,
    /// The highest limit of each service until now, by its host.
    pub per_minute: BTreeMap<&'static str, u32>,
}

/// Tokens were declared as leaked.
#[derive(Clone, Copy, Debug)]
pub struct Leak {
    /// When.
    pub at: Duration,
    /// The time that was given lies ahead. Then it counts from when the operator notices it (P14).
    pub ahead: bool,
}

impl Excuses {
    /// The shortest overlap that a token may have got that its Secret left at this time. It is that of the spec when the successor was
    /// decided (P7), which comes late after a kill; the record of it says when. A token that failed was recorded long before it left:
    /// then the overlap of a later token counts (P8).
    pub fn overlap(&self, server: &ApiServer, index: usize, token: &Token, left: Duration) -> Duration {
        let Some(all) = self.overlaps.get(&index) else { return Duration::ZERO };
        let record = |name: Name| server.superseded_at(&name.uid16, name.attempt, &token.id);
        let decided = token.own_name().and_then(record).filter(|decided| *decided + SECOND >= left);
        let over = |at: &usize| all.get(at + 1).is_some_and(|(next, _)| *next + OLD_SPEC < decided.unwrap_or(left));
        let begun = |at: &usize| decided.is_none_or(|decided| all[*at].0 <= decided);
        (0..all.len()).filter(|at| begun(at) && !over(at)).map(|at| all[at].1).min().unwrap_or_default()
    }

    /// Whether the token counts as leaked at this time. A leak is recorded before it is acted on, and covers what was claimed before it.
    /// Where clocks disagree, that is all that the ledger had when it was recorded (P14).
    pub fn leaked(&self, server: &ApiServer, index: usize, token: &Token, now: Duration) -> bool {
        let (Some(leaks), Some(name)) = (self.leaks.get(&index), token.own_name()) else { return false };
        let claimed = server.claimed_at(&name.uid16, name.nonce.as_str(), name.nonce.is_first()).unwrap_or(token.at);
        let records = server.leaks_recorded(&name.uid16);
        leaks.iter().any(|leak| {
            let disagree =
                |recorded: Duration| self.jumps.iter().any(|jump| *jump <= recorded && *jump + DISAGREE > leak.at);
            let covers = |recorded: &&Duration| {
                let until = if leak.ahead || disagree(**recorded) { **recorded } else { leak.at };
                **recorded >= leak.at && **recorded <= now && claimed.min(token.at) <= until + SECOND
            };
            records.iter().any(|recorded| covers(&recorded))
        })
    }

    /// When a hand put this value back last, if it did until then.
    pub fn put_back_until(&self, token: &Token, until: Duration) -> Option<Duration> {
        let times = self.put_back.get(token.data().as_str()?)?;
        times.iter().copied().filter(|at| *at <= until).max()
    }

    /// From now on a hand has put this into a Secret.
    pub fn puts_back(&mut self, value: &str, now: Duration) {
        self.put_back.entry(value.to_owned()).or_default().push(now);
    }
}

/// Since when, and until when.
type Span = (Duration, Option<Duration>);

/// When objects were on their way out, by their identities: deleted, or not in a store that was put back.
#[derive(Debug, Default)]
pub struct Gone(BTreeMap<String, Vec<Span>>);

impl Gone {
    /// From now on it is.
    pub fn begin(&mut self, uid16: &str, now: Duration) {
        let spans = self.0.entry(uid16.to_owned()).or_default();
        if spans.last().is_none_or(|(_, until)| until.is_some()) {
            spans.push((now, None));
        }
    }

    /// A store that was put back has the object as it was before.
    pub fn back(&mut self, uid16: &str, now: Duration) {
        let open = self.0.get_mut(uid16).and_then(|spans| spans.last_mut()).filter(|(_, until)| until.is_none());
        open.into_iter().for_each(|(_, until)| *until = Some(now));
    }

    /// Since when it is, if it still is.
    pub fn since(&self, uid16: &str) -> Option<Duration> {
        self.0.get(uid16)?.last().filter(|(_, until)| until.is_none()).map(|(from, _)| *from)
    }

    /// Whether it was at this time. A pass that read the object before it came back may go on for a moment.
    pub fn at(&self, uid16: &str, when: Duration) -> bool {
        let within = |(from, until): &Span| *from <= when && until.is_none_or(|until| when <= until + OLD_SPEC);
        self.0.get(uid16).is_some_and(|spans| spans.iter().any(within))
    }
}
