//! The abstract inputs of the decision: axes, each a short list of named values, the steady one first.
//!
//! A combination picks one value of every axis. The axes are applied in their order, so that a later one may look at what an earlier
//! one made: the attempt in flight is that of the ledger's open claim, and its expected hashes are those of the Secret.
//!
//! The numbers are always the same: attempt 2 (`old`) is superseded, attempt 3 (`current`) is current, attempt 4 (`new`) is under way.
//! With an empty ledger the attempt under way is the finalizer's, 1.

use std::time::Duration;

use artifact_token_operator::api::ids::{Nonce, TokenId};
use artifact_token_operator::api::ledger::{
    Claim, Failures, HandOver, LeakTimes, Lost, Outcome, Proof, Revoked, Unclear,
};
use artifact_token_operator::api::reason::Reason;
use artifact_token_operator::api::time::Time;
use artifact_token_operator::rotation::desired::{Desired, Halt, Instructions, Timings};
use artifact_token_operator::rotation::observed::{
    Companion, Content, Facts, Former, InFlight, Leave, Object, Observed, Offer, OfferState, Others, Ours, Pauses, Row,
    SecretState, Secrets, Service, ServiceSeen, Verdict,
};

/// The time of every decision here.
pub const NOW: Time = Time::from_millis(1_800_000_000_000);
/// A publish has 120 s, and a claim settles after 150 s.
pub const TIMINGS: Timings = Timings {
    token_settle: seconds(60),
    publish_deadline: seconds(120),
    claim_settle: seconds(150),
    first_retry: seconds(30),
    refusal_settle: seconds(60),
};
const DAY: u64 = 24 * 3600;

/// The input of one decision.
#[derive(Clone)]
pub struct World {
    pub desired: Desired,
    pub observed: Observed,
}

