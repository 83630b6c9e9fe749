//! Reads a list to its end. An incomplete list is no list: a token that it does not have may still live.

mod next;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;
use url::Url;

use self::next::{first_page, next_page};
use super::answers::{ListedToken, Listing};
use super::connection::Connection;
use crate::api::operation::Operation;
use crate::service::declaration::{ListOperation, Paging};
use crate::service::errors::ServiceError;
use crate::service::extraction::JsonPath;
use crate::service::limits::Places;
use crate::service::transport::Answer;

/// The most pages of a list, so that a list without an end does not keep the operator busy for ever.
const MAX_PAGES: usize = 1000;

/// The most rows of a page, the filtered ones counted, too.
const MAX_ROWS: usize = 20_000;

/// The most bytes of all pages together, as they came, and the most bytes of rows that are kept: some 300,000 rows of usual
/// length. Without this limit, a thousand pages could have a thousand times the bound of one.
const MAX_LIST: usize = 64 * 1024 * 1024;

/// The most characters of a name that are kept. The first 57 say which object a token belongs to.
const MAX_NAME: usize = 256;

/// The longest URL of a next page: the service chooses it.
const MAX_URL: usize = 8 * 1024;

/// The status of a counted page after the last one, at many services.
const NO_SUCH_PAGE: u16 = 404;

/// The state of reading a list.
#[derive(Default)]
struct Progress {
    rows: Vec<ListedToken>,
    /// The position of each id in `rows`.
    ids: BTreeMap<String, usize>,
    urls: BTreeSet<Url>,
    /// What stood on each page, as a number.
    pages: BTreeSet<u64>,
    /// The size of the rows and their ids, in bytes.
    kept: usize,
    /// The size of all pages, in bytes.
    taken: usize,
}

