//! The operations of a service as data.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::request::{Authentication, Match, Request};
use super::verify::Verify;
use crate::api::duration::GoDuration;
use crate::api::parameters::ParameterValue;

/// The operations of a service, and the HTTP requests that perform them.
///
/// Templates have holes (`{{ name }}`): `name`, `displayName`, `lifetimeSeconds`, `lifetimeDays`, `expirationTime`, `expirationDate`,
/// `expirationEpoch`, `parameters.X` in `generate`; `id` in `revoke`; `token` in `verify`; `credentials.X` everywhere but in `verify`;
/// `variables.X` everywhere. Each value is encoded for its place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Operations {
    /// How the operator proves who it is, in every request but `verify` and those with a `basic` of their own. Exactly one of `basic`,
    /// `bearer`, `header`.
    /// Example: `{bearer: "{{ credentials.adminKey }}"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// Whether tokens have names at the service, and how long a name may be. Default: names of up to 255 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub naming: Option<TokenNames>,
    /// Whether the service gives the id of a token that is gone to another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Ids>,
    /// Which lifetimes the service can give. Absent: tokens never expire, and a token may only have `lifetime: Never`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Lifetimes>,
    /// The parameters that a token of this service may have; a template reads them as `parameters.NAME`. Default: none.
    /// Example: `[{name: role, values: [Developer, Admin]}]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub parameters: Option<Vec<ParameterDeclaration>>,
    /// Where people make and revoke tokens in the service's own pages, for the conditions of tokens that only a person can make
    /// or revoke. Default: none. Example: `Settings > Tokens, as an Admin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub page: Option<String>,
    /// Where the answer to a request that failed says why: the JSONPath of one text, for all operations. Conditions and events show it to
    /// everybody who reads them, cut to 200 characters: without the credentials, without the token that `verify` asks about, and without
    /// words that look like secrets. So choose a text for people that repeats nothing of the request.
    /// Default: none. Example: `$.errors[0].msg`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = r"^\$"))]
    pub error_message: Option<String>,
    /// The request that generates one token. Absent: a person makes each token at the service's own pages and hands it over
    /// in a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate: Option<Generate>,
    /// The request that proves that a token is accepted. It is sent with the token and nothing else, and must fail
    /// without one. Required, here or in the preset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verify>,
    /// The request that lists the live tokens, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<List>,
    /// The request that revokes one token by its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoke: Option<Revoke>,
}

/// The names of tokens at the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenNames {
    /// Whether tokens have no names at this service; the operator can then only report a lost one. Default `false`.
    #[serde(default)]
    pub unsupported: bool,
    /// The most characters that a name may have. Default 255. Example: `64`.
    #[serde(default = "TokenNames::default_maximum_length")]
    #[schemars(range(min = 1, max = 1024))]
    pub maximum_length: i32,
    /// Whether a blank and the display name follow the operator's own part of a name. Default `Appended`. Example: `Omitted`.
    #[serde(default)]
    pub display_name: DisplayName,
}

/// Whether names have a part for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DisplayName {
    /// The name goes on with a blank and the display name, which is cut where the name is too long.
    #[default]
    Appended,
    /// The name is the operator's own part alone: `a`-`z`, `0`-`9`, `-` and dots, for services that allow neither blanks nor slashes.
    Omitted,
}

impl TokenNames {
    fn default_maximum_length() -> i32 {
        255
    }
}

impl Default for TokenNames {
    fn default() -> Self {
        Self {
            unsupported: false,
            maximum_length: Self::default_maximum_length(),
            display_name: DisplayName::default(),
        }
    }
}

/// Whether the service gives the id of a token that is gone to another one. With `Reused` the operator sends no revoke to an id unless it
/// sees that the id is still that of its own token. Default: `Unique`. Example: `Reused`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Ids {
    /// An id is never given twice.
    #[default]
    Unique,
    /// The id of a token that is gone may become that of another one, like a row number of SQLite.
    Reused,
}

