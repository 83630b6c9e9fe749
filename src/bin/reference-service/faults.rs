//! Faults on demand: which calls a fault hits, and what it does to them.

use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{LOCATION, RETRY_AFTER};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::{Answer, Delivery};
use crate::calls::Operation;

/// A fault that waits for its calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    operation: Target,
    #[serde(flatten)]
    kind: FaultKind,
    /// How many more calls it hits; without a number, all calls until somebody removes the fault.
    #[serde(default)]
    count: Option<u64>,
    /// How many calls it spares first.
    #[serde(default)]
    skip: u64,
}

/// Which calls a fault is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Target {
    Generate,
    Verify,
    List,
    Revoke,
    Any,
}

/// What happens to a call.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum FaultKind {
    /// It takes longer.
    Latency {
        milliseconds: u64,
        #[serde(default)]
        when: When,
    },
    /// It is answered with this status.
    Status {
        #[serde(with = "status_code")]
        status: StatusCode,
        #[serde(default)]
        retry_after: Option<String>,
        #[serde(default)]
        when: When,
    },
    /// It takes effect; half of the answer arrives.
    CutBody,
    /// It takes effect; the answer is a success that makes no sense.
    GarbageBody {
        #[serde(default)]
        body: Option<String>,
    },
    /// It takes effect; the answer does not end for a long time.
    HugeBody { bytes: u64 },
    /// It takes effect; no answer arrives.
    LoseAnswer,
    /// No answer arrives; it takes effect later.
    LandLate { milliseconds: u64 },
    /// It is redirected, without effect.
    Redirect { location: String },
}

/// On which side of the effect a fault strikes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    #[default]
    Before,
    After,
}

/// How a call goes on after the faults that strike before the effect.
#[derive(Debug)]
pub enum Course {
    /// The effect happens.
    Proceed,
    /// This is the answer; nothing happens.
    Answer(Answer),
    /// The connection ends; the effect happens after this time.
    LandLate(Duration),
}

/// Reads a list of faults. Unknown fields are errors: a misspelt fault would be a test that tests
/// nothing.
pub fn parse(body: &[u8]) -> Result<Vec<Fault>, String> {
    let given: Vec<Value> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    given.into_iter().map(parse_one).collect()
}

fn parse_one(given: Value) -> Result<Fault, String> {
    let fault: Fault = serde_json::from_value(given.clone()).map_err(|error| error.to_string())?;
    let understood = serde_json::to_value(&fault).map_err(|error| error.to_string())?;
    let fields = given.as_object().into_iter().flat_map(|fields| fields.keys());
    match fields.into_iter().find(|field| understood.get(field).is_none()) {
        Some(field) => Err(format!("unknown field `{field}`")),
        None => Ok(fault),
    }
}

/// The faults that hit this call, in their order; each counts it as a hit.
pub fn strike(faults: &mut [Fault], operation: Operation) -> Vec<FaultKind> {
    let hits = faults.iter_mut().filter_map(|fault| fault.strike(operation));
    hits.collect()
}

impl Fault {
    fn strike(&mut self, operation: Operation) -> Option<FaultKind> {
        if !self.operation.covers(operation) {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        if let Some(count) = self.count {
            self.count = Some(count.checked_sub(1)?);
        }
        Some(self.kind.clone())
    }
}

impl Target {
    fn covers(self, operation: Operation) -> bool {
        match self {
            Self::Any => true,
            Self::Generate => operation == Operation::Generate,
            Self::Verify => operation == Operation::Verify,
            Self::List => operation == Operation::List,
            Self::Revoke => operation == Operation::Revoke,
        }
    }
}

/// Waits as the faults say, and returns how the call goes on. The first fault that prevents the effect
/// decides; waits after it still count.
pub async fn before_effect(kinds: &[FaultKind]) -> Course {
    let mut course = Course::Proceed;
    for kind in kinds {
        wait(kind, When::Before).await;
        if matches!(course, Course::Proceed) {
            course = kind.course();
        }
    }
    course
}

/// Waits as the faults say, and returns how much of the answer arrives.
pub async fn after_effect(kinds: &[FaultKind], answer: Answer) -> Delivery {
    let mut delivery = Delivery::Whole(answer);
    for kind in kinds {
        wait(kind, When::After).await;
        delivery = kind.spoil(delivery);
    }
    delivery
}

async fn wait(kind: &FaultKind, now: When) {
    if let FaultKind::Latency { milliseconds, when } = kind
        && *when == now
    {
        tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
    }
}

impl FaultKind {
    fn course(&self) -> Course {
        match self {
            Self::Status { status, retry_after, when: When::Before } => {
                Course::Answer(status_answer(*status, retry_after.as_deref()))
            }
            Self::Redirect { location } => {
                Course::Answer(Answer::empty(StatusCode::FOUND).with_header(LOCATION, location))
            }
            Self::LandLate { milliseconds } => Course::LandLate(Duration::from_millis(*milliseconds)),
            Self::Latency { .. }
            | Self::Status { .. }
            | Self::CutBody
            | Self::GarbageBody { .. }
            | Self::HugeBody { .. }
            | Self::LoseAnswer => Course::Proceed,
        }
    }

    /// An answer that is spoilt already can only be lost.
    fn spoil(&self, delivery: Delivery) -> Delivery {
        let Delivery::Whole(answer) = delivery else {
            let lost = matches!(self, Self::LoseAnswer);
            return if lost { Delivery::Lost } else { delivery };
        };
        match self {
            Self::Status { status, retry_after, when: When::After } => {
                Delivery::Whole(status_answer(*status, retry_after.as_deref()))
            }
            Self::CutBody => Delivery::CutHalfWay(answer),
            Self::GarbageBody { body } => Delivery::Whole(answer.garbled(body.as_deref())),
            Self::HugeBody { bytes } => Delivery::Huge(answer.garbled(None).status, *bytes),
            Self::LoseAnswer => Delivery::Lost,
            Self::Latency { .. } | Self::Status { .. } | Self::LandLate { .. } | Self::Redirect { .. } => {
                Delivery::Whole(answer)
            }
        }
    }
}

fn status_answer(status: StatusCode, retry_after: Option<&str>) -> Answer {
    let answer = Answer::message(status, &format!("fault: {status}"));
    match retry_after {
        Some(value) => answer.with_header(RETRY_AFTER, value),
        None => answer,
    }
}

/// A status as its number.
mod status_code {
    use axum::http::StatusCode;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(status: &StatusCode, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u16(status.as_u16())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<StatusCode, D::Error> {
        let number = u16::deserialize(from)?;
        // Below 200 an answer is not final, and the client would wait for another.
        match StatusCode::from_u16(number) {
            Ok(status) if number >= 200 => Ok(status),
            _ => Err(D::Error::custom("not a final HTTP status")),
        }
    }
}
