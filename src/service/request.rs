//! The requests of a declaration: compiled, and filled with the values of one call.

use data_encoding::BASE64;
use thiserror::Error;

use crate::api::token_service::request::Method;
use crate::service::template::{RenderError, Template, percent_encode};

/// A compiled request.
#[derive(Clone, Debug)]
pub struct RequestTemplate {
    pub(super) method: Method,
    pub(super) path: Template,
    pub(super) query: Vec<Field>,
    pub(super) headers: Vec<Field>,
    pub(super) basic: Option<BasicTemplate>,
    pub(super) body: Option<BodyTemplate>,
}

/// A name and the template of its value.
#[derive(Clone, Debug)]
pub struct Field {
    pub(super) name: String,
    pub(super) value: Template,
}

/// A compiled body.
#[derive(Clone, Debug)]
pub enum BodyTemplate {
    /// `application/json`.
    Json(Template),
    /// `application/x-www-form-urlencoded`.
    Form(Vec<Field>),
}

/// How the operator proves who it is.
#[derive(Clone, Debug)]
pub enum AuthenticationTemplate {
    /// HTTP Basic.
    Basic(BasicTemplate),
    /// One header.
    Header(Field),
}

/// HTTP Basic.
#[derive(Clone, Debug)]
pub struct BasicTemplate {
    /// The user name.
    pub(super) username: Template,
    /// The password.
    pub(super) password: Template,
}

/// One request, ready to be sent. It contains secrets, so it cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The encoded path after `baseURL`.
    pub path: String,
    /// The encoded query without `?`; may be empty.
    pub query: String,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<String>,
}

/// Why a request could not be built. It names the part as the schema does, and contains no value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FillError {
    /// A template gave no text.
    #[error("{part}: {error}")]
    Template {
        /// For example `path`, or `headers.X-API-KEY`.
        part: String,
        /// What is wrong.
        error: RenderError,
    },
    /// A header would have a line break or another control character.
    #[error("{part}: the value of a header has a control character, for example a line break at its end: remove it")]
    ControlCharacter {
        /// For example `headers.X-API-KEY`.
        part: String,
    },
    /// A user name with a colon would change the password.
    #[error("basic.username: a user name with a colon cannot be sent with HTTP Basic")]
    Colon,
}

impl RequestTemplate {
    /// The request with `values` in its holes, authenticated by its own `basic` or else by `authentication`, if there is one.
    ///
    /// # Errors
    /// When a value does not fit its part of the request; then nothing can be sent.
    pub fn fill(
        &self,
        authentication: Option<&AuthenticationTemplate>,
        values: &serde_json::Value,
    ) -> Result<Call, FillError> {
        let mut headers = Vec::new();
        let body = match &self.body {
            None => None,
            Some(BodyTemplate::Json(template)) => {
                headers.push(content_type("application/json"));
                Some(template.render(values).map_err(in_part("json"))?)
            }
            Some(BodyTemplate::Form(fields)) => {
                headers.push(content_type("application/x-www-form-urlencoded"));
                Some(encoded(fields, "form", values)?)
            }
        };
        for field in &self.headers {
            if let Some(value) = header(field, values)? {
                headers.retain(|(name, _)| !name.eq_ignore_ascii_case(&field.name));
                headers.push((field.name.clone(), value));
            }
        }
        match (&self.basic, authentication) {
            (Some(basic), _) => headers.extend(basic.header(values)?),
            (None, Some(authentication)) => headers.extend(authentication.header(values)?),
            (None, None) => {}
        }
        let path = self.path.render(values).map_err(in_part("path"))?;
        Ok(Call { method: self.method, path, query: encoded(&self.query, "query", values)?, headers, body })
    }

    /// All its templates.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let (json, form) = match &self.body {
            None => (None, [].as_slice()),
            Some(BodyTemplate::Json(template)) => (Some(template), [].as_slice()),
            Some(BodyTemplate::Form(fields)) => (None, fields.as_slice()),
        };
        let fields = self.query.iter().chain(&self.headers).chain(form);
        let basic = self.basic.iter().flat_map(|basic| [&basic.username, &basic.password]);
        std::iter::once(&self.path).chain(basic).chain(json).chain(fields.map(|field| &field.value))
    }

    /// Whether any of its templates has this hole.
    pub fn uses(&self, hole: &str) -> bool {
        self.templates().any(|template| template.holes().contains(hole))
    }
}

impl AuthenticationTemplate {
    fn header(&self, values: &serde_json::Value) -> Result<Option<(String, String)>, FillError> {
        match self {
            Self::Header(field) => Ok(header(field, values)?.map(|value| (field.name.clone(), value))),
            Self::Basic(basic) => basic.header(values),
        }
    }
}

impl BasicTemplate {
    /// User name and password; `None` if one of their holes has no value.
    pub(super) fn pair(&self, values: &serde_json::Value) -> Result<Option<(String, String)>, FillError> {
        let part = |template: &Template, name: &str| match template.render(values) {
            Err(RenderError::Absent) => Ok(None),
            text => text.map(Some).map_err(in_part(name)),
        };
        let (username, password) = (part(&self.username, "basic.username")?, part(&self.password, "basic.password")?);
        let (Some(username), Some(password)) = (username, password) else { return Ok(None) };
        if username.contains(':') {
            return Err(FillError::Colon);
        }
        Ok(Some((username, password)))
    }

