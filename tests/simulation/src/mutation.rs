//! The product with one rule broken, as its world sees it.
//!
//! The product itself has no switch for this: each mutation stands at its border and changes what goes out or comes in, so that it acts
//! as a product would that lacks the rule. A simulation that finds none of these would prove nothing.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::act::Kind;
use crate::api_server::{ApiServer, Outcome, Place, Refusal};
use crate::fate::Class;
use crate::objects;
use crate::services::{Asked, Books, Odd, Token};

/// One broken rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutation {
    /// A lost answer of *generate* counts as "nothing happened".
    LostIsNo,
    /// Records are not checked against the version that they were decided on.
    RecordUnchecked,
    /// A publish is not checked against the Secret that it was computed from.
    PublishUnchecked,
    /// The claim is not recorded before *generate*.
    ClaimUnrecorded,
    /// No finalizer holds an object.
    NoFinalizer,
    /// The token that was replaced is ended at once.
    NoOverlap,
    /// The limit of a service is not kept.
    LimitIgnored,
    /// A `Retry-After` is not read.
    PauseIgnored,
    /// A revoke is believed to be done without asking.
    RevokeForgotten,
    /// A token is believed to work without trying it.
    VerifyForgotten,
    /// A list is believed to be empty: what is not known is not looked for.
    ListForgotten,
    /// A Secret is taken without looking whose it is.
    OwnerUnchecked,
    /// The clock stands still.
    ClockStopped,
    /// A request is repeated by the client, below the record.
    SentTwice,
    /// What a hand did to a Secret is not noticed.
    DriftUnseen,
    /// A Secret that may not be read counts as absent.
    ForbiddenIsMissing,
    /// The write of a Secret is not tried before a token is asked for.
    PreflightForgotten,
    /// A service that does not know an id is believed: its token counts as dead.
    GoneBelieved,
    /// A list that does not have a token is believed: nobody asks about it any more.
    MissingIsDead,
    /// A page without rows is the last one.
    EmptyPageIsEnd,
    /// A Lease that somebody holds looks free to whoever lists it.
    LeaseLooksFree,
}

/// All of them.
pub const MUTATIONS: [Mutation; 21] = [
    Mutation::LostIsNo,
    Mutation::RecordUnchecked,
    Mutation::PublishUnchecked,
    Mutation::ClaimUnrecorded,
    Mutation::NoFinalizer,
    Mutation::NoOverlap,
    Mutation::LimitIgnored,
    Mutation::PauseIgnored,
    Mutation::RevokeForgotten,
    Mutation::VerifyForgotten,
    Mutation::ListForgotten,
    Mutation::OwnerUnchecked,
    Mutation::ClockStopped,
    Mutation::SentTwice,
    Mutation::DriftUnseen,
    Mutation::ForbiddenIsMissing,
    Mutation::PreflightForgotten,
    Mutation::GoneBelieved,
    Mutation::MissingIsDead,
    Mutation::EmptyPageIsEnd,
    Mutation::LeaseLooksFree,
];

impl Mutation {
    /// What becomes of a request of the operator to the API server.
    pub(crate) fn of_request(self, server: &ApiServer, method: &Method, path: &str, body: &mut Value) {
        let place = Place::parse(path);
        let there = || server.get(place.plural, place.namespace, place.name?);
        match self {
            Self::RecordUnchecked if method == Method::PUT && place.plural == "artifacttokens" => {
                if let Some(now) = there() {
                    body["metadata"]["resourceVersion"] = now["metadata"]["resourceVersion"].clone();
                }
            }
            Self::PublishUnchecked if method == Method::PATCH && place.plural == "secrets" => {
                body["metadata"].as_object_mut().map(|fields| fields.remove("resourceVersion"));
            }
            Self::ClaimUnrecorded if method == Method::PUT && place.plural == "artifacttokens" => {
                body["status"].as_object_mut().map(|fields| fields.remove("claim"));
            }
            _ => {}
        }
    }

    /// What the operator believes to have recorded, although it has not.
    pub(crate) fn unrecorded(self, path: &str, body: &Value) -> Option<Value> {
        let of_status = Place::parse(path).plural == "artifacttokens" && body["status"]["claim"].is_object();
        (self == Self::ClaimUnrecorded && of_status).then(|| body["status"]["claim"].clone())
    }

