//! A call that comes in.

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, HeaderMap};

/// Whom a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The API server.
    Api,
    /// The token service.
    Service,
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Any call of the token service.
    Service,
    /// A POST, PUT, PATCH or DELETE of the API server, a dry run included.
    Write,
    /// The same for an `Event`.
    Event,
    /// A GET of one object.
    Read,
    /// A GET of many objects, as watches begin.
    List,
    /// A watch.
    Watch,
    /// Anything else of the API server: its version, discovery.
    Other,
}

/// One call, without anything secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its place in the order of all calls of the proxy, from 1.
    pub number: u32,
    /// Whom it is for.
    pub side: Side,
    /// What it does.
    pub kind: Kind,
    /// The process that made it, if that is known.
    pub pid: Option<u32>,
    /// The HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The HTTP status that the caller got; `None` if there is no answer yet, or the answer was lost.
    pub status: Option<u16>,
}

impl Call {
    /// Whether the call changes something or reads one object live. A fault matrix strikes these calls. It leaves out lists and
    /// watches, which clients begin anew at any time.
    pub fn is_step(&self) -> bool {
        match self.kind {
            Kind::Service | Kind::Write | Kind::Event | Kind::Read => true,
            Kind::List | Kind::Watch | Kind::Other => false,
        }
    }

    /// The path without its query.
    pub fn route(&self) -> &str {
        self.path.split_once('?').map_or(&self.path, |(route, _)| route)
    }

    /// The resource of the API server in the plural, such as `secrets`; empty elsewhere.
    pub fn resource(&self) -> &str {
        if self.side == Side::Api { Parts::of(self.route()).map_or("", |parts| parts.resource) } else { "" }
    }
}

/// A call with its content, which may be secret.
#[derive(Clone)]
pub struct Request {
    /// The call.
    pub call: Call,
    /// The token of its `Authorization: Bearer` header.
    pub bearer: Option<String>,
    /// Its body.
    pub body: Bytes,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
}

impl Request {
    pub(super) fn new(side: Side, pid: Option<u32>, parts: &hyper::http::request::Parts, body: Bytes) -> Self {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let kind = if side == Side::Service { Kind::Service } else { kind(&parts.method, &path) };
        let method = parts.method.to_string();
        let call = Call { number: 0, side, kind, pid, method, path, status: None };
        let bearer = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
        Self { call, bearer, body, method: parts.method.clone(), headers: parts.headers.clone() }
    }
}

fn kind(method: &Method, path: &str) -> Kind {
    let (route, query) = path.split_once('?').unwrap_or((path, ""));
    let Some(parts) = Parts::of(route) else { return Kind::Other };
    if method != Method::GET {
        return if parts.resource == "events" { Kind::Event } else { Kind::Write };
    }
    match query.split('&').any(|pair| pair == "watch=true" || pair == "watch=1") {
        true => Kind::Watch,
        false if parts.named => Kind::Read,
        false => Kind::List,
    }
}

/// The parts of a resource's path: `/api/v1` or `/apis/GROUP/VERSION`, then `[namespaces/NS/]RESOURCE[/NAME[/SUB]]`.
struct Parts<'a> {
    resource: &'a str,
    named: bool,
}

impl<'a> Parts<'a> {
    fn of(route: &'a str) -> Option<Self> {
        let words: Vec<&str> = route.split('/').skip(1).collect();
        let rest = match words.as_slice() {
            ["api", _, rest @ ..] | ["apis", _, _, rest @ ..] => rest,
            _ => return None,
        };
        match rest {
            [] => None,
            ["namespaces", _, resource, rest @ ..] => Some(Self { resource, named: !rest.is_empty() }),
            [resource, rest @ ..] => Some(Self { resource, named: !rest.is_empty() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_call_does_is_told_by_its_method_and_path() {
        let check = |method: Method, path: &str, expected: Kind, resource: &str| {
            let request = hyper::Request::builder().method(method).uri(path).body(()).unwrap();
            let call = Request::new(Side::Api, None, &request.into_parts().0, Bytes::new()).call;
            assert_eq!((call.kind, call.resource()), (expected, resource), "{path}");
        };
        let tokens = "/apis/artifact-token.dev/v1alpha1/namespaces/a/artifacttokens";
        check(Method::PUT, &format!("{tokens}/ci/status?fieldManager=x"), Kind::Write, "artifacttokens");
        check(Method::POST, "/api/v1/namespaces/a/secrets?dryRun=All", Kind::Write, "secrets");
        check(Method::POST, "/apis/events.k8s.io/v1/namespaces/a/events?", Kind::Event, "events");
        check(Method::GET, "/api/v1/namespaces/a/secrets/s", Kind::Read, "secrets");
        check(Method::GET, &format!("{tokens}?limit=500"), Kind::List, "artifacttokens");
        check(Method::GET, &format!("{tokens}?&watch=true&timeoutSeconds=290"), Kind::Watch, "artifacttokens");
        check(Method::GET, "/api/v1/namespaces", Kind::List, "namespaces");
        check(Method::GET, "/version", Kind::Other, "");
    }
}
