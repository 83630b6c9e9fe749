//! Compiles the parts of operations, and collects what is wrong with them.
//!
//! It also renders each template with a hostile sample, so that a template that compiles gives a request for every value.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use url::Url;

use super::parts::{Matcher, StatusSet};
use crate::api::parameters::ParameterValue;
use crate::api::reason::Reason;
use crate::api::token_service::operations::ParameterDeclaration;
use crate::api::token_service::request::{Authentication, Basic, Match, Request};
use crate::api::token_service::{Connection, TokenServiceSpec};
use crate::service::errors::Problem;
use crate::service::extraction::JsonPath;
use crate::service::request::{AuthenticationTemplate, BasicTemplate, BodyTemplate, Field, RequestTemplate};
use crate::service::template::{Encoding, RenderError, Template};

/// Headers that the HTTP client sets itself. A second one would change where a request ends, or where it goes.
const RESERVED_HEADERS: [&str; 8] =
    ["host", "content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade", "expect"];

/// A value that would break its surroundings if it were not encoded.
const SAMPLE: &str = "a/b?c#d%\"";

/// The purpose of a template. It decides which holes the template may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Authentication,
    Generate,
    Verify,
    List,
    Revoke,
}

impl Purpose {
    /// The holes that only it has.
    fn own_holes(self) -> &'static [&'static str] {
        match self {
            Self::Authentication | Self::List => &[],
            Self::Generate => &[
                "name",
                "displayName",
                "lifetimeSeconds",
                "lifetimeDays",
                "expirationTime",
                "expirationDate",
                "expirationEpoch",
            ],
            Self::Verify => &["token"],
            Self::Revoke => &["id"],
        }
    }
}

/// Compiles, and collects problems and the names of used credentials.
pub(super) struct Compiler<'a> {
    pub problems: Vec<Problem>,
    pub credentials: BTreeSet<String>,
    spec: &'a TokenServiceSpec,
    parameters: &'a [ParameterDeclaration],
}

impl<'a> Compiler<'a> {
    pub fn new(spec: &'a TokenServiceSpec, parameters: &'a [ParameterDeclaration]) -> Self {
        Self { problems: Vec::new(), credentials: BTreeSet::new(), spec, parameters }
    }

