//! Tokens that a person makes, hands over and revokes (P25): the part of the world, and the numbers in it.
//!
//! A claim takes up a value, and one value may be taken up by one claim after the other. So values are numbered apart from claims, and
//! what lives at the service is a value. Of the hand-over Secret the model keeps the versions that anything still refers to.

use std::hash::{Hash, Hasher};

use super::tokens::{Set, Token};
use super::world::{At, Book, Object, Process, SLOTS, Secret, State};

/// The value of a token.
pub type Value = Token;
/// So many values there are at a time.
pub const VALUES: usize = 5;
/// So many versions of the hand-over Secret something refers to at a time.
pub const VERSIONS: usize = 6;

/// A version of the hand-over Secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Version(pub u8);

impl Version {
    /// No Secret.
    pub const NONE: Self = Self(15);
    /// One that nobody will see again, nor another one with its uid.
    pub const GONE: Self = Self(14);

    pub fn index(self) -> Option<usize> {
        Some(usize::from(self.0)).filter(|index| *index < VERSIONS)
    }
}

/// What stands in a version of the hand-over Secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Offered {
    /// The lowest version with the same uid.
    pub uid: u8,
    pub value: Value,
}

/// Facts about claims that take up what a person hands over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deals {
    /// Whether people make the tokens of this service.
    pub by_hand: bool,
    /// The value that each claim takes up.
    pub values: [Value; SLOTS],
    /// The version of the hand-over Secret that each claim names.
    pub named: [Version; SLOTS],
    pub versions: [Offered; VERSIONS],
}

impl Deals {
    pub const NONE: Self = Self {
        by_hand: false,
        values: [Token::NONE; SLOTS],
        named: [Version::NONE; SLOTS],
        versions: [Offered { uid: 0, value: Token::NONE }; VERSIONS],
    };

    pub fn value(&self, claim: Token) -> Value {
        self.values.get(usize::from(claim.0)).copied().unwrap_or(Token::NONE)
    }

    pub fn values_of(&self, claims: Set) -> Set {
        claims.iter().fold(Set::EMPTY, |set, claim| set.with(self.value(claim)))
    }

    pub fn named(&self, claim: Token) -> Version {
        self.named.get(usize::from(claim.0)).copied().unwrap_or(Version::NONE)
    }

    pub fn brought(&self, version: Version) -> Value {
        version.index().map_or(Token::NONE, |index| self.versions[index].value)
    }

    /// The uid of a version; a number that no version has for one that is gone.
    pub fn uid(&self, version: Version) -> u8 {
        version.index().map_or(version.0, |index| self.versions[index].uid)
    }
}

/// Services that generate their tokens have none of it, and their states need no time for it.
impl Hash for Deals {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.by_hand.hash(hasher);
        if self.by_hand {
            (self.values, self.named, self.versions).hash(hasher);
        }
    }
}

/// What people and the service have.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Hand {
    /// The hand-over Secret.
    pub offer: Version,
    /// The claims whose values the companion Secret keeps.
    pub companion: Set,
    /// Values that the service accepts.
    pub living: Set,
    /// Values that a person revoked because the object asked for it.
    pub struck: Set,
    /// Values that were ever in the Secret.
    pub taken: Set,
    /// Values that are nowhere any more because a person edited or deleted a Secret.
    pub lost: Set,
    /// Values that the protocol lets go: the status knew of them and was lost, or their death could not be seen.
    pub let_go: Set,
}

impl Hand {
    pub const NONE: Self = Self {
        offer: Version::NONE,
        companion: Set::EMPTY,
        living: Set::EMPTY,
        struck: Set::EMPTY,
        taken: Set::EMPTY,
        lost: Set::EMPTY,
        let_go: Set::EMPTY,
    };
}

/// What a process made of the hand-over Secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Judged {
    /// It was not there any more.
    #[default]
    Missing,
    Ready,
    Taken,
    Refused,
}

/// What a process knows of all that.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Hands {
    /// The claims whose values are in its memory, beside the one in flight.
    pub values: Set,
    /// Those that it asked about in this pass.
    pub asked: Set,
    /// What the companion Secret keeps, if it was read.
    pub companion: Set,
    pub companion_read: bool,
    /// It was read in this pass. Only the deletion of an object looks at that.
    pub companion_live: bool,
    /// The version of the hand-over Secret that the watch shows in this pass.
    pub shown: Version,
    /// The version that was read last, the tokens that the ledger had then, and what the process made of it.
    pub read: Version,
    pub read_beside: Set,
    pub judged: Judged,
}