/// A value: its name, and how it changes the world.
pub type Value = (&'static str, fn(&mut World));

/// One input: its name and its values.
pub struct Axis {
    pub name: &'static str,
    pub values: &'static [Value],
}

/// All inputs. Each from `verdict` on sets one field, whatever its value was.
pub const AXES: [Axis; 16] = [
    Axis { name: "object", values: OBJECT },
    Axis { name: "ledger", values: super::ledgers::LEDGER },
    Axis { name: "Secret", values: SECRET },
    Axis { name: "read", values: READ },
    Axis { name: "in flight", values: IN_FLIGHT },
    Axis { name: "listing", values: LISTING },
    Axis { name: "spec", values: SPEC },
    Axis { name: "service", values: SERVICE },
    Axis { name: "verdict", values: VERDICT },
    Axis { name: "back-off", values: BACK_OFF },
    Axis { name: "dry-run", values: DRY_RUN },
    Axis { name: "previous", values: PREVIOUS },
    Axis { name: "pauses", values: PAUSES },
    Axis { name: "offer", values: OFFER },
    Axis { name: "kept", values: KEPT },
    Axis { name: "asked", values: ASKED },
];

/// The axes from this index on are about tokens that a person makes. The service of the value `by hand` has such tokens alone.
pub const BY_HAND: usize = 13;

/// The axes before this index make the world; each of the others sets one field.
pub const SCALARS: usize = 8;

const OBJECT: &[Value] = &[
    ("living", |_| {}),
    ("no finalizer", |world| world.observed.object.finalizer = false),
    ("deleting", |world| world.observed.object.deleting = true),
    ("deleting, Orphan", |world| {
        (world.observed.object.deleting, world.observed.object.leave) = (true, Some(Leave::Orphan))
    }),
    ("deleting, skip", |world| {
        (world.observed.object.deleting, world.observed.object.leave) = (true, Some(Leave::Skip))
    }),
    ("deleting, no finalizer", |world| {
        (world.observed.object.deleting, world.observed.object.finalizer) = (true, false)
    }),
];

const SECRET: &[Value] = &[
    ("current", |world| hold(world, ours(3, Some(&current_id(world)), Content::Token, 1))),
    ("absent", |world| world.observed.secrets.seen[0].state = SecretState::Absent),
    ("foreign", |world| {
        world.observed.secrets.seen[0].state = SecretState::Foreign(Halt::stalled(Reason::SecretConflict, "foreign"));
    }),
    ("immutable", |world| {
        let halt = Halt::stalled(Reason::SecretConflict, "immutable");
        world.observed.secrets.seen[0].state = SecretState::Unwritable(halt);
    }),
    ("placeholder", |world| {
        let fence = under_way(world) - 1;
        hold(world, Ours { fence, rendered: false, ..ours(0, None, Content::Empty, 2) });
    }),
    ("current, old form", |world| {
        hold(world, Ours { rendered: false, ..ours(3, Some(&current_id(world)), Content::Token, 3) })
    }),
    ("current, fenced", |world| hold(world, Ours { fence: 4, ..ours(3, Some(&current_id(world)), Content::Token, 4) })),
    ("current, edited", |world| {
        hold(world, Ours { rendered: false, ..ours(3, Some(&current_id(world)), Content::Edited, 5) })
    }),
    ("new", |world| hold(world, ours(under_way(world), Some(&new_id(world)), Content::Token, 6))),
    ("new, edited", |world| {
        hold(world, Ours { rendered: false, ..ours(under_way(world), Some(&new_id(world)), Content::Edited, 7) });
    }),
    ("old", |world| hold(world, ours(2, Some("old"), Content::Token, 8))),
    ("former", |world| {
        let former = Former { id: Some(token_id("theirs")), content_hash: 9 };
        world.observed.secrets.seen[0].state = SecretState::Former(former);
    }),
];

const READ: &[Value] = &[("live", |_| {}), ("remembered", |world| world.observed.secrets.seen[0].live = false)];

const IN_FLIGHT: &[Value] = &[
    ("nothing", |_| {}),
    ("claim", |world| claim(world, under_way(world), 60)),
    ("claim, late", |world| claim(world, under_way(world), 0)),
    ("claim, overtaken", |world| claim(world, 2, 60)),
    ("value", |world| value(world, None, (60, 10), false)),
    ("value, accepted", |world| value(world, Some(Verdict::Accepted), (60, 10), false)),
    ("value, refused", |world| value(world, Some(Verdict::Refused), (60, 10), false)),
    ("value, refused, settled", |world| value(world, Some(Verdict::Refused), (20, 60), false)),
    ("value, late", |world| value(world, Some(Verdict::Accepted), (0, 110), false)),
    ("value, sent", |world| value(world, Some(Verdict::Accepted), (60, 10), true)),
    ("value, sent, late", |world| value(world, Some(Verdict::Accepted), (0, 110), true)),
    ("value, Secret changed", |world| {
        value(world, Some(Verdict::Accepted), (60, 10), false);
        if let InFlight::Value { expected, .. } = &mut world.observed.in_flight {
            *expected = vec![Some(99)];
        }
    }),
];

const LISTING: &[Value] = &[
    ("none", |_| {}),
    ("empty", |world| world.observed.service.listing = Some(vec![])),
    // A token of a lost claim, or from before the ledger was lost.
    ("below fence", |world| {
        if world.observed.ledger.highest_attempt() >= 3 {
            world.observed.ledger.lost.push(Lost { attempt: 2, nonce: nonce("b2"), time: ago(3600) });
        }
        list(world, row(2, "below", "b2"));
    }),
    ("never claimed", |world| list(world, row(9, "other-cluster", "n9"))),
    ("of another nonce", |world| list(world, row(3, "other-cluster", "x3"))),
    ("new", |world| list(world, row(under_way(world), "new", nonce_under_way(world)))),
    ("of others", |world| {
        world.observed.service.listing = Some(vec![]);
        world.observed.service.lists_others = true;
    }),
    ("new, unknown id", |world| list(world, row(under_way(world), "other-cluster", nonce_under_way(world)))),
];

const SPEC: &[Value] = &[
    ("as it is", |_| {}),
    ("rotation due", rotation_due),
    ("suspended", |world| {
        rotation_due(world);
        world.desired.suspended = true;
    }),
    ("invalid", |world| {
        rotation_due(world);
        world.desired.halt = Some(Halt::stalled(Reason::InvalidSpec, "invalid"));
    }),
    ("forbidden", |world| {
        rotation_due(world);
        world.observed.facts.halt = Some(Halt::passing(Reason::NamespaceTerminating, "ending"));
    }),
    ("suspended, leaked", |world| {
        world.desired.suspended = true;
        world.desired.revoke_issued_before.object = Some(NOW);
    }),
    ("leak to come", |world| world.desired.revoke_issued_before.object = Some(in_seconds(60))),
    ("confirmed", |world| world.observed.object.requests.confirm = Some("yes".to_owned())),
    ("no probe", |world| world.desired.probe = false),
    ("verification due", |world| world.observed.facts.accepted = Some(ago(13 * 3600))),
    ("suspected", |world| world.observed.service.suspected = true),
    ("doubtful", |world| world.observed.facts.doubtful = true),
    ("refused three times", |world| world.observed.facts.refusals = 3),
    ("refused once here", |world| world.observed.facts.refusals = 1),
    ("answer unclear", |world| world.observed.facts.unclear = Some(unclear())),
];

/// What *verify* says for a minute says nothing.
pub fn unclear() -> Unclear {
    Unclear { since_time: ago(60), message: "status 418".to_owned() }
}

/// A service that can do everything.
const NAMED: ServiceSeen = ServiceSeen { attributable: true, same_origin: true, trusted: true, by_hand: false };

/// A service whose tokens a person makes.
const MADE_BY_HAND: ServiceSeen = ServiceSeen { attributable: false, by_hand: true, ..NAMED };

const SERVICE: &[Value] = &[
    ("named", |_| {}),
    ("nameless", |world| {
        world.observed.service.seen = Some(ServiceSeen { attributable: false, ..NAMED });
    }),
    ("elsewhere", |world| {
        world.observed.service.seen = Some(ServiceSeen { same_origin: false, ..NAMED });
    }),
    ("in doubt", |world| {
        world.observed.service.seen = Some(ServiceSeen { trusted: false, ..NAMED });
        world.observed.facts.halt = Some(Halt::stalled(Reason::OriginDoubtful, "in doubt"));
    }),
    ("refuses most", |world| {
        world.observed.service.seen = Some(ServiceSeen { trusted: false, ..NAMED });
    }),
    ("accepts others", |world| {
        let just_now = Some(ago(1));
        world.observed.service.others =
            Others { answered: just_now, accepted: just_now, forgiven: None, accepts_own: false };
    }),
    ("refuses others", |world| world.observed.service.others.answered = Some(ago(1))),
    ("by hand", |world| world.observed.service.seen = Some(MADE_BY_HAND)),
    ("by hand, refuses most", |world| {
        world.observed.service.seen = Some(ServiceSeen { trusted: false, ..MADE_BY_HAND });
    }),
    ("missing", |world| {
        world.observed.service.seen = None;
        world.observed.facts.halt = Some(Halt::passing(Reason::ServiceNotFound, "missing"));
    }),
];

const VERDICT: &[Value] = &[
    ("none", |world| world.observed.facts.verdict = None),
    ("accepted", |world| world.observed.facts.verdict = Some(Verdict::Accepted)),
    ("refused", |world| world.observed.facts.verdict = Some(Verdict::Refused)),
];

const BACK_OFF: &[Value] = &[
    ("over", |world| world.observed.ledger.failures = None),
    ("runs", |world| {
        world.observed.ledger.failures = Some(Failures {
            count: 1,
            next_try_time: in_seconds(30),
            generation: world.observed.object.generation,
            reason: Reason::TokenGenerationFailed,
            message: String::new(),
        });
    }),
];

const DRY_RUN: &[Value] =
    &[("no", |world| world.observed.facts.preflight = false), ("done", |world| world.observed.facts.preflight = true)];

const PREVIOUS: &[Value] = &[
    ("gone", |world| world.observed.facts.holds_previous = false),
    ("held", |world| world.observed.facts.holds_previous = true),
];

const PAUSES: &[Value] = &[
    ("none", |world| world.observed.facts.pauses = Pauses::default()),
    ("all", |world| {
        let all = Some(in_seconds(5));
        world.observed.facts.pauses = Pauses {
            generate: all,
            verify: all,
            sweep: all,
            revoke: all,
            secret: all,
            offer: all,
            drift: all,
            leak: all,
        };
    }),
    ("no turn", |world| {
        world.observed.facts.pauses = Pauses::default();
        world.observed.facts.turn = false;
    }),
    ("drift", |world| {
        world.observed.facts.pauses = Pauses { drift: Some(in_seconds(5)), ..Pauses::default() };
    }),
];

const OFFER: &[Value] = &[
    ("none", |world| world.observed.by_hand.offer = None),
    ("unread", |world| offer(world, OfferState::Unread)),
    ("ready", |world| offer(world, OfferState::Ready)),
    ("taken", |world| offer(world, OfferState::Taken)),
    ("refused", |world| offer(world, OfferState::Refused("wrong".to_owned()))),
    ("another", |world| {
        offer(world, OfferState::Ready);
        world.observed.by_hand.offer.as_mut().unwrap().secret.uid = "another".to_owned();
    }),
];

fn offer(world: &mut World, state: OfferState) {
    world.observed.by_hand.offer = Some(Offer { secret: handed_over(), state });
}

/// The Secret with which a person hands over a token.
pub fn handed_over() -> HandOver {
    HandOver { uid: "offer".to_owned(), resource_version: "7".to_owned() }
}

const KEPT: &[Value] = &[
    ("nothing", |world| keep(world, Companion::Absent)),
    ("stale", |world| {
        keep(world, Companion::Absent);
        world.observed.by_hand.companion_stale = true;
    }),
    ("unread", |world| keep(world, Companion::Unread)),
    ("foreign", |world| {
        let halt = Halt::stalled(Reason::SecretConflict, "foreign");
        keep(world, Companion::Foreign(halt));
    }),
    ("current", |world| keep(world, Companion::Ours(vec![TokenId::of_hand_over(3)]))),
    ("a dead one", |world| {
        let (id, nonce) = (TokenId::of_hand_over(1), nonce("n1"));
        keep(world, Companion::Ours(vec![id.clone()]));
        let dead = Revoked { attempt: 1, id, nonce, revoked_time: ago(60), proof: Proof::Refused };
        world.observed.ledger.history.push(dead);
    }),
];

fn keep(world: &mut World, companion: Companion) {
    world.observed.ledger.history.retain(|dead| dead.id != TokenId::of_hand_over(1));
    world.observed.by_hand.companion = companion;
    world.observed.by_hand.companion_stale = false;
}

const ASKED: &[Value] = &[
    ("long ago", |world| world.observed.by_hand.asked.clear()),
    ("just now", |world| {
        let all = [2, 3].map(|attempt| (TokenId::of_hand_over(attempt), in_seconds(50)));
        world.observed.by_hand.asked = all.into();
    }),
];

/// The steady world: attempt 3 is current, was verified a day ago and is in the Secret; no token is wanted.
pub fn steady() -> World {
    let desired = Desired {
        halt: None,
        suspended: false,
        interval: Some(seconds(30 * DAY)),
        spread: Duration::ZERO,
        rotate_before: None,
        overlap: seconds(600),
        rotate_issued_before: None,
        revoke_issued_before: LeakTimes::default(),
        probe: true,
        verification_interval: seconds(12 * 3600),
        request_digest: "digest".to_owned(),
        by_hand: Instructions::default(),
        timings: TIMINGS,
    };
    let state = SecretState::Ours(ours(3, Some("current"), Content::Token, 1));
    let observed = Observed {
        object: Object { finalizer: true, generation: 1, created: ago(3 * DAY), ..Object::default() },
        ledger: super::ledgers::verified(),
        secrets: Secrets::one(true, state),
        service: Service { seen: Some(NAMED), ..Service::default() },
        facts: Facts { accepted: Some(ago(1)), refusals: 2, turn: true, ..Facts::default() },
        ..Observed::default()
    };
    World { desired, observed }
}

pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub fn ago(count: u64) -> Time {
    NOW.minus(seconds(count))
}

pub fn in_seconds(count: u64) -> Time {
    NOW.plus(seconds(count))
}

fn rotation_due(world: &mut World) {
    world.desired.rotate_issued_before = Some(NOW);
}

/// The attempt under way: that of the open claim, or else the one after the current token's.
fn under_way(world: &World) -> u32 {
    world.observed.open_claim().map_or(4, |claim| claim.attempt)
}

/// The id of the current token.
fn current_id(world: &World) -> String {
    let by_hand = world.observed.ledger.current.as_ref().filter(|current| current.hand_over.is_some());
    by_hand.map_or_else(|| "current".to_owned(), |current| current.id.to_string())
}

/// The id of the token that is under way.
fn new_id(world: &World) -> String {
    let by_hand = world.observed.open_claim().filter(|claim| claim.hand_over.is_some());
    by_hand.map_or_else(|| "new".to_owned(), |claim| TokenId::of_hand_over(claim.attempt).to_string())
}

fn nonce_under_way(world: &World) -> &'static str {
    if under_way(world) == 1 { "0" } else { "n4" }
}

