//! When a fresh token expires. An end that cannot be read, or that lies far beyond what was asked for, is no reason to throw a good token
//! away: the lifetime that was asked for then counts from the claim, which is before the token, and the doubt is told.

use std::time::Duration;

use serde_json::Value;

use super::answers::GenerateRequest;
use crate::api::duration::GoDuration;
use crate::api::time::Time;
use crate::api::token_service::operations::Expiry;
use crate::service::declaration::GenerateOperation;
use crate::service::extraction::ExtractionError;

/// The end of a token, and what is doubtful about it.
pub(super) fn read(
    operation: &GenerateOperation,
    body: &Value,
    wanted: &GenerateRequest,
) -> (Option<Time>, Option<String>) {
    let requested = requested(operation, wanted);
    let Some(path) = &operation.expiration_time else { return (requested, None) };
    let answered = match operation.expiry {
        Expiry::Answered | Expiry::Requested => path.time(body),
        Expiry::AnsweredSeconds => {
            path.seconds(body).map(|seconds| seconds.map(|seconds| wanted.claimed.plus(seconds)))
        }
    };
    let doubt = match answered {
        Ok(Some(end)) if end > wanted.claimed => return believed(end, requested, wanted, operation.expiry),
        Ok(None) if requested.is_none() => return (None, None),
        Ok(Some(_)) => format!("a time before the token's beginning at {}", path.text()),
        Ok(None) => format!("no time at {}", path.text()),
        Err(ref error) => error.to_string(),
    };
    let advice = advice(operation.expiry, &answered);
    let instead = counts_from_the_claim(requested);
    let told = format!(
        "the answer to generate has {doubt}: correct spec.operations.generate.response.expirationTime of the service object{advice}; {instead}"
    );
    (requested, Some(told))
}

/// The end that was asked for, by what came first: the claim is before the token, and a token with a date may end as that begins.
fn requested(operation: &GenerateOperation, wanted: &GenerateRequest) -> Option<Time> {
    let length = wanted.lifetime.length()?;
    let from_claim = wanted.claimed.plus(length);
    let by_date = operation.request.uses("expirationDate").then(|| wanted.now.plus(length).midnight());
    Some(by_date.map_or(from_claim, |date| date.min(from_claim)))
}

fn counts_from_the_claim(requested: Option<Time>) -> String {
    match requested {
        Some(end) => format!("the lifetime that was asked for counts from the claim: until {end}"),
        None => "the token counts as one that never expires".to_owned(),
    }
}

/// The end that counts where a time was answered, and the doubt about one that is far from what was asked for: it may be read in the wrong
/// unit. One that is far too late would let the token die in its Secret, so it does not count.
fn believed(
    end: Time,
    requested: Option<Time>,
    wanted: &GenerateRequest,
    expiry: Expiry,
) -> (Option<Time>, Option<String>) {
    let Some(asked) = wanted.lifetime.length() else { return (Some(end), None) };
    let given = end.since(wanted.claimed);
    if wanted.lifetime.is_far_exceeded(wanted.claimed, end) {
        let told = other_length(given, asked, expiry, "no less than the service gives");
        return (requested, Some(format!("{told}; {}", counts_from_the_claim(requested))));
    }
    let told = (given < asked / 2).then(|| other_length(given, asked, expiry, "no more than the service allows"));
    (Some(end), told)
}

/// Says that the answered end is another one than what was asked for, and what to ask for instead.
fn other_length(given: Duration, asked: Duration, expiry: Expiry, instead: &str) -> String {
    let advice = match expiry {
        Expiry::Answered | Expiry::Requested => "",
        Expiry::AnsweredSeconds => {
            ", and is spec.operations.lifetime.expiry: AnsweredSeconds right, or is that another unit"
        }
    };
    format!(
        "the answer to generate says that the token ends after {}, and {} was asked for{advice}: ask for {instead}, by spec.lifetime, or correct \
         spec.operations.generate.response.expirationTime of the service object",
        GoDuration(given),
        GoDuration(asked)
    )
}

/// What to write instead, as far as the answer tells that.
fn advice(expiry: Expiry, answered: &Result<Option<Time>, ExtractionError>) -> &'static str {
    match (expiry, answered) {
        (_, Ok(None)) => {
            ", or remove it and declare spec.operations.lifetime.expiry: Requested, if the service never says it"
        }
        (Expiry::Answered | Expiry::Requested, Ok(Some(_)) | Err(ExtractionError::Type { .. })) => {
            ", or declare spec.operations.lifetime.expiry: AnsweredSeconds, if it is a number of seconds from now"
        }
        (Expiry::AnsweredSeconds, Ok(Some(_)) | Err(ExtractionError::Type { .. })) => {
            ", or declare spec.operations.lifetime.expiry: Answered, if it is a time"
        }
        (_, Err(_)) => "",
    }
}
