//! A plan: all of a life that is not the product. Two equal plans are two equal lives.

use std::collections::BTreeSet;
use std::fmt;

use crate::act::{Act, KINDS, Kind, pick};
use crate::api_server::Trouble;
use crate::fate::{CLASSES, Class, Fate, Fault};
use crate::layout::{Layout, Site};
use crate::mutation::Mutation;
use crate::objects::Abilities;

/// One life in so many has a service without a list, another one a service whose tokens have no names, and another one a service whose
/// tokens a person makes.
const WITHOUT: u64 = 10;

/// In these lives of twenty nobody watches Secrets. In one of the two a person makes the tokens.
const UNWATCHED: [u64; 2] = [9, 15];
/// The longest life with an election, in seconds.
const LONGEST_ELECTION: u32 = 36_000;

/// One life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Everything random follows from it.
    pub seed: u64,
    /// How many objects there may be.
    pub tokens: usize,
    /// A rotation each so many hours; 0 for rotations on request only.
    pub hours: u32,
    /// How long a token lives, in hours; 0 for ever.
    pub life_hours: u32,
    /// How long a token that was replaced stays.
    pub overlap_seconds: u32,
    /// Where they are.
    pub layout: Layout,
    /// The first service's limit.
    pub per_minute: u32,
    /// That of the second one.
    pub second_per_minute: u32,
    /// What the services can do.
    pub service: Abilities,
    /// Whether a person does what the conditions ask for, where tokens are made by hand.
    pub person: bool,
    /// Whether a service is asked to accept a token (`verification.probe`).
    pub probe: bool,
    /// Whether operators watch Secrets.
    pub watches: bool,
    /// Whether the sweep of a service revokes what belongs to nobody.
    pub sweep_revokes: bool,
    /// Whether the operators elect a leader.
    pub elects: bool,
    /// How long things happen; then all that failed works again.
    pub seconds: u32,
    /// What is done, by second.
    pub acts: Vec<(u32, Act)>,
    /// What goes wrong with single calls.
    pub faults: Vec<Fault>,
    /// The rule of the product that is broken.
    pub mutation: Option<Mutation>,
}

impl Plan {
    /// A life in which nothing happens but that objects are created.
    pub fn quiet(seed: u64, tokens: usize, seconds: u32) -> Self {
        let acts = (0..tokens).map(|index| (1, Act::Create(index))).collect();
        Self {
            seed,
            tokens,
            hours: 0,
            life_hours: 0,
            overlap_seconds: 60,
            layout: Layout::One,
            per_minute: 600,
            second_per_minute: 600,
            service: Abilities::ALL,
            person: true,
            probe: true,
            watches: true,
            sweep_revokes: false,
            elects: false,
            seconds,
            acts,
            faults: Vec::new(),
            mutation: None,
        }
    }

    /// The limit of a service.
    pub fn limit(&self, site: Site) -> u32 {
        if site == self.layout.first() { self.per_minute } else { self.second_per_minute }
    }

    /// The same, with an act.
    pub fn with(mut self, at: u32, act: Act) -> Self {
        self.acts.push((at, act));
        self.acts.sort_by_key(|(at, _)| *at);
        self
    }

    /// The same, with a fault.
    pub fn fault(mut self, class: Class, of: Option<usize>, nth: u32, fate: Fate) -> Self {
        self.faults.push(Fault { class, of, nth, fate });
        self
    }

    /// The life of a seed. Each life has a few kinds of adversity only, but these several times: what needs two of one kind would else
    /// hardly ever come together.
    pub fn random(seed: u64) -> Self {
        Self::random_about(seed, &[])
    }

