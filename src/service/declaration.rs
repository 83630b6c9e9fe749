//! A checked declaration of a service: preset and overrides merged, templates and paths compiled, contradictions
//! refused.
//!
//! The check runs once and reports all problems together, each with the path of its field. After that, nothing in the
//! declaration fails.

mod addresses;
mod check;
mod compile;
mod operations;
mod parts;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use url::Url;

use crate::api::duration::GoDuration;
use crate::api::operation::Operation;
use crate::api::parameters::{Lifetime, ParameterValue, Parameters};
use crate::api::token_service::Capability;
use crate::api::token_service::operations::{DisplayName, Ids, Lifetimes, ParameterDeclaration};
use crate::service::extraction::JsonPath;
use crate::service::request::AuthenticationTemplate;
use crate::service::template::Encoding;

pub(super) use addresses::ProxyTemplate;
pub(super) use parts::{GenerateOperation, ListOperation, Paging, RevokeOperation, VerifyOperation};

/// One day, the unit of the hole `lifetimeDays`.
const DAY_SECONDS: u64 = 86_400;

/// The shortest lifetime that is sent as the hole `expirationDate`: up to a day of it may be cut off.
const SHORTEST_WITH_DATE: Duration = Duration::from_secs(2 * DAY_SECONDS);

/// A checked declaration of a service.
#[derive(Clone, Debug)]
pub struct Declaration {
    pub(super) base_url: Url,
    pub(super) timeout: Duration,
    pub(super) allow_link_local: bool,
    pub(super) proxy: Option<ProxyTemplate>,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) authentication: Option<AuthenticationTemplate>,
    pub(super) generate: Option<GenerateOperation>,
    pub(super) verify: VerifyOperation,
    pub(super) list: Option<ListOperation>,
    pub(super) revoke: Option<RevokeOperation>,
    pub(super) error_message: Option<JsonPath>,
    origin: String,
    page: Option<String>,
    maximum_name_length: Option<usize>,
    display_name: DisplayName,
    ids: Ids,
    prefix: Option<String>,
    lifetimes: Option<Lifetimes>,
    parameters: Vec<ParameterDeclaration>,
    default_parameters: Parameters,
    allowed_values: BTreeMap<String, Vec<String>>,
    credentials: BTreeSet<String>,
}

impl Declaration {
    /// Scheme, host and port of `baseURL` and, if it is there, of `verify.baseURL`: tokens and their ids are valid only there.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Where *verify* is asked, if that is another place than `baseURL`.
    pub fn verify_elsewhere(&self) -> Option<&Url> {
        self.verify.base_url.as_ref()
    }

    /// The proxy through which all requests go.
    pub fn proxy_url(&self) -> Option<&Url> {
        self.proxy.as_ref().map(|proxy| &proxy.url)
    }

