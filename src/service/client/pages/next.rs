//! Where the next page of a list is: by number, by cursor, or by a URL of the service.

use serde_json::Value;
use url::Url;

use super::Page;
use crate::api::operation::Operation;
use crate::service::declaration::Paging;
use crate::service::errors::ServiceError;
use crate::service::extraction::JsonPath;
use crate::service::template::percent_encode;

/// The first page's URL.
pub(super) fn first_page(paging: &Paging, bare: &Url) -> Url {
    match paging {
        Paging::Parameter { name, first: Some(first), .. } => with_parameter(bare, name, &first.to_string()),
        Paging::Parameter { first: None, .. } | Paging::None | Paging::Url(_) | Paging::Link => bare.clone(),
    }
}

/// The next page's URL; `None` where the page says that it is the last one, or says nothing.
pub(super) fn next_page(page: &Page<'_>) -> Result<Option<Url>, ServiceError> {
    // An unreadable next page is not the end: from an incomplete list, a living token would count as gone.
    let find = |path: &JsonPath, field: &str| match path.find(page.body) {
        Ok(None | Some(Value::Bool(false))) => Ok(None),
        Ok(Some(Value::String(text))) if text.is_empty() => Ok(None),
        Ok(Some(_)) => path.scalar(page.body).map(Some).map_err(|error| Operation::List.misdeclared(field, &error)),
        Err(error) => Err(Operation::List.misdeclared(field, &error)),
    };
    match &page.operation.pagination {
        Paging::None => Ok(None),
        Paging::Parameter { name, first, next: None } => {
            let number = i64::from(first.unwrap_or(1)) + i64::try_from(page.number).unwrap_or(i64::MAX) + 1;
            Ok(Some(with_parameter(page.bare, name, &number.to_string())))
        }
        Paging::Parameter { name, next: Some(next), .. } => {
            Ok(find(next, "pagination.next")?.map(|value| with_parameter(page.bare, name, &value)))
        }
        Paging::Url(next) => find(next, "pagination.nextURL")?.map(|text| at_own_origin(page.url, &text)).transpose(),
        Paging::Link => {
            let links = page.answer.headers.get_all("link").iter().filter_map(|value| value.to_str().ok());
            let next = links.filter_map(next_link).next();
            next.map(|text| at_own_origin(page.url, text)).transpose()
        }
    }
}

fn with_parameter(bare: &Url, name: &str, value: &str) -> Url {
    let pair = format!("{}={}", percent_encode(name), percent_encode(value));
    let query = bare.query().map_or_else(|| pair.clone(), |query| format!("{query}&{pair}"));
    let mut url = bare.clone();
    url.set_query(Some(&query));
    url
}

/// The next page's URL. **Invariant:** the credential goes nowhere but to the origin of `baseURL` (S10).
///
/// A service behind a proxy often writes its inner name, scheme or port into its links, and leaves out or adds the beginning
/// of the path that the proxy adds or leaves out. Such a link to the same path is read as a query at our own address.
fn at_own_origin(current: &Url, next: &str) -> Result<Url, ServiceError> {
    let url = current.join(next).ok().filter(|url| url.username().is_empty() && url.password().is_none());
    match url {
        Some(url) if url.origin() == current.origin() => Ok(url),
        Some(url) if url.has_host() && is_same_place(current.path(), url.path()) => {
            let mut own = current.clone();
            own.set_query(url.query());
            Ok(own)
        }
        Some(_) | None => Err(ServiceError::unknown(
            "list: the next page has another origin than spec.baseURL and another path than this list, and the operator sends no credential there: use pageParameter in spec.operations.list.pagination",
        )),
    }
}

/// Whether one path is the other, perhaps without its beginning.
fn is_same_place(one: &str, other: &str) -> bool {
    one.len() > 1 && other.len() > 1 && (one.ends_with(other) || other.ends_with(one))
}

/// The target of `rel="next"` in a `Link` header (RFC 8288).
fn next_link(header: &str) -> Option<&str> {
    header.split('<').skip(1).find_map(|link| {
        let (target, parameters) = link.split_once('>')?;
        let is_next = |parameter: &str| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = value.trim().trim_end_matches(',').trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel")
                && value.split(' ').any(|relation| relation.eq_ignore_ascii_case("next"))
        };
        parameters.split(';').any(is_next).then_some(target)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_next_link_is_found_among_others() {
        let check = |header: &str, next: Option<&str>| assert_eq!(next_link(header), next, "{header}");
        check(r#"</t?page=2>; rel="next""#, Some("/t?page=2"));
        check(r#"<https://x/t?a=1,2>; rel="prev", <https://x/t?a=3>; rel=next; title="y""#, Some("https://x/t?a=3"));
        check(r#"</t>; rel="prev last""#, None);
        check(r#"</t>; rel="last next""#, Some("/t"));
        check("", None);
        check("</unclosed; rel=next", None);
    }

    #[test]
    fn a_next_page_elsewhere_is_refused() {
        let current = Url::parse("https://tokens.example/api/t?page=1").unwrap();
        let ok = |next| at_own_origin(&current, next).ok().map(|url| url.to_string());
        assert_eq!(ok("?page=2").as_deref(), Some("https://tokens.example/api/t?page=2"));
        assert_eq!(ok("/api/t?page=2").as_deref(), Some("https://tokens.example/api/t?page=2"));
        for elsewhere in [
            "https://evil.example/other",
            "//evil.example/x",
            "http://tokens.example/",
            "https://tokens.example:444/api",
            "https://user@inner.example/api/t?page=2",
            "data:/api/t?page=2",
            "javascript:alert(1)",
        ] {
            assert_eq!(ok(elsewhere), None, "{elsewhere}");
        }
    }

    #[test]
    fn a_link_that_a_proxy_made_wrong_is_read_at_our_own_address() {
        let current = Url::parse("https://tokens.example/gitlab/api/t?page=1&limit=2").unwrap();
        for inner in [
            "http://tokens.example/gitlab/api/t?page=2",
            "https://tokens.example:8443/gitlab/api/t?page=2",
            "http://gitlab.internal:8080/api/t?page=2",
            "//inner/prefix/gitlab/api/t?page=2#x",
        ] {
            let url = at_own_origin(&current, inner).unwrap();
            assert_eq!(url.as_str(), "https://tokens.example/gitlab/api/t?page=2", "{inner}");
        }
    }
}
