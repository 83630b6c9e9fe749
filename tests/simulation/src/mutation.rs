//! The product with one rule broken, as its world sees it.
//!
//! The product itself has no switch for this: each mutation stands at its border and changes what goes out or comes in, so that it acts
//! as a product would that lacks the rule. A simulation that finds none of these would prove nothing.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::Method;
use serde_json::{Value, json};

use crate::api_server::{ApiServer, Place};
use crate::fate::Class;
use crate::objects;

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
}

/// All of them.
pub const MUTATIONS: [Mutation; 15] = [
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

    /// What becomes of the API server's answer.
    pub(crate) fn of_answer(self, server: &ApiServer, path: &str, value: &mut Value) {
        let place = Place::parse(path);
        let index = place.name.and_then(objects::index_of);
        if let (Self::OwnerUnchecked, "secrets", Some(index)) = (self, place.plural, index)
            && let Some(object) = server.get("artifacttokens", place.namespace, &objects::name_of(index))
        {
            let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
            let owner = format!("ArtifactToken/{}/{}/{uid}", place.namespace, objects::name_of(index));
            value["metadata"]["annotations"]["artifact-token.dev/owner"] = json!(owner);
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