fn ours(attempt: u32, id: Option<&str>, content: Content, content_hash: u64) -> Ours {
    let id = id.map(token_id);
    Ours { attempt, id, fence: attempt, content, rendered: true, content_hash }
}

fn hold(world: &mut World, ours: Ours) {
    world.observed.secrets.seen[0].state = SecretState::Ours(ours);
}

fn row(attempt: u32, id: &str, nonce: &str) -> Row {
    Row::new(token_id(id), attempt, self::nonce(nonce))
}

fn list(world: &mut World, row: Row) {
    world.observed.service.listing = Some(vec![row]);
}

fn claim(world: &mut World, attempt: u32, left: u64) {
    world.observed.in_flight = InFlight::Claim { attempt, deadline: in_seconds(left) };
}

fn value(world: &mut World, trial: Option<Verdict>, (left, age): (u64, u64), sent: bool) {
    let (attempt, deadline, issued) = (under_way(world), in_seconds(left), ago(age));
    let expected = world.observed.secrets.expected();
    world.observed.in_flight =
        InFlight::Value { attempt, id: token_id(&new_id(world)), deadline, issued, trial, expected, sent };
}

pub fn token_id(text: &str) -> TokenId {
    TokenId::new(text).unwrap()
}

pub fn nonce(text: &str) -> Nonce {
    Nonce::new(text).unwrap()
}

/// A claim `age` seconds old.
pub fn claimed(attempt: u32, age: u64, outcome: Option<Outcome>) -> Claim {
    let nonce = if attempt == 1 { Nonce::first() } else { nonce(&format!("n{attempt}")) };
    Claim {
        attempt,
        nonce,
        time: ago(age),
        request_digest: "digest".to_owned(),
        request: None,
        hand_over: None,
        outcome,
    }
}
