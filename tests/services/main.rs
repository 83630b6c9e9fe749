//! Token services as the operator calls them: the same steps at every real service, and every fault of HTTP.
//!
//! | module | what it holds |
//! |---|---|
//! | `lives` | the same steps at the reference service and, with the feature `real-services`, at Verdaccio |
//! | `answers` | odd answers of real services that mean well: what is read, and what is told of the rest |
//! | `connections` | why there is no connection, and which certificates are trusted |
//! | `documented` | declared services, against what their documents say |
//! | `faults` | the meaning of each answer: one table for each operation |
//! | `lists` | pages: where a list ends, and which pages are an error |
//! | `origin` | the origins that a request with a credential goes to, and those that it never goes to |
//! | `hostile` | answers that are made to harm: huge, endless, slow, deep, packed, broken |
//! | `peer` | a raw HTTP peer that answers with the bytes of the test |

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answers;
mod connections;
mod documented;
mod faults;
mod hostile;
mod lists;
mod lives;
mod origin;

use std::collections::BTreeMap;
use std::time::Duration;

use artifact_token_operator::api::parameters::{Lifetime, Parameters};
use artifact_token_operator::api::time::Time;
use artifact_token_operator::api::token_service::TokenServiceSpec;
use artifact_token_operator::service::client::answers::GenerateRequest;
use artifact_token_operator::service::client::meter::CallCounts;
use artifact_token_operator::service::client::{Places, ServiceClient};
use artifact_token_operator::service::declaration::Declaration;
use artifact_token_operator::service::errors::ServiceError;
use artifact_token_operator::service::limits::{Caller, RateLimit};
use secrecy::SecretString;

/// The operator's credential in all tests with a peer.
const CREDENTIAL: &str = "operator-credential";

/// The value of a token in all tests with a peer. No message may have it.
const VALUE: &str = "the-value-of-a-token";

/// The declaration in `yaml`, which is the spec of a `TokenService`.
fn declaration(yaml: &str) -> Declaration {
    let spec: TokenServiceSpec = serde_saphyr::from_str(yaml).unwrap();
    Declaration::check(&spec).unwrap_or_else(|error| panic!("{error}"))
}

/// A client with a rate limit that never delays a call.
fn service(declaration: Declaration, credentials: &[(&str, &str)]) -> ServiceClient {
    let credentials: BTreeMap<_, _> =
        credentials.iter().map(|(name, value)| ((*name).to_owned(), SecretString::from(*value))).collect();
    ServiceClient::new(declaration, credentials, None, RateLimit::new(6000), CallCounts::default()).unwrap()
}

/// A caller in the queue of a rate limit.
fn caller(id: &str) -> Caller {
    Caller { id: id.to_owned(), shown: String::new(), namespace: String::new(), class: 3 }
}

/// Each call waits for its place in the rate limit.
fn places() -> Places {
    Places::one_by_one(Duration::from_secs(60))
}

fn wanted(name: &str, lifetime: Lifetime) -> GenerateRequest {
    GenerateRequest {
        name: Some(name.to_owned()),
        display_name: None,
        lifetime,
        parameters: Parameters::new(),
        now: Time::parse("2027-01-01T00:00:00Z").unwrap(),
        claimed: Time::parse("2027-01-01T00:00:00Z").unwrap(),
    }
}

/// An error in one line: its kind, the delay it asks for, and its message. A secret in it fails the test.
fn outcome<T>(result: Result<T, ServiceError>) -> String {
    let Err(error) = result else { return "Ok".to_owned() };
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(CREDENTIAL) && !shown.contains(VALUE), "a secret in an error: {shown}");
    match error {
        ServiceError::Refused { credential: true, .. } => "Refused credential".to_owned(),
        ServiceError::Refused { status: None, .. } => "Not sent".to_owned(),
        ServiceError::Refused { .. } => "Refused".to_owned(),
        ServiceError::Retry { after, .. } => format!("Retry {}", after.as_secs()),
        ServiceError::Throttled { .. } => "Throttled".to_owned(),
        ServiceError::Unknown { .. } => "Unknown".to_owned(),
    }
}