impl Hands {
    pub const NONE: Self = Self {
        values: Set::EMPTY,
        asked: Set::EMPTY,
        companion: Set::EMPTY,
        companion_read: false,
        companion_live: false,
        shown: Version::NONE,
        read: Version::NONE,
        read_beside: Set::EMPTY,
        judged: Judged::Missing,
    };

    /// What is left of it after a pass. Time has passed by the next one, so every token may be asked about again.
    pub fn after_pass(self) -> Self {
        Self { asked: Set::EMPTY, companion_live: false, shown: Version::NONE, ..self }
    }

    /// Whether it read this version beside these tokens.
    pub fn has_read(&self, version: Version, beside: Set) -> bool {
        self.read == version && self.read_beside == beside
    }

    fn refers(&self) -> Set {
        self.values.and(self.asked).and(self.companion).and(self.read_beside)
    }
}

/// As of [`Deals`].
impl Hash for Hands {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let any = *self != Self::NONE;
        any.hash(hasher);
        if any {
            (self.values, self.asked, self.companion, self.companion_read, self.companion_live).hash(hasher);
            (self.shown, self.read, self.read_beside, self.judged).hash(hasher);
        }
    }
}

/// The values that survive the death of every process.
pub fn kept(state: &State) -> Set {
    let deals = &state.facts.deals;
    let companion = deals.values_of(state.hand.companion);
    companion.with(deals.value(state.secret.data)).with(deals.brought(state.hand.offer))
}

/// What a person changes may be the only place of a value.
pub fn by_a_person(state: &mut State, change: impl FnOnce(&mut State)) {
    let before = kept(state);
    change(state);
    state.hand.lost = state.hand.lost.and(before.but(kept(state)));
}

/// The tokens that the ledger lists, by their values.
pub fn known_values(state: &State) -> Set {
    state.facts.deals.values_of(state.object.book.known())
}

/// A value, or a version of the hand-over Secret, that nothing refers to.
pub fn free_value(state: &State) -> Option<Value> {
    let used = used_values(state, claims(state));
    (0..VALUES as u8).map(Token).find(|value| !used.has(*value))
}

pub fn free_version(state: &State) -> Option<Version> {
    let used = versions_in_use(state);
    (0..VERSIONS as u8).find(|version| used.place(*version).is_none()).map(Version)
}

/// The claims with a value.
fn claims(state: &State) -> Set {
    let with_value = |claim: &Token| state.facts.deals.value(*claim) != Token::NONE;
    (0..SLOTS as u8).map(Token).filter(with_value).fold(Set::EMPTY, Set::with)
}

/// The claims that are referred to here.
pub fn refers(state: &State) -> Set {
    state.processes.iter().fold(state.hand.companion, |set, process| set.and(process.hands.refers()))
}

fn used_values(state: &State, claims: Set) -> Set {
    let deals = &state.facts.deals;
    let versions = versions_in_use(state);
    let offered = versions.iter().fold(Set::EMPTY, |set, version| set.with(deals.brought(Version(version))));
    let taken = state.hand.taken.both(state.hand.living).but(state.hand.let_go);
    deals.values_of(claims).and(offered).and(taken)
}

/// The versions that somebody sees or has read, then those that claims name.
fn versions_in_use(state: &State) -> Order {
    let mut versions = Order::default();
    versions.add(state.hand.offer.0);
    for process in &state.processes {
        versions.add(process.hands.shown.0);
        versions.add(process.hands.read.0);
    }
    state.facts.deals.named.iter().for_each(|version| versions.add(version.0));
    versions
}

/// Numbers in the order of their first appearance.
#[derive(Clone, Copy, Default)]
struct Order {
    numbers: [u8; VERSIONS],
    count: usize,
}

impl Order {
    fn add(&mut self, number: u8) {
        if usize::from(number) < VERSIONS && self.place(number).is_none() {
            self.numbers[self.count] = number;
            self.count += 1;
        }
    }

    fn place(&self, number: u8) -> Option<usize> {
        self.iter().position(|known| known == number)
    }

    fn iter(&self) -> impl Iterator<Item = u8> {
        self.numbers.into_iter().take(self.count)
    }
}