/// Reads the list. The caller took the place of the first page.
pub(super) async fn list(connection: &Connection, places: &mut Places) -> Result<Listing, ServiceError> {
    let asked = Operation::List;
    let operation = connection.declaration.list.as_ref().ok_or_else(|| asked.not_declared())?;
    let call = connection.fill(asked, &operation.request, connection.authentication(), connection.values())?;
    let bare = connection.url(asked, &call)?;
    let mut url = first_page(&operation.pagination, &bare);
    let mut progress = Progress::default();
    for number in 0..MAX_PAGES {
        if number > 0 {
            // The pages before were sent: a list that breaks off here is a call that was made.
            let waited = connection.take_place(asked, places).await;
            let broken_off = |error: ServiceError| ServiceError::Retry {
                after: error.retry_after(),
                what: error.to_string(),
                asked: true,
            };
            waited.map_err(broken_off)?;
        }
        let answer = connection.send(asked, &call, &url, connection.declaration.timeout).await?;
        if !operation.success.contains(answer.status) {
            let read = without_success(operation, &answer, number, progress);
            return read.map_err(|error| connection.explained(error, &answer, None));
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

/// An answer outside `success`: the end of counted pages, a declared empty list, or a failure.
fn without_success(
    operation: &ListOperation,
    answer: &Answer,
    number: usize,
    progress: Progress,
) -> Result<Listing, ServiceError> {
    let (first, counted) = (number == 0, is_counted(operation));
    let empty = operation.empty.as_ref().filter(|_| first);
    if empty.is_some_and(|empty| empty.matches(answer.status, answer.json().ok().as_ref())) {
        return Ok(Listing::default());
    }
    if !first && counted && answer.status == NO_SUCH_PAGE {
        return Ok(Listing { rows: progress.rows });
    }
    if !first && counted && answer.status >= 500 {
        return Err(ServiceError::unknown(format!(
            "list: page {} has the status {}, and the pages before it were answered; if the service answers so after its last page, say in spec.operations.list.pagination.next where a page has the number of the next one",
            number + 1,
            answer.status
        )));
    }
    Err(Operation::List.failure_of(answer))
}

/// Whether the pages are counted, so that only a page itself can say that it comes after the last one.
fn is_counted(operation: &ListOperation) -> bool {
    matches!(operation.pagination, Paging::Parameter { next: None, .. })
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
    /// A page in the middle of a list may be shorter than requested. So only these are the end: a page without a next one
    /// where pages say that; where they are counted, an empty page, or the same page again.
    fn read(&mut self, page: &Page<'_>) -> Result<Option<Url>, ServiceError> {
        self.taken += page.answer.body().map_or(0, <[u8]>::len);
        if self.taken > MAX_LIST {
            return Err(too_large("64 MiB of answers"));
        }
        let wrong = |error| Operation::List.misdeclared("items", &error);
        let all = page.operation.items.unfiltered(page.body).map_err(wrong)?;
        if all.len() > MAX_ROWS {
            return Err(ServiceError::unknown(
                "list: a page has more than 20,000 rows: let spec.operations.list.request ask for fewer, and declare spec.operations.list.pagination",
            ));
        }
        let rows = page.operation.items.rows(page.body).map_err(wrong)?;
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
        self.urls.insert(page.url.clone());
        if is_counted(page.operation) {
            if all.is_empty() || !self.pages.insert(content(page.operation, &all)) {
                return Ok(None);
            }
            if !rows.is_empty() && self.ids.len() == before {
                return Err(unending());
            }
        }
        let next = next_page(page)?;
        match next {
            Some(next) if next.as_str().len() > MAX_URL => {
                Err(ServiceError::unknown("list: the URL of the next page is longer than 8 KiB"))
            }
            // An empty page that leads to a page that was read is the end at services with a cursor.
            Some(next) if self.urls.contains(&next) && all.is_empty() => Ok(None),
            Some(next) if self.urls.contains(&next) => Err(unending()),
            next => Ok(next),
        }
    }

    fn keep(&mut self, row: ListedToken) -> Result<(), ServiceError> {
        let name = row.name.as_ref().map_or(0, String::len);
        self.kept += size_of::<ListedToken>() + 2 * (size_of::<String>() + row.id.len()) + name;
        if self.kept > MAX_LIST {
            return Err(too_large("64 MiB of ids and names"));
        }
        self.ids.insert(row.id.clone(), self.rows.len());
        self.rows.push(row);
        Ok(())
    }
}

/// What stands on a page, in any order: services that have no order list the same tokens differently each time.
fn content(operation: &ListOperation, rows: &[&Value]) -> u64 {
    let mut ids: Vec<_> = rows.iter().map(|row| operation.id.scalar(row).unwrap_or_else(|_| row.to_string())).collect();
    ids.sort_unstable();
    let mut hasher = DefaultHasher::new();
    ids.hash(&mut hasher);
    hasher.finish()
}

fn unending() -> ServiceError {
    ServiceError::unknown("list: a page came twice, so the list has no end: correct spec.operations.list.pagination")
}

fn too_large(what: &str) -> ServiceError {
    ServiceError::unknown(format!(
        "list: more than {what}; let spec.operations.list.request ask for fewer rows, for example only for those of this account"
    ))
}

fn read_row(operation: &ListOperation, row: &Value) -> Result<ListedToken, ServiceError> {
    let id = operation.id.scalar(row).map_err(|error| Operation::List.misdeclared("item.id", &error))?;
    let name = match operation.name.as_ref().map(|path| path.scalar(row)) {
        None => None,
        Some(Err(error)) if error.is_nothing() => None,
        Some(Ok(name)) => Some(as_sent(operation, &name).chars().take(MAX_NAME).collect()),
        Some(Err(error)) => return Err(Operation::List.misdeclared("item.name", &error)),
    };
    // The times of rows are only shown, and never decide about a token: an unreadable time counts as absent.
    let time = |path: &Option<JsonPath>| path.as_ref().and_then(|path| path.time(row).ok()).flatten();
    let (created, expiration, last_used) =
        (time(&operation.created), time(&operation.expiration), time(&operation.last_used));
    Ok(ListedToken { id, name, created, expiration, last_used })
}

/// The name without what the service puts before each one.
fn as_sent<'a>(operation: &ListOperation, name: &'a str) -> &'a str {
    operation.name_prefix.as_deref().and_then(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}
