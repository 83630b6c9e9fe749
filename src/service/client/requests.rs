//! One request of each operation: builds it from the declaration, sends it once, and reads the answer by the declaration.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::answers::{GenerateRequest, Generated, RevokeAnswer, VerifyAnswer};
use super::connection::Connection;
use super::expiry;
use super::failure::{asks_to_wait, pause_of};
use crate::api::ids::MAX_TOKEN_BYTES;
use crate::api::operation::Operation;
use crate::api::time::Time;
use crate::service::declaration::{GenerateOperation, VerifyOperation};
use crate::service::errors::ServiceError;
use crate::service::transport::Answer;

pub(super) async fn generate(connection: &Connection, wanted: &GenerateRequest) -> Result<Generated, ServiceError> {
    let asked = Operation::Generate;
    // A caller that got its place before the service asked for a pause stops here.
    if let Some(after) = connection.paused() {
        return Err(asked.held_back(after));
    }
    let operation = connection.declaration.generate.as_ref().ok_or_else(|| asked.not_declared())?;
    let call =
        connection.fill(asked, &operation.request, connection.authentication(), generate_values(connection, wanted))?;
    let answer = connection.send(asked, &call, &connection.url(asked, &call)?, operation.timeout).await?;
    generated(operation, &answer, wanted).map_err(|error| connection.explained(error, &answer, None))
}

/// Reads the answer.
fn generated(
    operation: &GenerateOperation,
    answer: &Answer,
    wanted: &GenerateRequest,
) -> Result<Generated, ServiceError> {
    let asked = Operation::Generate;
    // First, since it may have the status of a plain no, or of one that asks for a pause.
    if wanted.name.is_some() && operation.name_taken.matches(answer.status, answer.json().ok().as_ref()) {
        return Err(asked.taken(answer.status));
    }
    if operation.not_executed.contains(answer.status) {
        return Err(asked.not_executed(answer.status, pause_of(answer)));
    }
    if !operation.success.contains(answer.status) {
        return Err(asked.definite_failure_of(answer.status, answer));
    }
    let body = answer.json().map_err(|what| asked.unreadable(answer.status, what))?;
    let wrong = |field: &str| {
        let field = format!("response.{field}");
        move |error| asked.misdeclared(&field, &error)
    };
    let value = operation.value.scalar(&body).map_err(wrong("value"))?;
    if value.len() > MAX_TOKEN_BYTES {
        return Err(asked.unreadable(answer.status, "the value is longer than the 16 KiB that can be published"));
    }
    let id = operation.id.as_ref().map(|path| path.scalar(&body).map_err(wrong("id"))).transpose()?;
    // Ids stand in the status, in events and in URLs. The message may not name what it is about.
    if id.as_ref().is_some_and(|id| id.contains(&value)) {
        return Err(asked.token_as_id("spec.operations.generate.response.id"));
    }
    let (expiration_time, doubt) = expiry::read(operation, &body, wanted);
    Ok(Generated { value: SecretString::from(value), id, expiration_time, doubt })
}

pub(super) async fn verify(
    connection: &Connection,
    token: Option<&SecretString>,
) -> Result<VerifyAnswer, ServiceError> {
    let asked = Operation::Verify;
    let operation = &connection.declaration.verify;
    let values =
        json!({"token": token.map(ExposeSecret::expose_secret), "variables": connection.declaration.variables});
    let call = connection.fill(asked, &operation.request, None, values)?;
    let answer = connection.send(asked, &call, &connection.url(asked, &call)?, connection.declaration.timeout).await?;
    verdict(operation, &answer).map_err(|error| connection.explained(error, &answer, token))
}

/// Reads the answer.
fn verdict(operation: &VerifyOperation, answer: &Answer) -> Result<VerifyAnswer, ServiceError> {
    let asked = Operation::Verify;
    answer.body().map_err(|what| asked.unreadable(answer.status, what))?;
    let body = answer.json().ok();
    let accepted = operation.accepted.matches(answer.status, body.as_ref());
    let refused = operation.refused.iter().any(|shape| shape.matches(answer.status, body.as_ref()));
    match (accepted, refused) {
        (true, false) => Ok(VerifyAnswer::Accepted),
        _ if asks_to_wait(answer) => Err(asked.not_executed(answer.status, pause_of(answer))),
        (false, true) => Ok(VerifyAnswer::Refused { status: answer.status }),
        (true, true) => Err(asked.two_verdicts(answer.status)),
        (false, false) => Err(asked.no_verdict(answer.status)),
    }
}

pub(super) async fn revoke(connection: &Connection, id: &str) -> Result<RevokeAnswer, ServiceError> {
    let asked = Operation::Revoke;
    let operation = connection.declaration.revoke.as_ref().ok_or_else(|| asked.not_declared())?;
    let mut values = connection.values();
    values["id"] = json!(id);
    let call = connection.fill(asked, &operation.request, connection.authentication(), values)?;
    let answer = connection.send(asked, &call, &connection.url(asked, &call)?, connection.declaration.timeout).await?;
    if operation.success.contains(answer.status) {
        return Ok(RevokeAnswer::Success);
    }
    if operation.gone.contains(answer.status) {
        return Ok(RevokeAnswer::Gone);
    }
    Err(connection.explained(asked.failure_of(&answer), &answer, None))
}

fn generate_values(connection: &Connection, wanted: &GenerateRequest) -> Value {
    let mut values = connection.values();
    let length = wanted.lifetime.length();
    let days = length.filter(|length| length.as_secs().is_multiple_of(86_400)).map(|length| length.as_secs() / 86_400);
    values["name"] = json!(wanted.name);
    values["displayName"] = json!(wanted.display_name);
    values["lifetimeSeconds"] = json!(length.map(|length| length.as_secs()));
    values["lifetimeDays"] = json!(days);
    let end = length.map(|length| wanted.now.plus(length));
    values["expirationTime"] = json!(end.map(|end| end.to_string()));
    values["expirationDate"] = json!(end.map(Time::date));
    values["expirationEpoch"] = json!(end.map(|end| end.as_millis().div_euclid(1000)));
    values["parameters"] = connection.declaration.parameter_values(&wanted.parameters);
    values
}