/// Drops what no transition looks at any more.
pub fn strip(state: &mut State) {
    let offer = state.hand.offer;
    // What lives and what was struck follows from the values.
    (state.alive, state.ended) = (Set::EMPTY, Set::EMPTY);
    state.hand.lost = state.hand.lost.but(kept(state));
    for process in &mut state.processes {
        let hands = &mut process.hands;
        // A version that is gone does not come back.
        if hands.read != offer && hands.read != hands.shown {
            (hands.read, hands.read_beside, hands.judged) = (Version::NONE, Set::EMPTY, Judged::Missing);
        }
        process.remembered = Token::NONE;
        // The next pass forgets what the ledger does not know.
        if process.at == At::Idle {
            hands.values = hands.values.both(state.object.book.known());
        }
    }
    let visible = |process: &Process| [process.hands.shown, process.hands.read];
    let [one, two] = state.processes.each_ref().map(visible);
    let visible = [one[0], one[1], two[0], two[1], offer];
    let deals = state.facts.deals;
    let mut matters = names(&state.object);
    for process in state.processes.iter().filter(|process| process.at != At::Idle) {
        matters = matters.and(names(&process.object));
    }
    for claim in (0..SLOTS as u8).map(Token) {
        let named = deals.named(claim);
        let seen = visible.iter().any(|version| version.index().is_some() && deals.uid(*version) == deals.uid(named));
        state.facts.deals.named[usize::from(claim.0)] = match () {
            () if !matters.has(claim) => Version::NONE,
            () if seen => named,
            () => Version::GONE,
        };
    }
}

/// The claims whose hand-over Secret the decision compares.
fn names(object: &Object) -> Set {
    let Book { claim, current, handed, .. } = object.book;
    Set::of(claim).with(current).both(handed)
}

/// Numbers values and versions by their first appearance, and forgets those that nothing refers to.
pub fn renumber(state: &mut State, claims: Set) {
    for claim in (0..SLOTS as u8).map(Token).filter(|claim| !claims.has(*claim)) {
        state.facts.deals.values[usize::from(claim.0)] = Token::NONE;
    }
    renumber_versions(state);
    renumber_values(state, claims);
    let deals = state.facts.deals;
    let with = |values: Set| claims.iter().filter(|claim| values.has(deals.value(*claim))).fold(Set::EMPTY, Set::with);
    (state.alive, state.ended) = (with(state.hand.living), with(state.hand.struck));
}

fn renumber_versions(state: &mut State) {
    let used = versions_in_use(state);
    let moved = |version: Version| used.place(version.0).map_or(version, |place| Version(place as u8));
    let before = state.facts.deals;
    let mut versions = Deals::NONE.versions;
    for (place, version) in used.iter().map(Version).enumerate() {
        let same = |other: u8| before.uid(Version(other)) == before.uid(version);
        let uid = used.iter().position(same).unwrap_or(place);
        versions[place] = Offered { uid: uid as u8, value: before.brought(version) };
    }
    state.facts.deals.versions = versions;
    state.facts.deals.named = before.named.map(moved);
    state.hand.offer = moved(state.hand.offer);
    for process in &mut state.processes {
        process.hands.shown = moved(process.hands.shown);
        process.hands.read = moved(process.hands.read);
    }
}

fn renumber_values(state: &mut State, claims: Set) {
    let deals = state.facts.deals;
    let mut order = Order::default();
    let versions = versions_in_use(state);
    let offered = versions.iter().map(|version| deals.brought(Version(version)));
    let rest = used_values(state, claims);
    for value in claims.iter().map(|claim| deals.value(claim)).chain(offered).chain(rest.iter()) {
        order.add(value.0);
    }
    let moved = |value: Value| order.place(value.0).map_or(Token::NONE, |place| Token(place as u8));
    state.facts.deals.values = deals.values.map(moved);
    for offered in &mut state.facts.deals.versions {
        offered.value = moved(offered.value);
    }
    let hand = &mut state.hand;
    for set in [&mut hand.living, &mut hand.struck, &mut hand.taken, &mut hand.lost, &mut hand.let_go] {
        *set = set.iter().map(moved).fold(Set::EMPTY, Set::with);
    }
}

/// Other claims that took up the same value before and are in no ledger. What they left in a Secret left it earlier.
pub fn copies(state: &State, claim: Token) -> Set {
    let deals = &state.facts.deals;
    let value = deals.value(claim);
    let known = state.object.book.known().with(state.object.book.claim).with(state.secret.data);
    let same = |other: &Token| value != Token::NONE && deals.value(*other) == value;
    (0..SLOTS as u8).map(Token).filter(same).fold(Set::EMPTY, Set::with).but(known)
}

/// Whether this Secret, as a process read it, shows the value of this claim.
pub fn shows(secret: &Secret, claim: Token) -> bool {
    secret.exists && secret.id == claim && secret.data == claim
}
