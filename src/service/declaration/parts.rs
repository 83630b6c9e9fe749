//! The checked operations of a declaration, and how answers are told apart.

use std::time::Duration;

use url::Url;

use crate::api::token_service::operations::Expiry;
use crate::service::extraction::{JsonPath, RowsPath};
use crate::service::request::RequestTemplate;

/// Generates one token.
#[derive(Clone, Debug)]
pub(in crate::service) struct GenerateOperation {
    pub request: RequestTemplate,
    pub success: StatusSet,
    pub not_executed: StatusSet,
    pub name_taken: Matcher,
    pub value: JsonPath,
    pub id: Option<JsonPath>,
    pub expiration_time: Option<JsonPath>,
    pub expiry: Expiry,
    pub timeout: Duration,
}

/// Proves that a token is accepted.
#[derive(Clone, Debug)]
pub(in crate::service) struct VerifyOperation {
    /// Where it is asked, if that is elsewhere.
    pub base_url: Option<Url>,
    pub request: RequestTemplate,
    pub accepted: Matcher,
    /// The shapes of a refusal; never empty.
    pub refused: Vec<Matcher>,
}

/// Lists all live tokens.
#[derive(Clone, Debug)]
pub(in crate::service) struct ListOperation {
    pub request: RequestTemplate,
    pub success: StatusSet,
    pub empty: Option<Matcher>,
    pub items: RowsPath,
    pub id: JsonPath,
    pub name: Option<JsonPath>,
    pub name_prefix: Option<String>,
    pub created: Option<JsonPath>,
    pub expiration: Option<JsonPath>,
    pub last_used: Option<JsonPath>,
    pub pagination: Paging,
}

/// How the next page is found.
#[derive(Clone, Debug)]
pub(in crate::service) enum Paging {
    /// There is one page.
    None,
    /// A number or cursor in the query.
    Parameter { name: String, first: Option<i32>, next: Option<JsonPath> },
    /// A URL in the body.
    Url(JsonPath),
    /// A URL in the `Link` header.
    Link,
}

/// Revokes one token.
#[derive(Clone, Debug)]
pub(in crate::service) struct RevokeOperation {
    pub request: RequestTemplate,
    pub success: StatusSet,
    pub gone: StatusSet,
}

/// A set of HTTP statuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::service) enum StatusSet {
    /// Every 2xx.
    AnySuccess,
    /// These.
    These(Vec<u16>),
}

impl StatusSet {
    /// Whether `status` is in it.
    pub fn contains(&self, status: u16) -> bool {
        match self {
            Self::AnySuccess => (200..300).contains(&status),
            Self::These(statuses) => statuses.contains(&status),
        }
    }
}

/// Which answers are meant.
#[derive(Clone, Debug)]
pub(in crate::service) struct Matcher {
    pub statuses: StatusSet,
    pub body: Option<(JsonPath, Option<String>)>,
}

impl Matcher {
    /// Whether an answer is meant; `body` is `None` if it is not JSON.
    pub fn matches(&self, status: u16, body: Option<&serde_json::Value>) -> bool {
        let holds = |(path, equals): &(JsonPath, Option<String>)| {
            let found = body.and_then(|body| path.scalar(body).ok());
            found.is_some_and(|found| equals.as_ref().is_none_or(|equals| *equals == found))
        };
        self.statuses.contains(status) && self.body.as_ref().is_none_or(holds)
    }

    /// The statuses that both have, where every answer that one of them means may be meant by the other one, too. Conditions
    /// on two different places are taken to differ: an answer that meets both says nothing about a token.
    pub fn overlap(&self, other: &Self) -> Vec<u16> {
        let apart = match (&self.body, &other.body) {
            (Some((here, own)), Some((there, others))) if here.is_same(there) => {
                own.is_some() && others.is_some() && own != others
            }
            (Some(_), Some(_)) => true,
            (Some(_), None) | (None, Some(_)) | (None, None) => false,
        };
        let known = (100..600).filter(|status| self.statuses.contains(*status) && other.statuses.contains(*status));
        if apart { Vec::new() } else { known.collect() }
    }
}
