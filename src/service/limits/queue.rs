//! Who waits for a place in a rate limit, and who comes first.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// Who waits for so long comes before all but leaks.
const LONG: Duration = Duration::from_secs(50 * 60);

/// Who does not come back for so long after it could have holds up nobody any more.
const LATE: Duration = Duration::from_secs(2);

/// Who does not come back for so long has no place any more. Workers may be busy, and a machine may be suspended for a while.
const GONE: Duration = Duration::from_secs(10 * 60);

/// How often those who are gone are looked for: each look goes over all who wait.
const FORGETS_EVERY: Duration = Duration::from_secs(1);

/// The class of the answers to leaks.
const LEAK: u8 = 0;

/// The class of calls that were begun, and of those that have waited for very long.
const SOON: u8 = 1;

/// Who asks for places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// What it is and what it wants them for. One caller waits for one thing at a time.
    pub id: String,
    /// What it is, as logs name it.
    pub shown: String,
    /// Its namespace: within a class namespaces take turns.
    pub namespace: String,
    /// How urgent it is: a lower class comes first, and class 0 answers leaks.
    pub class: u8,
}

impl Caller {
    /// Somebody without a name, for a single call.
    pub(super) fn nobody() -> Self {
        Self { id: String::new(), shown: String::new(), namespace: String::new(), class: SOON }
    }

    /// The same caller, inside of its calls.
    pub(super) fn going_on(&self) -> Self {
        Self { id: format!("{} goes on", self.id), class: self.class.min(SOON), ..self.clone() }
    }

    pub(super) fn answers_leak(&self) -> bool {
        self.class == LEAK
    }
}

/// The order of those who wait: by class, then by turn, then by arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    class: u8,
    turn: u64,
    arrival: u64,
}

#[derive(Debug)]
struct Waiting {
    caller: Caller,
    calls: u32,
    since: Instant,
    /// When it was told to come back.
    expected: Instant,
}

/// The queue of one service.
///
/// Turns are those of start-time fair queueing: each request begins at the turn where the one before it of the same namespace ends, but
/// not before the turn that is served now. So a namespace that asks for a thousand calls is a thousand turns ahead of itself, and
/// another one comes in between with its first.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: BTreeMap<Rank, Waiting>,
    ranks: BTreeMap<String, Rank>,
    /// The turn at which the next request begins, by class and namespace.
    next_turn: BTreeMap<(u8, String), u64>,
    /// The turn that is served now, by class.
    served: BTreeMap<u8, u64>,
    arrivals: u64,
    /// When those who are gone were last looked for.
    forgot: Option<Instant>,
}

impl Queue {
    /// Gives the caller its place, or finds the one that it has, and returns how many calls go before its own: `enough` if they are as many
    /// or more.
    pub(super) fn join(&mut self, caller: &Caller, calls: u32, now: Instant, enough: u32) -> u32 {
        self.forget(now);
        let mut since = now;
        if let Some(rank) = self.ranks.get(&caller.id).copied() {
            let known = self.waiting.get(&rank).map_or(now, |known| known.since);
            let class = if now - known >= LONG { caller.class.min(SOON) } else { caller.class };
            if rank.class == class
                && let Some(known) = self.waiting.get_mut(&rank)
            {
                known.calls = calls;
                return self.calls_before(rank, now, enough);
            }
            since = known;
            self.remove(caller);
        }
        let long = now - since >= LONG;
        let rank = self.rank(caller, calls, long);
        self.ranks.insert(caller.id.clone(), rank);
        self.waiting.insert(rank, Waiting { caller: caller.clone(), calls, since, expected: now });
        self.calls_before(rank, now, enough)
    }

    fn rank(&mut self, caller: &Caller, calls: u32, long: bool) -> Rank {
        self.arrivals += 1;
        if long {
            return Rank { class: caller.class.min(SOON), turn: 0, arrival: self.arrivals };
        }
        let served = self.served.get(&caller.class).copied().unwrap_or_default();
        let next = self.next_turn.entry((caller.class, caller.namespace.clone())).or_default();
        let turn = served.max(*next);
        *next = turn + u64::from(calls);
        Rank { class: caller.class, turn, arrival: self.arrivals }
    }

    /// The calls of those who come first. Who is late holds up nobody, and takes its place when it comes. Thousands may wait, so this looks
    /// at no more of them than make a difference.
    fn calls_before(&self, rank: Rank, now: Instant, enough: u32) -> u32 {
        let mut before = 0_u32;
        for (_, other) in self.waiting.range(..rank).filter(|(_, other)| other.expected + LATE > now) {
            before = before.saturating_add(other.calls);
            if before >= enough {
                return enough;
            }
        }
        before
    }

    /// How many come first and are not late, `enough` at most.
    pub(super) fn callers_before(&self, caller: &Caller, now: Instant, enough: usize) -> usize {
        let before = self.ranks.get(&caller.id).into_iter().flat_map(|rank| self.waiting.range(..*rank));
        before.filter(|(_, other)| other.expected + LATE > now).take(enough).count()
    }

    /// Records when the caller was told to come back.
    pub(super) fn expect_back(&mut self, caller: &Caller, at: Instant) {
        if let Some(waiting) = self.ranks.get(&caller.id).and_then(|rank| self.waiting.get_mut(rank)) {
            waiting.expected = at;
        }
    }

    /// The caller has its turn now.
    pub(super) fn leave(&mut self, caller: &Caller) {
        if let Some(rank) = self.remove(caller) {
            let served = self.served.entry(rank.class).or_default();
            *served = rank.turn.max(*served);
        }
    }

    fn remove(&mut self, caller: &Caller) -> Option<Rank> {
        let rank = self.ranks.remove(&caller.id)?;
        self.waiting.remove(&rank);
        if self.ranks.is_empty() {
            // An empty map keeps two kilobytes, and mostly nobody waits for a service.
            (self.ranks, self.waiting) = (BTreeMap::new(), BTreeMap::new());
        }
        Some(rank)
    }

    fn forget(&mut self, now: Instant) {
        if self.forgot.is_some_and(|at| now < at + FORGETS_EVERY) {
            return;
        }
        self.forgot = Some(now);
        let Self { waiting, ranks, next_turn, served, .. } = self;
        waiting.retain(|_, other| {
            let stays = other.expected + GONE > now;
            if !stays {
                ranks.remove(&other.caller.id);
            }
            stays
        });
        next_turn.retain(|(class, _), next| served.get(class).is_none_or(|served| *next > *served));
    }
}