    /// The same, in which these kinds come with others.
    pub fn random_about(seed: u64, about: &[Kind]) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut plan = Self::world(seed, &mut random);
        let others = (0..random.usize(1..6)).map(|_| pick(&mut random, &KINDS));
        let mut kinds: Vec<Kind> = others.chain(about.iter().copied()).collect();
        if plan.service.by_hand {
            kinds.extend([Kind::HandOver, Kind::Rotate]);
        }
        for _ in 0..random.usize(1..10) {
            let kind = pick(&mut random, &kinds);
            let tokens = plan.tokens;
            let at = when(&mut random, kind, plan.seconds);
            let act = Act::draw(kind, &mut random, tokens);
            let fault = draw_fault(&mut random, tokens);
            let ended = plan.acts.iter().filter(|(_, act)| matches!(act, Act::EndToken(_))).count();
            // Where most tokens of a service are refused, a person must act. And where nobody asks, nobody hears of it.
            if kind == Kind::EndToken && ((ended + 1) * 3 > tokens || !plan.probe) {
                continue;
            }
            if let Some(Act::EndToken(one)) = act {
                // Nobody asks about a token for half a day otherwise.
                plan = plan.with(at + 1, Act::Reconcile(one));
            }
            match act {
                Some(act) => plan = plan.with(at, act),
                None => plan.faults.push(fault),
            }
        }
        plan.elected()
    }

    /// Where two operators run, they may elect a leader, and then that is disturbed. It is drawn from numbers of its own, so that all else of
    /// a life is as without an election.
    fn elected(mut self) -> Self {
        let second = |(at, act): &(u32, Act)| if let Act::Second(seconds) = act { Some((*at, *seconds)) } else { None };
        let beside: Vec<(u32, u32)> = self.acts.iter().filter_map(second).collect();
        let mut random = fastrand::Rng::with_seed(self.seed ^ 0x1ea5e);
        // Renewals go on all the time: a life of days would only be slow.
        if beside.is_empty() || self.seconds > LONGEST_ELECTION || random.bool() {
            return self;
        }
        self.elects = true;
        for _ in 0..random.usize(0..5) {
            let (begun, length) = pick(&mut random, &beside);
            let at = (begun + random.u32(1..length + 60)).min(self.seconds - 1);
            let act = match random.u8(0..5) {
                0 => Act::DeleteLease,
                1 => Act::TakeLease,
                2 => Act::HoldLeader(random.u32(5..90)),
                3 => Act::Api(Trouble::NoLeases, random.u32(5..600)),
                _ => Act::Kill,
            };
            self = self.with(at, act);
        }
        self
    }

    fn world(seed: u64, random: &mut fastrand::Rng) -> Self {
        let tokens = pick(random, &[1, 1, 2, 3, 8, 20]);
        // One life in twenty spans days; storms of requests come with short ones as well.
        let seconds = if random.u8(0..20) == 0 { 3 * 86_400 } else { pick(random, &[1_800, 7_200, 36_000]) };
        let mut plan = Self::quiet(seed, tokens, seconds);
        plan.hours = pick(random, &[0, 0, 1, 6]);
        plan.overlap_seconds = pick(random, &[60, 600]);
        // Few objects can live with few calls.
        let limits: &[u32] = if tokens > 2 { &[60, 600, 6000] } else { &[6, 60, 600, 6000] };
        plan.per_minute = pick(random, limits);
        plan.life_hours = pick(random, &[0, 0, 0, 4]);
        if tokens > 1 {
            plan.layout = pick(random, &[Layout::One, Layout::One, Layout::Two, Layout::Shared]);
            plan.second_per_minute = pick(random, limits);
        }
        plan.probe = random.u8(0..10) != 0;
        plan.sweep_revokes = random.u8(0..4) == 0;
        plan.service = Abilities { lists: seed % WITHOUT != 7, names: seed % WITHOUT != 3, by_hand: false };
        // Where nobody asks a service about its tokens, nobody can hand one over.
        if seed % WITHOUT == 5 && plan.probe {
            plan.service = Abilities::BY_HAND;
        }
        plan.watches = !UNWATCHED.contains(&(seed % 20));
        plan
    }

    /// The kinds of act and fault in it, for the count of what was drawn.
    pub fn drawn(&self) -> BTreeSet<String> {
        let name = |act: &Act| format!("{act:?}").split('(').next().unwrap_or_default().to_owned();
        let acts = self.acts.iter().map(|(_, act)| name(act)).chain(self.elects.then(|| "Election".to_owned()));
        acts.chain(self.faults.iter().map(|fault| format!("Fault{:?}", fault.class))).collect()
    }
}

/// Many things happen at the same time, soon after the beginning.
fn when(random: &mut fastrand::Rng, kind: Kind, seconds: u32) -> u32 {
    match kind {
        Kind::Squat => 0,
        _ if random.bool() => random.u32(2..seconds),
        _ => random.u32(2..120),
    }
}

fn draw_fault(random: &mut fastrand::Rng, tokens: usize) -> Fault {
    let class = pick(random, &[CLASSES.as_slice(), &[Class::Generate, Class::ApiWrite]].concat());
    // Reads and writes of the API server are also about no object of a token: the service object, its credential, a start.
    let about_none = matches!(class, Class::ApiRead | Class::ApiWrite) && random.u8(0..3) == 0;
    let of = if class == Class::List || about_none { None } else { Some(random.usize(0..tokens)) };
    // A request may wait in a proxy for longer than anybody waits for its answer, and land all the same.
    let late = if random.bool() { random.u16(1..70) } else { random.u16(100..400) };
    // Or what is slow is the answer, within what anybody waits for.
    let late = if late < 30 && late.is_multiple_of(2) { Fate::Slow(late) } else { Fate::Late(late) };
    let fates = [
        Fate::LostBefore,
        Fate::LostAfter,
        Fate::LostAfter,
        Fate::Status(500),
        Fate::KillBefore,
        Fate::KillAfter,
        late,
    ];
    // Most objects make the first calls; few lives have many.
    let nth = random.u32(1..8).min(random.u32(1..8));
    Fault { class, of, nth, fate: pick(random, &fates) }
}

/// A script that a person can read.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rotation = if self.hours == 0 { "on request only".to_owned() } else { format!("each {} h", self.hours) };
        writeln!(
            f,
            "seed {}: {} s; rotation {rotation}, lifetime {} h (0: for ever), overlap {} s, {} requests a minute",
            self.seed, self.seconds, self.life_hours, self.overlap_seconds, self.per_minute
        )?;
        if self.layout != Layout::One {
            writeln!(
                f,
                "  namespaces and services: {:?}; the second one allows {}",
                self.layout, self.second_per_minute
            )?;
        }
        if !self.probe || self.sweep_revokes {
            writeln!(f, "  tokens are verified: {}; sweeps revoke: {}", self.probe, self.sweep_revokes)?;
        }
        if !self.watches {
            writeln!(f, "  nobody watches Secrets")?;
        }
        if self.elects {
            writeln!(f, "  the operators elect a leader")?;
        }
        if self.service != Abilities::ALL {
            writeln!(f, "  the service has {:?}", self.service)?;
        }
        for (at, act) in &self.acts {
            writeln!(f, "  at {at:>6} s  {}", act.story())?;
        }
        for fault in &self.faults {
            writeln!(f, "  {fault}")?;
        }
        match self.mutation {
            Some(mutation) => writeln!(f, "  with the rule broken: {mutation:?}"),
            None => Ok(()),
        }
    }
}
