//! The setup of a run: what may happen in it.

use super::hand::{Deals, Hand};
use super::mutations::Mutation;
use super::tokens::Set;
use super::world::{FAULTS, Facts, Object, PROCESSES, Process, Secret, State, Sweep};

/// What may go wrong in a run, a limited number of times or without a limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A process crashes and loses its memory.
    Crash,
    /// A person asks for a rotation.
    Rotate,
    /// A person withdraws the request for a rotation.
    Cancel,
    /// The service refuses a token that it accepts another time.
    Refuse,
    /// The service forgets a token that nobody revoked.
    Forget,
    /// A person deletes the Secret.
    DeleteSecret,
    /// A person writes something else into the Secret's data.
    EditData,
    /// A person wipes the Secret's annotations, but for the owner.
    EditMarks,
    /// A person writes a stranger's token and id into the Secret.
    Forge,
    /// The status is lost.
    LoseStatus,
    /// The object is deleted.
    DeleteObject,
    /// An answer is lost, or a write of the Secret arrives late.
    LoseAnswer,
    /// A person edits a label of the Secret.
    Touch,
    /// A revoke does not succeed.
    KeepAlive,
    /// The verification of the current token falls due.
    Due,
    /// The service refuses to make a token.
    Decline,
    /// A process sleeps past the deadline of its attempt in flight.
    Oversleep,
    /// A person says that the tokens made so far leaked.
    Leak,
    /// A person says that the tokens made up to a time in the future leaked.
    LeakAhead,
    /// After that leak was answered, a person says in the other place that the tokens made so far leaked.
    LeakElsewhere,
    /// Another cluster makes a token under this object's identity.
    OtherCluster,
    /// A person confirms that all tokens of this identity belong to this object.
    Confirm,
    /// A person takes the finalizer off.
    Strip,
    /// A person suspends the object, until somebody ends that.
    Suspend,
    /// The service refuses every token for a while.
    Doubt,
    /// The service's list does not come for a while.
    ListFails,
    /// The object goes at once, although its tokens live: somebody takes the finalizer off while it is being deleted.
    Vanish,
    /// A person creates an object of the same name after the first one is gone.
    Recreate,
    /// A person hands over a token that nobody asked for; where one is offered, it takes its place.
    Offer,
    /// A person takes the hand-over Secret away.
    Withdraw,
    /// A Secret comes back that hands over a token of the ledger again.
    OfferAgain,
    /// A person hands over a value that the service refuses.
    OfferWrong,
}

/// All of them.
const FAULTS_NAMED: [Fault; FAULTS] = [
    Fault::Crash,
    Fault::Rotate,
    Fault::Cancel,
    Fault::Refuse,
    Fault::Forget,
    Fault::DeleteSecret,
    Fault::EditData,
    Fault::EditMarks,
    Fault::Forge,
    Fault::LoseStatus,
    Fault::DeleteObject,
    Fault::LoseAnswer,
    Fault::Touch,
    Fault::KeepAlive,
    Fault::Due,
    Fault::Decline,
    Fault::Oversleep,
    Fault::Leak,
    Fault::LeakAhead,
    Fault::LeakElsewhere,
    Fault::OtherCluster,
    Fault::Confirm,
    Fault::Strip,
    Fault::Suspend,
    Fault::Doubt,
    Fault::ListFails,
    Fault::Vanish,
    Fault::Recreate,
    Fault::Offer,
    Fault::Withdraw,
    Fault::OfferAgain,
    Fault::OfferWrong,
];

/// No limit.
pub const ANY: u8 = u8::MAX;

/// A run.
#[derive(Clone, Debug)]
pub struct Setup {
    pub name: &'static str,
    pub processes: usize,
    /// Token slots; a claim that needs more is not taken.
    pub slots: usize,
    /// Tokens have names at the service.
    pub named: bool,
    /// The service is swept as a whole, and tokens without an object are revoked.
    pub sweeps: bool,
    /// The service has no *generate*, no list and no *revoke*: people make, hand over and revoke the tokens.
    pub by_hand: bool,
    pub faults: [u8; FAULTS],
    pub mutation: Option<Mutation>,
}