/// The lifetimes that a service can give. How one is sent is in the `generate` template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lifetimes {
    /// Whether a token may live for ever (`lifetime: Never`). Default `true`.
    #[serde(default = "yes")]
    pub never: bool,
    /// The shortest lifetime. Default: none. Example: `24h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<GoDuration>,
    /// The longest lifetime. Default: none. Example: `8760h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<GoDuration>,
    /// How the operator learns when a token expires. Default `Answered`. Example: `Requested`.
    #[serde(default)]
    pub expiry: Expiry,
}

/// How the operator learns when a token expires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Expiry {
    /// `generate.response.expirationTime` is a time. Without that path, or where the answer has none, the lifetime that was
    /// asked for counts from the claim.
    #[default]
    Answered,
    /// `generate.response.expirationTime` is a number of seconds from now (`expires_in`); 0 means never.
    AnsweredSeconds,
    /// The answer does not say it: the lifetime that was asked for counts from the claim.
    Requested,
}

/// A parameter that tokens of this service may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParameterDeclaration {
    /// The name, as templates (`parameters.NAME`) and users write it. Example: `role`.
    #[schemars(length(max = 63), regex(pattern = r"^[A-Za-z][A-Za-z0-9_]*$"))]
    pub name: String,
    /// The values that the service knows; each element of a list must be one of them. Default: any.
    /// Example: `[Developer, Admin]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(max = 256)))]
    pub values: Option<Vec<String>>,
    /// The value for a token that leaves it out, a string or a list of strings. Default: none. Example: `Developer`.
    #[serde(default, rename = "default", skip_serializing_if = "Option::is_none")]
    pub default_value: Option<ParameterValue>,
    /// Whether a token must set it. Default `false`. Example: `true`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
}

/// Generates one token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Generate {
    /// The request.
    pub request: Request,
    /// Statuses that mean "generated". Default: every 2xx. Example: `[201]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), inner(range(min = 200, max = 299)), extend("x-kubernetes-list-type" = "set"))]
    pub success: Option<Vec<i32>>,
    /// Statuses that prove that nothing was generated, so that the same request may be sent again.
    /// Default `[429]`. Example: `[429, 503]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), inner(range(min = 400, max = 599)), extend("x-kubernetes-list-type" = "set"))]
    pub not_executed: Option<Vec<i32>>,
    /// The answer of a service that has a token of this name already: the request arrived twice, and its token is looked for by its name.
    /// Default `{statuses: [409]}`. Example: `{statuses: [400], body: {path: $.code, equals: name_taken}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_taken: Option<Match>,
    /// Where the answer has the token.
    pub response: GenerateResponse,
    /// How long an answer may take; an answer that comes too late leaves a token that nobody knows, so be generous.
    /// Default `60s`. Example: `90s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
}

/// Where the answer to `generate` has the token. All are JSONPaths of exactly one value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GenerateResponse {
    /// The value, a string. Example: `$.token`.
    #[schemars(length(max = 256), regex(pattern = r"^\$"))]
    pub value: String,
    /// The id that `list` and `revoke` use for it. Default: none. Example: `$.id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = r"^\$"))]
    pub id: Option<String>,
    /// When it expires. A time in ISO 8601 (UTC where it has no zone), a date, or seconds or milliseconds since 1970, also as
    /// a text; with `lifetime.expiry: AnsweredSeconds`, seconds from now. Default: none. Where the answer has none, a
    /// lifetime that was asked for counts from the claim; without one the token never expires. Example: `$.expirationTime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = r"^\$"))]
    pub expiration_time: Option<String>,
}

