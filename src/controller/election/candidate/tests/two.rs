//! Two candidates and an API server, in a pretended time: answers are slow, get lost or are refused, events lag, one of them is cut off for
//! a while, the Lease is deleted.

use super::*;

/// A step of the pretended time.
const TICK: Duration = Duration::from_millis(100);
/// From this tick on the Lease may be deleted.
const BEGUN: u64 = 300;
/// For so many ticks things go wrong.
const TROUBLED: u64 = 3_000;
/// So long after that one of them leads: it may be cut off at first, the Lease may have to expire, and each try to be repeated.
const SETTLED: u64 = 500;

/// Numbers that follow from a seed (Knuth's multiplier).
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// What is on its way to a candidate, or from it.
enum Message {
    /// A read, or a write that was decided on this version.
    Request {
        write: Option<(Option<String>, LeaseSpec)>,
        sent: Moment,
        answered: u64,
    },
    Answer {
        result: Result<Option<Lease>, Failure>,
        wrote: bool,
        sent: Moment,
    },
    Event {
        lease: Lease,
        deleted: bool,
    },
}

struct World {
    random: Random,
    tick: u64,
    version: u64,
    there: Option<Lease>,
    candidates: [Candidate; 2],
    /// Whether the candidate waits for an answer.
    busy: [bool; 2],
    /// Until when it reaches nobody.
    cut_until: [u64; 2],
    messages: Vec<(u64, usize, Message)>,
}

impl World {
    fn new(seed: u64) -> Self {
        let candidates = ["one", "two"].map(|name| Candidate::new(name.to_owned()));
        let random = Random(seed);
        let (busy, cut_until) = ([false; 2], [0; 2]);
        Self { random, tick: 0, version: 0, there: None, candidates, busy, cut_until, messages: Vec::new() }
    }

    fn now(&self) -> Moment {
        TICK * u32::try_from(self.tick).unwrap_or(u32::MAX)
    }

    fn step(&mut self) {
        self.tick += 1;
        // Who has never seen the Lease takes it at once; by now both have.
        if (BEGUN..TROUBLED).contains(&self.tick) && self.random.below(400) == 0 {
            self.store(None);
        }
        if self.tick < TROUBLED && self.random.below(300) == 0 {
            let who = usize::from(self.random.below(2) == 0);
            self.cut_until[who] = self.tick + self.random.below(300);
        }
        let (due, later) = std::mem::take(&mut self.messages).into_iter().partition(|(at, ..)| *at <= self.tick);
        self.messages = later;
        let due: Vec<_> = due;
        due.into_iter().for_each(|(_, who, message)| self.arrives(who, message));
        for who in 0..2 {
            if !self.busy[who] {
                self.act(who);
            }
        }
    }

    fn act(&mut self, who: usize) {
        let candidate = &self.candidates[who];
        let write = match candidate.next_act(self.now()) {
            Act::Wait(_) => return,
            Act::Read => None,
            Act::Write => {
                let version = candidate.lease().and_then(|lease| lease.metadata.resource_version.clone());
                Some((version, candidate.record(&time(i64::try_from(self.tick).unwrap_or_default()))))
            }
        };
        self.busy[who] = true;
        let (there, back) = (1 + self.delay(), 1 + self.delay());
        let sent = self.now();
        // After three seconds a candidate waits for no answer; what is on its way may still take effect.
        let answered = self.tick + (there + back).min(30);
        if there + back >= 30 {
            let result = Err(Failure::Other);
            self.messages.push((answered, who, Message::Answer { result, wrote: false, sent }));
        }
        let answered = if there + back >= 30 { 0 } else { answered };
        self.messages.push((self.tick + there, who, Message::Request { write, sent, answered }));
    }

    /// In ticks.
    fn delay(&mut self) -> u64 {
        match self.tick < TROUBLED && self.random.below(6) == 0 {
            true => self.random.below(60),
            false => 0,
        }
    }

    fn arrives(&mut self, who: usize, message: Message) {
        let now = self.now();
        match message {
            Message::Request { write, sent, answered } => {
                let wrote = write.is_some();
                let refused = self.is_cut(who) || self.tick < TROUBLED && self.random.below(20) == 0;
                let result = if refused { Err(Failure::Other) } else { self.serve(write) };
                if answered > 0 {
                    self.messages.push((answered.max(self.tick), who, Message::Answer { result, wrote, sent }));
                }
            }
            Message::Answer { result, wrote, sent } => {
                self.busy[who] = false;
                match result {
                    Ok(Some(lease)) if wrote => self.candidates[who].wrote(lease, sent, now),
                    Ok(lease) => self.candidates[who].see(lease, now),
                    Err(failure) => self.candidates[who].failed(failure, sent),
                }
            }
            Message::Event { .. } if self.is_cut(who) => {}
            Message::Event { lease, deleted } => self.candidates[who].hear(&lease, deleted, now),
        }
    }

    fn serve(&mut self, write: Option<(Option<String>, LeaseSpec)>) -> Result<Option<Lease>, Failure> {
        let Some((version, spec)) = write else { return Ok(self.there.clone()) };
        let known = self.there.as_ref().and_then(|lease| lease.metadata.resource_version.clone());
        if version != known {
            return Err(Failure::Conflict);
        }
        self.store(Some(spec));
        Ok(self.there.clone())
    }

    fn store(&mut self, spec: Option<LeaseSpec>) {
        self.version += 1;
        let deleted = spec.is_none();
        let Some(mut lease) = self.there.clone().or_else(|| spec.is_some().then(Lease::default)) else { return };
        lease.metadata.resource_version = Some(self.version.to_string());
        lease.spec = spec.or(lease.spec);
        self.there = Some(lease.clone()).filter(|_| !deleted);
        for who in 0..2 {
            // A watch may be broken for so long that it never shows this.
            if self.tick >= TROUBLED || self.random.below(10) > 0 {
                let at = self.tick + 1 + self.delay();
                self.messages.push((at, who, Message::Event { lease: lease.clone(), deleted }));
            }
        }
    }

    fn is_cut(&self, who: usize) -> bool {
        self.tick < self.cut_until[who]
    }

    fn leads(&self, who: usize) -> bool {
        self.candidates[who].leads_until().is_some_and(|until| self.now() < until)
    }
}

#[test]
fn of_two_that_are_awake_one_leads_at_a_time_and_soon_after_all_troubles_one_does() {
    let mut changes = 0;
    for seed in 0..150 {
        let mut world = World::new(seed);
        let mut last = None;
        while world.tick < TROUBLED + SETTLED {
            world.step();
            assert!(!(world.leads(0) && world.leads(1)), "both lead at tick {} of seed {seed}", world.tick);
            if let Some(who) = (0..2).find(|who| world.leads(*who)) {
                changes += u32::from(last.is_some_and(|last| last != who));
                last = Some(who);
            }
        }
        assert!(world.leads(0) || world.leads(1), "nobody leads at the end of seed {seed}");
    }
    assert!(changes > 150, "{changes} times another one led: else nothing was tried");
}
