//! Reads a list to its end. An incomplete list is no list: a token that it does not have may still live.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use url::Url;

use super::answers::{ListedToken, Listing};
use super::connection::Connection;
use super::failure::Operation;
use crate::service::declaration::{ListOperation, Paging};
use crate::service::errors::ServiceError;
use crate::service::extraction::{ExtractionError, JsonPath};
use crate::service::template::percent_encode;
use crate::service::transport::Answer;

/// The most pages of a list, so that a list without an end does not keep the operator busy for ever.
const MAX_PAGES: usize = 1000;

/// The most bytes of rows that are kept: some 300,000 rows of usual length. Without this limit, a thousand pages could have
/// a thousand times the bound of one answer.
const MAX_KEPT: usize = 64 * 1024 * 1024;

/// The most characters of a name that are kept. The first 57 say which object a token belongs to.
const MAX_NAME: usize = 256;

/// The longest URL of a next page: the service chooses it.
const MAX_URL: usize = 8 * 1024;

/// How long one page may wait for its place in the rate limit.
const MAX_WAIT: Duration = Duration::from_secs(120);

/// The state of reading a list.
#[derive(Default)]
struct Progress {
    rows: Vec<ListedToken>,
    /// The position of each id in `rows`.
    ids: BTreeMap<String, usize>,
    urls: BTreeSet<Url>,
    /// The size of the rows and their ids, in bytes.
    kept: usize,
}

pub(super) async fn list(connection: &Connection) -> Result<Listing, ServiceError> {
    let asked = Operation::List;
    let operation = connection.declaration.list.as_ref().ok_or_else(|| asked.not_declared())?;
    let call = connection.fill(asked, &operation.request, connection.authentication(), connection.values())?;
    let bare = connection.url(asked, &call)?;
    let mut url = first_page(&operation.pagination, &bare);
    let mut progress = Progress::default();
    for number in 0..MAX_PAGES {
        if number > 0 {
            // The pages before were sent: a list that breaks off here is a call that was made.
            let waited = connection.wait_for_place(asked, MAX_WAIT).await;
            waited.map_err(|error| ServiceError::Retry { after: error.retry_after(), what: error.to_string() })?;
        }
        let answer = connection.send(asked, &call, &url, connection.declaration.timeout).await?;
        if !operation.success.contains(answer.status) {
            return match &operation.empty {
                Some(empty) if number == 0 && empty.matches(answer.status, answer.json().ok().as_ref()) => {
                    Ok(Listing::default())
                }
                _ => Err(asked.failure_of(&answer)),
            };
        }
        let body = answer.json().map_err(|what| asked.unreadable(answer.status, what))?;
        let page = Page { operation, answer: &answer, body: &body, url: &url, bare: &bare, number };
        match progress.read(&page)? {
            None => return Ok(Listing { rows: progress.rows }),
            Some(next) => url = next,
        }
    }
    Err(ServiceError::unknown(format!(
        "list: more than {MAX_PAGES} pages; ask for larger pages in spec.operations.list"
    )))
}

/// One page and where it came from.
struct Page<'a> {
    operation: &'a ListOperation,
    answer: &'a Answer,
    body: &'a Value,
    url: &'a Url,
    /// The first page's URL without a page parameter.
    bare: &'a Url,
    number: usize,
}

impl Progress {
    /// Adds the rows of a page, and returns the URL of the next one; `None` at the end.
    ///
    /// A page in the middle of a list may be shorter than requested, so only an empty page is the end.
    fn read(&mut self, page: &Page<'_>) -> Result<Option<Url>, ServiceError> {
        let rows =
            page.operation.items.rows(page.body).map_err(|error| Operation::List.misdeclared("items", &error))?;
        let before = self.ids.len();
        for row in &rows {
            let row = read_row(page.operation, row)?;
            match self.ids.get(&row.id) {
                None => self.keep(row)?,
                // An id with two names does not say which object it belongs to, so it counts as a stranger's.
                Some(at) if self.rows[*at].name != row.name => self.rows[*at].name = None,
                Some(_) => {}
            }
        }
        let counted = matches!(page.operation.pagination, Paging::Parameter { next: None, .. });
        if counted && !rows.is_empty() && self.ids.len() == before {
            return Err(unending());
        }
        let next = if rows.is_empty() { None } else { next_page(page)? };
        self.urls.insert(page.url.clone());
        if next.as_ref().is_some_and(|next| next.as_str().len() > MAX_URL) {
            return Err(ServiceError::unknown("list: the URL of the next page is longer than 8 KiB"));
        }
        if next.as_ref().is_some_and(|next| self.urls.contains(next)) {
            return Err(unending());
        }
        Ok(next)
    }