    /// The header; `None` if one of its holes has no value.
    fn header(&self, values: &serde_json::Value) -> Result<Option<(String, String)>, FillError> {
        let Some((username, password)) = self.pair(values)? else { return Ok(None) };
        let encoded = BASE64.encode(format!("{username}:{password}").as_bytes());
        Ok(Some(("Authorization".to_owned(), format!("Basic {encoded}"))))
    }
}

fn content_type(value: &str) -> (String, String) {
    ("Content-Type".to_owned(), value.to_owned())
}

fn in_part(part: &str) -> impl Fn(RenderError) -> FillError {
    move |error| FillError::Template { part: part.to_owned(), error }
}

/// The text of a field; `None` if one of its holes has no value.
fn text(field: &Field, group: &str, values: &serde_json::Value) -> Result<Option<String>, FillError> {
    match field.value.render(values) {
        Ok(text) => Ok(Some(text)),
        Err(RenderError::Absent) => Ok(None),
        Err(error) => Err(FillError::Template { part: format!("{group}.{}", field.name), error }),
    }
}

fn header(field: &Field, values: &serde_json::Value) -> Result<Option<String>, FillError> {
    let value = text(field, "headers", values)?;
    if value.as_deref().is_some_and(|value| value.chars().any(char::is_control)) {
        return Err(FillError::ControlCharacter { part: format!("headers.{}", field.name) });
    }
    Ok(value)
}

/// Names and values in the encoding that queries and form bodies share.
fn encoded(fields: &[Field], group: &str, values: &serde_json::Value) -> Result<String, FillError> {
    let mut pairs = Vec::new();
    for field in fields {
        if let Some(value) = text(field, group, values)? {
            pairs.push(format!("{}={}", percent_encode(&field.name), percent_encode(&value)));
        }
    }
    Ok(pairs.join("&"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::service::template::Encoding;

    const HOSTILE: &str = "a/b?c#d%\"";

    fn field(name: &str, value: &str) -> Field {
        Field { name: name.to_owned(), value: Template::compile(value, Encoding::Text).unwrap() }
    }

    fn basic(username: &str, password: &str) -> BasicTemplate {
        let part = |source| Template::compile(source, Encoding::Text).unwrap();
        BasicTemplate { username: part(username), password: part(password) }
    }

    fn request() -> RequestTemplate {
        RequestTemplate {
            method: Method::Post,
            path: Template::compile("/t/{{ id }}", Encoding::Path).unwrap(),
            query: vec![field("q&", "{{ id }}&x=1"), field("days", "{{ days }}")],
            headers: vec![field("X-Id", "{{ id }}")],
            basic: None,
            body: Some(BodyTemplate::Form(vec![field("f", "{{ id }} +"), field("days", "{{ days }}")])),
        }
    }

    #[test]
    fn every_part_of_a_request_keeps_a_hostile_value_inside_it() {
        let call = request()
            .fill(None, &json!({"id": HOSTILE, "days": null}))
            .map_err(|error| error.to_string())
            .ok()
            .unwrap();
        assert_eq!(call.path, "/t/a%2Fb%3Fc%23d%25%22");
        assert_eq!(call.query, "q%26=a%2Fb%3Fc%23d%25%22%26x%3D1");
        assert_eq!(call.body.as_deref(), Some("f=a%2Fb%3Fc%23d%25%22%20%2B"));
        assert!(call.headers.contains(&("X-Id".to_owned(), HOSTILE.to_owned())));
    }

    #[test]
    fn a_header_never_gets_a_line_break_and_basic_no_colon() {
        let error = |call: Result<Call, FillError>| call.err().map(|error| error.to_string()).unwrap();
        let refused = error(request().fill(None, &json!({"id": "x\r\nEvil: 1", "days": 1})));
        assert!(refused.starts_with("headers.X-Id: the value of a header has a control character"), "{refused}");
        let basic = AuthenticationTemplate::Basic(basic("{{ user }}", "{{ id }}"));
        let refused = error(request().fill(Some(&basic), &json!({"id": "x", "user": "a:b", "days": 1})));
        assert_eq!(refused, "basic.username: a user name with a colon cannot be sent with HTTP Basic");
        let call = request().fill(Some(&basic), &json!({"id": "x", "user": "a", "days": 1})).ok().unwrap();
        assert!(call.headers.contains(&("Authorization".to_owned(), "Basic YTp4".to_owned())));
    }

    #[test]
    fn basic_of_a_request_stands_in_place_of_the_authentication_of_the_service() {
        let service = AuthenticationTemplate::Basic(basic("admin", "secret"));
        let authorization = |own: BasicTemplate, values| {
            let request = RequestTemplate { basic: Some(own), ..request() };
            let call = request.fill(Some(&service), &values).ok().unwrap();
            let headers = call.headers.into_iter().filter(|(name, _)| name == "Authorization");
            headers.map(|(_, value)| value).collect::<Vec<_>>()
        };
        let project = || basic("payments", "{{ token }}");
        assert_eq!(authorization(project(), json!({"id": "x", "token": "t", "days": 1})), ["Basic cGF5bWVudHM6dA=="]);
        assert_eq!(
            authorization(basic("{{ token }}", ""), json!({"id": "x", "token": "t", "days": 1})),
            ["Basic dDo="]
        );
        let without: [&str; 0] = [];
        assert_eq!(
            authorization(project(), json!({"id": "x", "token": null, "days": 1})),
            without,
            "no token, no header"
        );
        assert!(RequestTemplate { basic: Some(project()), ..request() }.uses("token"));
    }
}