    /// What becomes of the API server's answer.
    pub(crate) fn of_answer(self, server: &ApiServer, path: &str, value: &mut Value) {
        let place = Place::parse(path);
        if let (Self::LeaseLooksFree, Some(leases)) = (self, value["items"].as_array_mut())
            && place.plural == "leases"
        {
            leases.iter_mut().for_each(|lease| lease["spec"]["holderIdentity"] = json!(""));
        }
        let index = place.name.and_then(objects::index_of);
        if let (Self::OwnerUnchecked, "secrets", Some(index)) = (self, place.plural, index)
            && let Some(object) = server.get("artifacttokens", place.namespace, &objects::name_of(index))
        {
            let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
            let owner = format!("ArtifactToken/{}/{}/{uid}", place.namespace, objects::name_of(index));
            value["metadata"]["annotations"]["artifact-token.dev/owner"] = json!(owner);
        }
    }

    /// What happens in the lives that can show it; nothing for those that any life can show.
    pub fn about(self) -> &'static [Kind] {
        match self {
            Self::PublishUnchecked => &[Kind::Fault, Kind::Fault, Kind::Fault, Kind::Fault, Kind::Rotate],
            Self::LostIsNo => &[Kind::Fault, Kind::Fault, Kind::Fault, Kind::Delete, Kind::Rotate],
            Self::ListForgotten => &[Kind::Fault; 4],
            Self::RecordUnchecked => &[Kind::Second, Kind::Rotate, Kind::EditSecret],
            Self::NoOverlap | Self::VerifyForgotten | Self::RevokeForgotten | Self::ClaimUnrecorded => &[Kind::Rotate],
            Self::PauseIgnored => &[Kind::Throttle, Kind::Rotate],
            Self::OwnerUnchecked => &[Kind::Squat, Kind::Forge],
            Self::ClockStopped => &[Kind::ClockStep, Kind::Rotate],
            Self::DriftUnseen => &[Kind::EditSecret, Kind::DeleteSecret],
            Self::ForbiddenIsMissing => &[Kind::Api, Kind::Api, Kind::Delete],
            Self::PreflightForgotten => &[Kind::Api, Kind::Rotate],
            Self::GoneBelieved => &[Kind::OtherAccount, Kind::Rotate],
            Self::MissingIsDead => &[Kind::OddList, Kind::Rotate],
            Self::EmptyPageIsEnd => &[Kind::EmptyPages, Kind::Fault, Kind::Fault],
            Self::LeaseLooksFree => &[Kind::Second; 3],
            // Many tokens at once.
            Self::LimitIgnored => &[Kind::LeakAll; 3],
            Self::NoFinalizer | Self::SentTwice => &[],
        }
    }

    /// The laws that say what the rule is for. One that is broken beside it by chance proves nothing.
    pub fn found_by(self) -> &'static [&'static str] {
        match self {
            // One claim would be worth two tokens (P2), and nobody knows the first.
            Self::LostIsNo | Self::SentTwice => &["S4", "L1", "L3"],
            // Two processes overwrite what the other has recorded: a claim, a token, an outcome.
            Self::RecordUnchecked => &["S1", "S2", "S4", "consumer", "L1", "L3"],
            // A publish of long ago replaces a newer token (P4, P5).
            Self::PublishUnchecked => &["S1", "consumer", "L1"],
            // Nothing may be asked for without the record.
            Self::ClaimUnrecorded => &["S4"],
            Self::NoFinalizer => &["S4", "L3", "P13"],
            Self::NoOverlap => &["S2", "consumer"],
            Self::LimitIgnored => &["limit"],
            Self::PauseIgnored => &["L6"],
            // What should be dead lives: of an object, of one that is gone, of a leak.
            Self::RevokeForgotten => &["L1", "L3", "L7"],
            // Ready without a question, or with a dead token.
            Self::VerifyForgotten => &["S13", "L1", "consumer"],
            // What nobody has recorded is never found.
            Self::ListForgotten | Self::EmptyPageIsEnd => &["L1", "L3"],
            Self::OwnerUnchecked => &["S8"],
            // Somebody takes the Lease of a holder that lives.
            Self::LeaseLooksFree => &["L7"],
            // No overlap ever ends, and nothing is ever due.
            Self::ClockStopped => &["L1", "L2", "L3"],
            Self::DriftUnseen => &["L5", "L1"],
            // The Secret is left, or a token is made for one that is thought to be absent.
            Self::ForbiddenIsMissing => &["P13", "P15", "tokens"],
            Self::PreflightForgotten => &["P15", "tokens"],
            // A token that lives is taken for dead.
            Self::GoneBelieved | Self::MissingIsDead => &["L1", "L3", "L7"],
        }
    }

    /// What becomes of a refusal of the API server.
    pub(crate) fn of_refusal(self, server: &ApiServer, path: &str, dry: bool, body: &Value, refusal: &mut Outcome) {
        let place = Place::parse(path);
        let Err(Refusal(code, ..)) = refusal else { return };
        if place.plural != "secrets" {
            return;
        }
        match self {
            Self::ForbiddenIsMissing if *code == 403 && body.is_null() => {
                *refusal = match place.name {
                    Some(_) => Err(Refusal(404, "NotFound", "not found".into())),
                    None => Ok((
                        StatusCode::OK,
                        json!({"apiVersion": "v1", "kind": "SecretList", "metadata": {"resourceVersion": "1"}, "items": []}),
                    )),
                };
            }
            Self::PreflightForgotten if dry => {
                let there = place.name.and_then(|name| server.get("secrets", place.namespace, name));
                *refusal = Ok((StatusCode::OK, there.map_or_else(|| body.clone(), |there| Value::clone(&there))));
            }
            _ => {}
        }
    }

    /// What becomes of a call to a service that it would rather not believe: the status, if it is another one.
    pub(crate) fn of_answer_of_service(self, books: &mut Books, asked: &Asked<'_>, status: u16) -> Option<u16> {
        let id = asked.url.path().rsplit('/').next().unwrap_or_default().to_owned();
        match (self, asked.class) {
            (Self::GoneBelieved, Class::Revoke) if status == 404 => _ = books.believed_dead.insert(id),
            (Self::GoneBelieved, Class::Verify) => {
                let token = books.tokens.iter().find(|token| token.value == asked.bearer)?;
                return books.believed_dead.contains(&token.id).then_some(401);
            }
            _ => {}
        }
        None
    }

    /// Whether it takes a token for dead that a list leaves out, and says so instead of the service.
    pub(crate) fn skips(self, books: &Books, asked: &Asked<'_>) -> Option<u16> {
        let of = |token: &Token| match asked.class {
            Class::Verify => token.value == asked.bearer,
            _ => asked.url.path().ends_with(&format!("/{}", token.id)),
        };
        let number = books.tokens.iter().position(of)?;
        let missing = matches!((books.odd(), number % 2), (Some(Odd::Empty), _) | (Some(Odd::Forgets), 1));
        match (self, asked.class) {
            (Self::MissingIsDead, Class::Verify) if missing => Some(401),
            (Self::MissingIsDead, Class::Revoke) if missing => Some(404),
            _ => None,
        }
    }

    /// The status that a service's call is answered with, without being performed.
    pub(crate) fn of_call(self, class: Class) -> Option<u16> {
        match (self, class) {
            (Self::RevokeForgotten, Class::Revoke) => Some(204),
            (Self::VerifyForgotten, Class::Verify) => Some(200),
            _ => None,
        }
    }

    /// The API server's clock, as the operator reads it.
    pub(crate) fn of_clock(self, api_server: DateTime<Utc>, elapsed: Duration) -> DateTime<Utc> {
        if self == Self::ClockStopped { api_server - elapsed } else { api_server }
    }

    /// The limit that the operator knows.
    pub(crate) fn limit(self, per_minute: u32) -> u32 {
        if self == Self::LimitIgnored { 6000 } else { per_minute }
    }

    /// The overlap that the operator knows, in seconds.
    pub(crate) fn overlap(self, seconds: u32) -> u32 {
        if self == Self::NoOverlap { 0 } else { seconds }
    }

    /// Whether an object goes at once when it is deleted.
    pub(crate) fn has_no_finalizers(self) -> bool {
        self == Self::NoFinalizer
    }
}
