//! The addresses that a declaration sends requests to.

use url::Url;

use super::compile::{Compiler, Purpose};
use crate::api::token_service::Proxy;
use crate::service::address;
use crate::service::request::BasicTemplate;

/// The proxy through which all requests go.
#[derive(Clone, Debug)]
pub(in crate::service) struct ProxyTemplate {
    pub url: Url,
    pub basic: Option<BasicTemplate>,
}

/// The proxy of `spec.connection`. An address behind it is judged like any other; a name behind it, the proxy looks up.
pub(super) fn proxy(compiler: &mut Compiler<'_>, part: &Proxy) -> Option<ProxyTemplate> {
    let path = "spec.connection.proxy";
    let url = match Url::parse(&part.url) {
        Ok(url) if is_address(&url) && url.path() == "/" => url,
        Ok(_) | Err(_) => {
            compiler.problem(
                format!("{path}.url"),
                "write it like http://proxy.corp.example:3128, without user and path; a user name goes into proxy.basic",
            );
            return None;
        }
    };
    forbid(compiler, &format!("{path}.url"), &url);
    if compiler.connection().insecure_http {
        compiler.problem(
            path,
            "would see the credentials: use https:// and leave connection.insecureHTTP out, or reach the service without a proxy",
        );
    }
    let basic = match &part.basic {
        None => None,
        Some(basic) => Some(compiler.basic(&format!("{path}.basic"), basic, Purpose::Authentication)?),
    };
    Some(ProxyTemplate { url, basic })
}

/// An address that requests are sent to, without a last slash; what is wrong with it is a problem of the field `path`.
pub(super) fn base_url(compiler: &mut Compiler<'_>, path: &str, text: &str) -> Option<Url> {
    let Ok(mut url) = Url::parse(text) else {
        compiler.problem(path, "is not a URL: write it like https://tokens.corp.example/api");
        return None;
    };
    if !is_address(&url) {
        compiler.problem(path, "write it like https://tokens.corp.example/api, without user, query and fragment");
        return None;
    }
    if url.scheme() == "http" && !compiler.connection().insecure_http {
        compiler.problem(
            path,
            "credentials would be sent in clear text: use https://, or set connection.insecureHTTP: true for a service inside your own network",
        );
    }
    forbid(compiler, path, &url);
    let prefix = url.path().trim_end_matches('/').to_owned();
    url.set_path(&prefix);
    Some(url)
}

/// Whether it is scheme, host, port and path alone.
fn is_address(url: &Url) -> bool {
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    plain && url.has_host() && ["http", "https"].contains(&url.scheme())
}

/// Nothing is sent to some addresses.
fn forbid(compiler: &mut Compiler<'_>, path: &str, url: &Url) {
    let allow_link_local = compiler.connection().allow_link_local;
    if let Some(why) = address::of(url).and_then(|it| address::forbidden(it, allow_link_local)) {
        let host = url.host_str().unwrap_or_default();
        compiler.problem(path, format!("{host} is {why}, so nothing is sent there: {}", why.advice()));
    }
}
