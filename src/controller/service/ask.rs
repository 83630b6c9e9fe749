//! Asks a service whether it is ready: does verify refuse a wrong token, and does the service accept the credential?

use std::time::Duration;

use secrecy::SecretString;

use crate::api::reason::Reason;
use crate::api::token_service::Capability;
use crate::controller::registry::ServiceEntry;
use crate::rotation::desired::Halt;
use crate::rotation::urgency::Urgency;
use crate::service::client::answers::VerifyAnswer;
use crate::service::client::{Places, ServiceClient};
use crate::service::errors::ServiceError;

/// The calls of one check: verify without a token, verify with a wrong token, list.
const CHECK_CALLS: u32 = 3;
/// If its turn is farther away, the check is put off.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// A check comes before all but leaks: without it no token is generated.
const CHECK_URGENCY: Urgency = Urgency::Soon;
/// A token that no service has issued.
const WRONG_TOKEN: &str = "artifact-token-operator.this-token-was-never-issued";

/// Asks the service: does verify refuse a request without a valid token, and is the credential accepted?
///
/// # Errors
/// With the wait that the rate limit asks for, if that is too long. It says nothing about the service.
///
/// Where the service was once found ready with what is asked here, a list that fails is told, and holds up no token:
/// `rotation/service_health.rs` hears of it.
pub(super) async fn ask(entry: &ServiceEntry) -> Result<Option<Halt>, Duration> {
    let Some(client) = &entry.client else { return Ok(None) };
    let mut places = client.take_places(&entry.caller("check", CHECK_URGENCY), CHECK_CALLS, MAX_WAIT).await?;
    if let Some(halt) = ask_verify(client, &mut places).await? {
        return Ok(Some(halt));
    }
    if !client.declaration().can(Capability::List) {
        return Ok(None);
    }
    match client.list(&mut places).await {
        Err(error) if !entry.worked || is_refused_credential(&error) => not_ready(&error).map(Some),
        Ok(_) | Err(_) => Ok(None),
    }
}

async fn ask_verify(client: &ServiceClient, places: &mut Places) -> Result<Option<Halt>, Duration> {
    let wrong = SecretString::from(WRONG_TOKEN);
    for (token, who) in [(None, "without a token"), (Some(&wrong), "with a token that was never issued")] {
        match client.verify(token, places).await {
            Ok(VerifyAnswer::Refused { .. }) => {}
            Ok(VerifyAnswer::Accepted) => {
                let message = format!(
                    "the declared verify request is accepted {who}, so it proves nothing: declare one in operations.verify \
                     that needs a valid token, or a condition on the body in accepted.body"
                );
                return Ok(Some(Halt::stalled(Reason::VerifyProvesNothing, message)));
            }
            Err(error) => return not_ready(&error).map(Some),
        }
    }
    Ok(None)
}

fn is_refused_credential(error: &ServiceError) -> bool {
    matches!(error, ServiceError::Refused { credential: true, .. })
}

/// The halt that an error means; its message begins with the operation.
fn not_ready(error: &ServiceError) -> Result<Halt, Duration> {
    Ok(match error {
        ServiceError::Throttled { after, .. } => return Err(*after),
        ServiceError::Refused { credential: true, .. } => Halt::stalled(
            Reason::CredentialRejected,
            format!(
                "{error}: put a valid credential into the Secret of spec.credentials, which is noticed at once where the operator watches \
                 Secrets. Else it is noticed within two minutes, as is what is put right at the service, or at once after a change of \
                 the annotation artifact-token.dev/reconcile-requested-at of this object"
            ),
        ),
        ServiceError::Refused { .. } => Halt::stalled(Reason::InvalidSpec, error.to_string()),
        ServiceError::Retry { what, .. } | ServiceError::Unknown { what, .. } => {
            Halt::passing(Reason::ServiceNotReady, format!("{what}; asked again every 15 s"))
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_the_operation_once_and_the_next_try_once() {
        let (after, what) = (MAX_WAIT, "list: no connection to the service".to_owned());
        let told = |error: ServiceError| not_ready(&error).unwrap().message;
        let expected = "list: no connection to the service; asked again every 15 s";
        assert_eq!(told(ServiceError::Retry { after, what: what.clone(), asked: false }), expected);
        assert_eq!(told(ServiceError::unknown(what.clone())), expected);
        let refused = ServiceError::Refused { status: Some(404), message: what, credential: false };
        assert_eq!(told(refused).matches("list").count(), 1);
    }
}