    fn keep(&mut self, row: ListedToken) -> Result<(), ServiceError> {
        let name = row.name.as_ref().map_or(0, String::len);
        self.kept += size_of::<ListedToken>() + 2 * (size_of::<String>() + row.id.len()) + name;
        if self.kept > MAX_KEPT {
            return Err(ServiceError::unknown(
                "list: more than 64 MiB of ids and names; let spec.operations.list.request ask for fewer rows",
            ));
        }
        self.ids.insert(row.id.clone(), self.rows.len());
        self.rows.push(row);
        Ok(())
    }
}

fn unending() -> ServiceError {
    ServiceError::unknown("list: a page came twice, so the list has no end: correct spec.operations.list.pagination")
}

fn read_row(operation: &ListOperation, row: &Value) -> Result<ListedToken, ServiceError> {
    let id = operation.id.scalar(row).map_err(|error| Operation::List.misdeclared("item.id", &error))?;
    let name = match operation.name.as_ref().map(|path| path.scalar(row)) {
        None | Some(Err(ExtractionError::Nothing(_))) => None,
        Some(Ok(name)) => Some(name.chars().take(MAX_NAME).collect()),
        Some(Err(error)) => return Err(Operation::List.misdeclared("item.name", &error)),
    };
    // The times of rows are only shown, and never decide about a token: an unreadable time counts as absent.
    let time = |path: &Option<JsonPath>| path.as_ref().and_then(|path| path.time(row).ok()).flatten();
    let (created, expiration, last_used) =
        (time(&operation.created), time(&operation.expiration), time(&operation.last_used));
    Ok(ListedToken { id, name, created, expiration, last_used })
}

fn first_page(paging: &Paging, bare: &Url) -> Url {
    match paging {
        Paging::Parameter { name, first: Some(first), .. } => with_parameter(bare, name, &first.to_string()),
        Paging::Parameter { first: None, .. } | Paging::None | Paging::Url(_) | Paging::Link => bare.clone(),
    }
}

fn next_page(page: &Page<'_>) -> Result<Option<Url>, ServiceError> {
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
        Paging::Url(next) => find(next, "pagination.nextURL")?.map(|text| same_origin(page.url, &text)).transpose(),
        Paging::Link => {
            let links = page.answer.headers.get_all("link").iter().filter_map(|value| value.to_str().ok());
            let next = links.filter_map(next_link).next();
            next.map(|text| same_origin(page.url, text)).transpose()
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
fn same_origin(current: &Url, next: &str) -> Result<Url, ServiceError> {
    match current.join(next) {
        Ok(url) if url.origin() == current.origin() && url.username().is_empty() && url.password().is_none() => Ok(url),
        _ => Err(ServiceError::unknown(
            "list: the next page has another origin than spec.baseURL, and the operator sends no credential there: use pageParameter in spec.operations.list.pagination",
        )),
    }
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
        let ok = |next| same_origin(&current, next).ok().map(|url| url.to_string());
        assert_eq!(ok("?page=2").as_deref(), Some("https://tokens.example/api/t?page=2"));
        assert_eq!(ok("/api/t?page=2").as_deref(), Some("https://tokens.example/api/t?page=2"));
        for elsewhere in
            ["https://evil.example/t", "//evil.example/t", "http://tokens.example/t", "https://tokens.example:444/t"]
        {
            assert_eq!(ok(elsewhere), None, "{elsewhere}");
        }
    }
}
