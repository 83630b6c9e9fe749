//! The parts of every operation: the authentication, one request, and which answers match.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// How the operator proves who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.basic), has(self.bearer), has(self.header)].filter(x, x).size() == 1")
    .message("set exactly one of basic, bearer and header"))]
pub struct Authentication {
    /// HTTP Basic. Example: `{username: "{{ credentials.user }}", password: "{{ credentials.password }}"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<Basic>,
    /// A template of the value after `Authorization: Bearer `. Default: none. Example: `{{ credentials.adminKey }}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub bearer: Option<String>,
    /// A header that the service defines. Example: `{name: X-API-KEY, value: "{{ credentials.apiKey }}"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<Header>,
}

/// HTTP Basic authentication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Basic {
    /// A template of the user name. Example: `{{ credentials.user }}`.
    #[schemars(length(max = 1024))]
    pub username: String,
    /// A template of the password. Example: `{{ credentials.password }}`.
    #[schemars(length(max = 1024))]
    pub password: String,
}

/// One header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// The header's name. Example: `X-API-KEY`.
    #[schemars(length(min = 1, max = 64))]
    pub name: String,
    /// A template of its value. Example: `{{ credentials.apiKey }}`.
    #[schemars(length(max = 1024))]
    pub value: String,
}

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// One HTTP request. All its strings are templates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(has(self.json) && has(self.form))").message("set json or form, not both"))]
#[x_kube(validation = Rule::new("!has(self.basic) || !has(self.headers) || !self.headers.exists(name, name.lowerAscii() == 'authorization')")
    .message("set basic or the header Authorization, not both"))]
pub struct Request {
    /// The method. Example: `POST`.
    pub method: Method,
    /// The path after `baseURL`, beginning with `/`; a hole is one path segment. Example: `/v1/tokens/{{ id }}`.
    #[schemars(length(max = 1024), regex(pattern = r"^/[^?#]*$"))]
    pub path: String,
    /// Query parameters; one whose template has a hole without a value is left out. Example: `{limit: "50"}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "string_map")]
    pub query: BTreeMap<String, String>,
    /// Headers; one whose template has a hole without a value is left out.
    /// Example: `{Authorization: "Bearer {{ token }}"}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "string_map")]
    pub headers: BTreeMap<String, String>,
    /// HTTP Basic for this request alone, in place of `operations.authentication`; left out where a hole has no value. A token
    /// as the user name has an empty password. Default: none.
    /// Example: `{username: "{{ variables.project }}", password: "{{ token }}"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<Basic>,
    /// A JSON body; holes become JSON values, with their quotes, and `null` where there is no value. Default: none.
    /// Example: `{"note": {{ name }}, "scopes": {{ parameters.scopes }}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub json: Option<String>,
    /// A form body (`application/x-www-form-urlencoded`); a field whose template has a hole without a value is left
    /// out. Example: `{name: "{{ name }}"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "string_map")]
    pub form: Option<BTreeMap<String, String>>,
}

/// Which answers match: by status and, if `body` is set, by a value in the body, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Match {
    /// HTTP statuses. Example: `[200]`.
    #[schemars(length(min = 1, max = 16), inner(range(min = 100, max = 599)), extend("x-kubernetes-list-type" = "set"))]
    pub statuses: Vec<i32>,
    /// A value that the body must have, for services that answer 200 to everybody.
    /// Example: `{path: $.active, equals: "true"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BodyCondition>,
}

/// A condition on a JSON body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BodyCondition {
    /// The JSONPath of exactly one value. Example: `$.active`.
    #[schemars(length(max = 256), regex(pattern = r"^\$"))]
    pub path: String,
    /// The text that the value must have (numbers and `true`/`false` as JSON writes them). Default: any value but null.
    /// Example: `"true"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub equals: Option<String>,
}

/// The schema of query parameters, headers and form fields.
fn string_map(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 16, "additionalProperties": {"type": "string", "maxLength": 1024}
    })
}