    /// `spec.connection`.
    pub fn connection(&self) -> &'a Connection {
        &self.spec.connection
    }

    pub fn problem(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.problem_for(Reason::InvalidSpec, path, message);
    }

    pub fn problem_for(&mut self, reason: Reason, path: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem { path: path.into(), message: message.into(), reason });
    }

    pub fn request(&mut self, path: &str, request: &Request, purpose: Purpose) -> Option<RequestTemplate> {
        if request.json.is_some() && request.form.is_some() {
            self.problem(path, "set json or form, not both");
        }
        let template = if request.path.starts_with('/') && !request.path.contains(['?', '#']) {
            self.template(&format!("{path}.path"), &request.path, Encoding::Path, purpose)
        } else {
            self.problem(format!("{path}.path"), "begin it with /, without ? and #; a query goes into the field query");
            None
        };
        let query = self.fields(&format!("{path}.query"), &request.query, purpose);
        let headers = self.headers(&format!("{path}.headers"), &request.headers, purpose);
        let basic = request.basic.as_ref().map(|basic| self.basic(&format!("{path}.basic"), basic, purpose));
        if basic.is_some() && request.headers.keys().any(|name| name.eq_ignore_ascii_case("authorization")) {
            self.problem(path, "set basic or the header Authorization, not both");
        }
        let json =
            request.json.as_ref().map(|json| self.template(&format!("{path}.json"), json, Encoding::Json, purpose));
        let form = request.form.as_ref().map(|form| self.fields(&format!("{path}.form"), form, purpose));
        let body = match (json, form) {
            (Some(json), _) => Some(BodyTemplate::Json(json?)),
            (None, form) => form.map(BodyTemplate::Form),
        };
        let basic = match basic {
            None => None,
            Some(basic) => Some(basic?),
        };
        Some(RequestTemplate { method: request.method, path: template?, query, headers, basic, body })
    }

    pub fn authentication(&mut self, path: &str, part: &Authentication) -> Option<AuthenticationTemplate> {
        let purpose = Purpose::Authentication;
        match (&part.basic, &part.bearer, &part.header) {
            (Some(basic), None, None) => {
                self.basic(&format!("{path}.basic"), basic, purpose).map(AuthenticationTemplate::Basic)
            }
            (None, Some(bearer), None) => {
                let value =
                    self.template(&format!("{path}.bearer"), &format!("Bearer {bearer}"), Encoding::Text, purpose)?;
                Some(AuthenticationTemplate::Header(Field { name: "Authorization".to_owned(), value }))
            }
            (None, None, Some(header)) => {
                let one = BTreeMap::from([(header.name.clone(), header.value.clone())]);
                let field = self.headers(&format!("{path}.header"), &one, purpose).pop()?;
                Some(AuthenticationTemplate::Header(field))
            }
            _ => {
                self.problem(path, "set exactly one of basic, bearer and header");
                None
            }
        }
    }

    pub fn basic(&mut self, path: &str, part: &Basic, purpose: Purpose) -> Option<BasicTemplate> {
        let mut whole = |name: &str, source: &str| {
            let path = format!("{path}.{name}");
            let template = self.template(&path, source, Encoding::Text, purpose)?;
            // Only *verify* is sent without a token, too. Any other request would go out without its credential.
            let absent = template.render(&self.sample(false)) == Err(RenderError::Absent);
            if absent && purpose != Purpose::Verify {
                self.problem(path, advice(RenderError::Absent));
                return None;
            }
            Some(template)
        };
        let (username, password) = (whole("username", &part.username), whole("password", &part.password));
        Some(BasicTemplate { username: username?, password: password? })
    }

    fn headers(&mut self, path: &str, headers: &BTreeMap<String, String>, purpose: Purpose) -> Vec<Field> {
        for name in headers.keys() {
            let path = format!("{path}.{name}");
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
                self.problem(&path, "is not the name of a header: use letters, digits, -, _ and .");
            }
            if RESERVED_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
                self.problem(&path, "the operator sets this header itself: remove it");
            }
        }
        for (name, _) in headers.iter().filter(|(_, value)| value.chars().any(char::is_control)) {
            self.problem(format!("{path}.{name}"), "has a control character, for example a line break: remove it");
        }
        self.fields(path, headers, purpose)
    }

    fn fields(&mut self, path: &str, fields: &BTreeMap<String, String>, purpose: Purpose) -> Vec<Field> {
        let mut compiled = Vec::new();
        for (name, source) in fields {
            if let Some(value) = self.template(&format!("{path}.{name}"), source, Encoding::Text, purpose) {
                compiled.push(Field { name: name.clone(), value });
            }
        }
        compiled
    }

    fn template(&mut self, path: &str, source: &str, encoding: Encoding, purpose: Purpose) -> Option<Template> {
        let template = match Template::compile(source, encoding) {
            Ok(template) => template,
            Err(message) => {
                self.problem(path, message);
                return None;
            }
        };
        let before = self.problems.len();
        for hole in template.holes() {
            self.hole(path, hole, purpose);
        }
        if self.problems.len() > before {
            return None;
        }
        // One sample has all values, one has as few as possible: a problem that neither shows cannot come later.
        for complete in [true, false] {
            match template.render(&self.sample(complete)) {
                Ok(text) if encoding == Encoding::Path && !is_plain_path(&text) => {
                    self.problem(path, "has . or .. as a segment, or characters that a path cannot have: write it percent-encoded and without them");
                    return None;
                }
                Ok(_) => {}
                Err(RenderError::Absent) if encoding == Encoding::Text => {}
                Err(error) => {
                    self.problem(path, advice(error));
                    return None;
                }
            }
        }
        Some(template)
    }

    fn hole(&mut self, path: &str, hole: &str, purpose: Purpose) {
        let missing = match hole.split_once('.') {
            Some(("credentials", _)) if purpose == Purpose::Verify => {
                Some("verify is sent with the token and nothing else: remove the credential".to_owned())
            }
            Some(("credentials", name)) if self.spec.credentials.contains_key(name) => {
                self.credentials.insert(name.to_owned());
                None
            }
            Some(("credentials", name)) => Some(format!("uses the credential {name}: add it to spec.credentials")),
            Some(("variables", name)) if self.spec.variables.contains_key(name) => None,
            Some(("variables", name)) => Some(format!("uses the variable {name}: add it to spec.variables")),
            Some(("parameters", name)) if purpose == Purpose::Generate => {
                let known = self.parameters.iter().any(|parameter| parameter.name == name);
                (!known).then(|| format!("uses the parameter {name}: declare it in spec.operations.parameters"))
            }
            None if purpose.own_holes().contains(&hole) => None,
            Some(_) | None => Some(no_such_hole(hole, purpose)),
        };
        if let Some(message) = missing {
            self.problem(path, message);
        }
    }

    fn sample(&self, complete: bool) -> Value {
        let some = |value: Value| if complete { value } else { Value::Null };
        let credentials: Map<_, _> = self.spec.credentials.keys().map(|name| (name.clone(), json!(SAMPLE))).collect();
        let parameters: Map<_, _> =
            self.parameters.iter().map(|parameter| (parameter.name.clone(), sample_of(parameter, complete))).collect();
        json!({
            "name": SAMPLE, "token": SAMPLE, "id": SAMPLE,
            "displayName": some(json!(SAMPLE)),
            "lifetimeSeconds": some(json!(86_400)), "lifetimeDays": some(json!(1)),
            "expirationTime": some(json!("2027-01-01T00:00:00Z")),
            "expirationDate": some(json!("2027-01-01")), "expirationEpoch": some(json!(1_798_761_600)),
            "credentials": credentials, "parameters": parameters, "variables": self.spec.variables,
        })
    }

    pub fn json_path(&mut self, path: impl Into<String>, text: &str) -> Option<JsonPath> {
        JsonPath::parse(text).map_err(|message| self.problem(path, message)).ok()
    }

    pub fn optional_path(&mut self, path: impl Into<String>, text: Option<&String>) -> Option<JsonPath> {
        text.and_then(|text| self.json_path(path, text))
    }

    pub fn matcher(&mut self, path: &str, part: &Match) -> Option<Matcher> {
        let statuses = self.statuses(&format!("{path}.statuses"), &part.statuses);
        let body = match &part.body {
            None => None,
            Some(body) => Some((self.json_path(format!("{path}.body.path"), &body.path)?, body.equals.clone())),
        };
        Some(Matcher { statuses, body })
    }

    pub fn success(&mut self, path: &str, statuses: Option<&Vec<i32>>) -> StatusSet {
        statuses.map_or(StatusSet::AnySuccess, |statuses| self.statuses(&format!("{path}.success"), statuses))
    }

    pub fn statuses(&mut self, path: &str, statuses: &[i32]) -> StatusSet {
        let read: Vec<u16> = statuses
            .iter()
            .filter_map(|status| u16::try_from(*status).ok())
            .filter(|status| (100..600).contains(status))
            .collect();
        if read.len() != statuses.len() {
            self.problem(path, "write HTTP statuses, which are numbers from 100 to 599");
        }
        StatusSet::These(read)
    }
}