/// Lists all live tokens. A list that cannot be read to its end counts as no list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct List {
    /// The request of the first page.
    pub request: Request,
    /// Statuses that mean success. Default: every 2xx. Example: `[200]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), inner(range(min = 200, max = 299)), extend("x-kubernetes-list-type" = "set"))]
    pub success: Option<Vec<i32>>,
    /// An answer outside `success` that means an empty list; some servers have an error for it. Default: none.
    /// Example: `{statuses: [500], body: {path: $.error, equals: user not found}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty: Option<Match>,
    /// The JSONPath of the rows; the list or object that contains them must be in the answer even when it is empty.
    /// Example: `$.items[*]`.
    #[schemars(length(max = 256), regex(pattern = r"^\$"))]
    pub items: String,
    /// Where the values of a row are.
    pub item: ListItem,
    /// How the operator finds the next page. Absent: the list has one page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pagination: Option<Pagination>,
}

/// Where the values of a row of a list are. All are JSONPaths of exactly one value of the row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListItem {
    /// The id, the same as in the answer to `generate`. Example: `$.id`.
    #[schemars(length(max = 256), regex(pattern = r"^\$"))]
    pub id: String,
    /// The name. Required where tokens have names: lost tokens are found by it. Example: `$.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = r"^\$"))]
    pub name: Option<String>,
    /// What the service puts before each name; it is left out where a listed name begins with it. Default: nothing.
    /// Example: `robot$`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub name_prefix: Option<String>,
    /// When it was generated. Default: not known. Example: `$.createdTime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = r"^\$"))]
    pub created_time: Option<String>,
    /// When it expires. Default: not known. Example: `$.expirationTime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = r"^\$"))]
    pub expiration_time: Option<String>,
    /// When it was last used. Default: not known. Example: `$.lastUsedTime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = r"^\$"))]
    pub last_used_time: Option<String>,
}

/// How the operator finds the next page of a list. Where pages name the next one, the list ends at a page that names none.
/// Where they are counted, it ends at an empty page, at one that has the same rows as an earlier one, or at status 404; a
/// short page is never the end. So check the name of `pageParameter`: a service that does not know it answers the first page
/// again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "[has(self.pageParameter), has(self.nextURL), has(self.link) && self.link].filter(x, x).size() == 1")
    .message("set exactly one of pageParameter, nextURL and link: true"))]
#[x_kube(validation = Rule::new("has(self.pageParameter) || (!has(self.firstPage) && !has(self.next))")
    .message("firstPage and next belong to pageParameter: set it, or remove them"))]
pub struct Pagination {
    /// The query parameter that takes the page number or cursor. Default: none. Example: `page`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub page_parameter: Option<String>,
    /// The value of `pageParameter` in the first request. Default: 1 without `next`; with `next`, none is sent.
    /// Example: `0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub first_page: Option<i32>,
    /// The JSONPath of the next page's number or cursor; absent or null in the answer ends the list. Without it, pages
    /// are counted until an empty one. Example: `$.nextPage`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = r"^\$"))]
    pub next: Option<String>,
    /// The JSONPath of the next page's URL, absolute or relative, of the same origin; a link to the path of this list at
    /// another origin, as services behind a proxy write it, is read at the origin of `baseURL`. Default: none.
    /// Example: `$.next`.
    #[serde(default, rename = "nextURL", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = r"^\$"))]
    pub next_url: Option<String>,
    /// Whether the next page's URL is in the `Link` header (`rel="next"`). Default `false`. Example: `true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<bool>,
}

/// Revokes one token by its id. The operator believes a revoke only when the service refuses the token, or no longer
/// lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revoke {
    /// The request.
    pub request: Request,
    /// Statuses that mean success. Default: every 2xx. Example: `[204]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), inner(range(min = 200, max = 299)), extend("x-kubernetes-list-type" = "set"))]
    pub success: Option<Vec<i32>>,
    /// Statuses that mean that the token no longer exists. Default `[404, 410]`. Example: `[404]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), inner(range(min = 400, max = 599)), extend("x-kubernetes-list-type" = "set"))]
    pub gone: Option<Vec<i32>>,
}

fn yes() -> bool {
    true
}