impl Setup {
    pub fn new(name: &'static str, processes: usize, slots: usize, faults: &[(Fault, u8)]) -> Self {
        let mut counts = [0; FAULTS];
        for (fault, count) in faults {
            counts[*fault as usize] = *count;
        }
        // Where the decision may ask a person, a person answers.
        if [Fault::OtherCluster, Fault::LoseStatus].into_iter().any(|fault| counts[fault as usize] > 0) {
            counts[Fault::Confirm as usize] = ANY;
        }
        Self { name, processes, slots, named: true, sweeps: false, by_hand: false, faults: counts, mutation: None }
    }

    pub fn nameless(self) -> Self {
        Self { named: false, ..self }
    }

    pub fn swept(self) -> Self {
        Self { sweeps: true, ..self }
    }

    pub fn by_hand(self) -> Self {
        Self { named: false, by_hand: true, ..self }
    }

    pub fn with(self, mutation: Mutation) -> Self {
        Self { mutation: Some(mutation), ..self }
    }

    /// Whether a value in memory can matter. It does only beside refusals and edits.
    pub fn remembers(&self) -> bool {
        let matters = [Fault::Refuse, Fault::Doubt, Fault::Forget, Fault::EditData, Fault::EditMarks, Fault::Forge];
        matters.into_iter().any(|fault| self.faults[fault as usize] > 0)
    }

    /// Whether the object may be deleted.
    pub fn deletes(&self) -> bool {
        self.faults[Fault::DeleteObject as usize] > 0
    }

    /// Its name, and the faults in it.
    pub fn title(&self) -> String {
        let shown = |fault: &&Fault| self.faults[**fault as usize] > 0 && **fault != Fault::Confirm;
        let features = FAULTS_NAMED.iter().filter(shown).map(|fault| match self.faults[*fault as usize] {
            1 => format!("{fault:?}"),
            ANY => format!("{fault:?} at any time"),
            count => format!("{fault:?} {count} times"),
        });
        let features = features.collect::<Vec<_>>().join(", ");
        match self.mutation {
            Some(mutation) => format!("mutation {mutation:?}"),
            None => format!("{}: {} slots, {features}", self.name, self.slots),
        }
    }

    pub fn broken(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    /// An object that was just created.
    pub fn initial(&self) -> State {
        // Where people make the tokens, no claim is implied whose age could matter.
        let deals = Deals { by_hand: self.by_hand, ..Deals::NONE };
        State {
            object: Object { exists: true, old: self.by_hand, ..Object::GONE },
            secret: Secret::ABSENT,
            alive: Set::EMPTY,
            requests: Set::EMPTY,
            ended: Set::EMPTY,
            asked: Set::EMPTY,
            claimed: Set::EMPTY,
            armed: Secret::ABSENT,
            creates: false,
            holders: Set::EMPTY,
            facts: Facts { deals, ..Facts::NONE },
            processes: [Process::IDLE; PROCESSES],
            sweep: Sweep::default(),
            hand: Hand::NONE,
            list_fails: false,
            budget: self.faults,
        }
    }
}

impl State {
    pub fn may(&self, fault: Fault) -> bool {
        self.budget[fault as usize] > 0
    }

    /// Whether this fault happened.
    pub fn spent(&self, setup: &Setup, fault: Fault) -> bool {
        self.budget[fault as usize] < setup.faults[fault as usize]
    }

    /// Takes one such fault from the budget.
    pub fn spend(&mut self, fault: Fault) {
        let left = &mut self.budget[fault as usize];
        if *left != ANY {
            *left -= 1;
        }
    }
}

/// What happened, for a trace.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// The process, or `None` for the world.
    pub who: Option<usize>,
    pub what: &'static str,
    pub number: u8,
}

/// A transition.
pub struct Move {
    pub label: Label,
    pub state: State,
    /// The invariant that the transition itself breaks.
    pub wrong: Option<&'static str>,
}