/// Whether a URL keeps this path as it is.
fn is_plain_path(path: &str) -> bool {
    Url::parse("http://host").and_then(|url| url.join(path)).is_ok_and(|url| url.path() == path)
}

fn sample_of(parameter: &ParameterDeclaration, complete: bool) -> Value {
    let default = parameter.default_value.as_ref();
    let known = parameter.values.as_ref().and_then(|values| values.first()).cloned();
    match (default, complete || parameter.required) {
        (Some(value), _) => value_of(value),
        (None, true) => json!(known.unwrap_or_else(|| SAMPLE.to_owned())),
        (None, false) => Value::Null,
    }
}

/// A parameter's value for a template.
pub(super) fn value_of(value: &ParameterValue) -> Value {
    match value {
        ParameterValue::Text(text) => json!(text),
        ParameterValue::List(texts) => json!(texts),
        ParameterValue::Other(_) => Value::Null,
    }
}

fn no_such_hole(hole: &str, purpose: Purpose) -> String {
    let parameters = if purpose == Purpose::Generate { ", parameters.X" } else { "" };
    let credentials = if purpose == Purpose::Verify { "" } else { "credentials.X, " };
    let own: String = purpose.own_holes().iter().map(|hole| format!("{hole}, ")).collect();
    format!("there is no hole {hole} here: use {own}{credentials}variables.X{parameters}")
}

fn advice(error: RenderError) -> String {
    match error {
        RenderError::Absent => "has a hole that may be empty: use one that always has a value".to_owned(),
        RenderError::Failed => "takes a value apart or calculates with it: use each value as it is".to_owned(),
        RenderError::Segment | RenderError::List | RenderError::TooLong | RenderError::NotJson => error.to_string(),
    }
}