    /// The addresses to which requests go: that of the service and, where tokens are accepted elsewhere, that one.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &Url> {
        std::iter::once(&self.base_url).chain(&self.verify.base_url)
    }

    /// The capabilities of the service, in the order of the enum.
    pub fn capabilities(&self) -> Vec<Capability> {
        let list = self.list.as_ref();
        [
            (Capability::Generate, self.generate.is_some()),
            (Capability::List, list.is_some()),
            (Capability::Revoke, self.revoke.is_some()),
            (Capability::Expiry, self.lifetimes.is_some()),
            (Capability::Names, self.maximum_name_length.is_some()),
            (Capability::LastUsed, list.is_some_and(|list| list.last_used.is_some())),
        ]
        .into_iter()
        .filter_map(|(capability, has)| has.then_some(capability))
        .collect()
    }

    /// Whether the service has this capability.
    pub fn can(&self, capability: Capability) -> bool {
        self.capabilities().contains(&capability)
    }

    /// Whether the service has this operation. One without *verify* cannot be declared.
    pub fn has(&self, operation: Operation) -> bool {
        match operation {
            Operation::Generate => self.can(Capability::Generate),
            Operation::List => self.can(Capability::List),
            Operation::Revoke => self.can(Capability::Revoke),
            Operation::Verify => true,
        }
    }

    /// The most characters of a token's name; `None` where tokens have no names.
    pub fn maximum_name_length(&self) -> Option<usize> {
        self.maximum_name_length
    }

    /// The part of a token's name that follows the operator's own: nothing where the service wants none.
    pub fn display_part<'a>(&self, display_name: &'a str) -> &'a str {
        match self.display_name {
            DisplayName::Appended => display_name,
            DisplayName::Omitted => "",
        }
    }

    /// Whether the service gives ids again.
    pub fn reuses_ids(&self) -> bool {
        self.ids == Ids::Reused
    }

    /// `spec.naming.prefix`; always set where tokens have names and the service can generate.
    pub fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
    }

    /// Where people make and revoke tokens in the service's own pages.
    pub fn page(&self) -> Option<&str> {
        self.page.as_deref()
    }

    /// Whether a person makes each token: the service has no operation for that.
    pub fn is_by_hand(&self) -> bool {
        self.generate.is_none()
    }

    /// How long *generate* may take: a part of `publishDeadline`.
    pub fn generate_timeout(&self) -> Duration {
        self.generate.as_ref().map_or(self.timeout, |generate| generate.timeout)
    }

    /// The names of the credentials that the templates use.
    pub fn used_credentials(&self) -> impl Iterator<Item = &str> {
        self.credentials.iter().map(String::as_str)
    }

    /// Checks that the service can give exactly this lifetime; the operator never rounds.
    ///
    /// # Errors
    /// A sentence for the condition `UnsupportedLifetime`.
    pub fn check_lifetime(&self, lifetime: Lifetime) -> Result<(), String> {
        match (lifetime, &self.lifetimes) {
            (Lifetime::Never, None) => Ok(()),
            (Lifetime::Never, Some(lifetimes)) if lifetimes.never => Ok(()),
            (Lifetime::Never, Some(_)) => {
                Err("tokens of this service always expire: set lifetime to a duration".to_owned())
            }
            (Lifetime::Limited(_), None) => {
                Err("tokens of this service never expire: set lifetime: Never, and rotate by rotation.interval"
                    .to_owned())
            }
            (Lifetime::Limited(length), Some(lifetimes)) => self.check_length(length, lifetimes),
        }
    }

    fn check_length(&self, length: Duration, lifetimes: &Lifetimes) -> Result<(), String> {
        let uses = |hole| self.generate.as_ref().is_some_and(|generate| generate.request.uses(hole));
        let shown = GoDuration(length);
        if let Some(minimum) = lifetimes.minimum.filter(|minimum| length < minimum.0) {
            return Err(format!("a lifetime of {shown} is too short: the service gives at least {minimum}"));
        }
        if let Some(maximum) = lifetimes.maximum.filter(|maximum| length > maximum.0) {
            return Err(format!("a lifetime of {shown} is too long: the service gives at most {maximum}"));
        }
        if length.is_zero() || length.subsec_nanos() != 0 {
            return Err(format!("a lifetime of {shown} is not a whole number of seconds: leave the fraction out"));
        }
        if uses("expirationDate") && length < SHORTEST_WITH_DATE {
            return Err(format!(
                "a lifetime of {shown} is too short: the service is told a date, and the token may end as that begins: use at least {}",
                GoDuration(SHORTEST_WITH_DATE)
            ));
        }
        if uses("lifetimeDays") && !length.as_secs().is_multiple_of(DAY_SECONDS) {
            return Err(format!(
                "a lifetime of {shown} is not a whole number of days, and the service counts in days: use a multiple of 24h"
            ));
        }
        Ok(())
    }

    /// The parameters of a token with all defaults filled in, after a check against the declaration and the constraints.
    ///
    /// # Errors
    /// A sentence for the condition `ParameterNotAllowed`.
    pub fn check_parameters(&self, given: &Parameters) -> Result<Parameters, String> {
        if let Some(unknown) = given.keys().find(|name| !self.parameters.iter().any(|known| known.name == **name)) {
            return Err(format!("the service has no parameter {unknown}: {}", known_names(&self.parameters)));
        }
        let mut complete = Parameters::new();
        for parameter in &self.parameters {
            let name = &parameter.name;
            let default = self.default_parameters.get(name).or(parameter.default_value.as_ref());
            match given.get(name).or(default) {
                Some(value) => {
                    self.check_value(parameter, value)?;
                    complete.insert(name.clone(), value.clone());
                }
                None if parameter.required => return Err(format!("the parameter {name} is required: set it")),
                None => {}
            }
        }
        Ok(complete)
    }

    /// The values of `parameters.X` for a template; null for a parameter that is not set.
    pub(super) fn parameter_values(&self, parameters: &Parameters) -> serde_json::Value {
        let value = |name| parameters.get(name).map_or(serde_json::Value::Null, compile::value_of);
        let pairs = self.parameters.iter().map(|known| (known.name.clone(), value(&known.name)));
        serde_json::Value::Object(pairs.collect())
    }

    fn check_value(&self, parameter: &ParameterDeclaration, value: &ParameterValue) -> Result<(), String> {
        let name = &parameter.name;
        let texts = value.texts().ok_or(format!("the parameter {name} must be a string or a list of strings"))?;
        if matches!(value, ParameterValue::List(_)) && self.sends_as_text(name) {
            return Err(format!("the parameter {name} must be one string: the service takes no list here"));
        }
        for allowed in [parameter.values.as_ref(), self.allowed_values.get(name)].into_iter().flatten() {
            if !texts.iter().all(|text| allowed.contains(text)) {
                return Err(format!(
                    "the parameter {name} has a value that is not allowed: use {}",
                    allowed.join(", ")
                ));
            }
        }
        Ok(())
    }

    /// Whether a template other than JSON uses the parameter.
    fn sends_as_text(&self, parameter: &str) -> bool {
        let hole = format!("parameters.{parameter}");
        let mut templates = self.generate.iter().flat_map(|generate| generate.request.templates());
        templates.any(|template| template.encoding() != Encoding::Json && template.holes().contains(&hole))
    }
}

fn known_names(parameters: &[ParameterDeclaration]) -> String {
    if parameters.is_empty() {
        return "it knows none; remove it".to_owned();
    }
    let names: Vec<_> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    format!("it knows {}", names.join(", "))
}

#[cfg(test)]
mod tests;
