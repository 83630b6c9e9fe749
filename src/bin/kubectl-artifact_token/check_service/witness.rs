//! Two transports below the operator's own client: one sends, and remembers the answers; the other one sends nothing, and remembers what
//! would have been sent.
//!
//! **Invariant:** a request is shown only as the second one saw it. Its client has `****` for each credential and each token, so no value
//! was ever in what is shown.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use artifact_token_operator::service::client::meter::CallCounts;
use artifact_token_operator::service::client::{Places, ServiceClient};
use artifact_token_operator::service::declaration::Declaration;
use artifact_token_operator::service::limits::RateLimit;
use artifact_token_operator::service::mask::{HIDDEN, Mask};
use artifact_token_operator::service::transport::{Answer, Exchange, SendError, Transport};
use data_encoding::BASE64;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use secrecy::SecretString;

/// How `****` stands in a path, a query and a form.
const HIDDEN_IN_URL: &str = "%2A%2A%2A%2A";
/// No limit of the service holds up what is not sent.
const UNLIMITED: u32 = 6000;

/// An answer, and how long it took.
pub(super) struct Seen {
    pub answer: Answer,
    pub took: Duration,
}

/// Sends requests, and remembers the answers.
pub(super) struct Witness {
    network: Arc<dyn Transport>,
    mask: Mask,
    seen: Mutex<Vec<Seen>>,
}

/// A request as it may be shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Drawn {
    /// Method and URL.
    pub line: String,
    pub headers: Vec<String>,
    pub body: Option<String>,
}

/// Sends nothing.
struct Paper {
    answers: Mutex<VecDeque<Answer>>,
    drawn: Mutex<Vec<Drawn>>,
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Witness").finish_non_exhaustive()
    }
}

impl fmt::Debug for Paper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paper").finish_non_exhaustive()
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Witness {
    pub fn new(network: Arc<dyn Transport>, mask: Mask) -> Self {
        Self { network, mask, seen: Mutex::default() }
    }

    /// The answers since the last time.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut *locked(&self.seen))
    }
}

impl Transport for Witness {
    fn exchange<'a>(&'a self, exchange: Exchange<'a>) -> BoxFuture<'a, Result<Answer, SendError>> {
        // An answer may repeat what was sent.
        for (_, value) in exchange.headers {
            if let Some(encoded) = value.strip_prefix("Basic ") {
                self.mask.hide(&SecretString::from(encoded));
            }
        }
        let began = Instant::now();
        let sent = self.network.exchange(exchange);
        async move {
            let answer = sent.await;
            if let Ok(answer) = &answer {
                locked(&self.seen).push(Seen { answer: copy(answer), took: began.elapsed() });
            }
            answer
        }
        .boxed()
    }
}

fn copy(answer: &Answer) -> Answer {
    Answer::new(answer.status, answer.headers.clone(), answer.body().map(<[u8]>::to_vec))
}

impl Transport for Paper {
    fn exchange<'a>(&'a self, exchange: Exchange<'a>) -> BoxFuture<'a, Result<Answer, SendError>> {
        locked(&self.drawn).push(draw(&exchange));
        let answer = locked(&self.answers).pop_front();
        async move { answer.ok_or_else(|| SendError::NotSent("nothing is sent".to_owned())) }.boxed()
    }
}

fn draw(exchange: &Exchange<'_>) -> Drawn {
    let method = format!("{:?}", exchange.method).to_uppercase();
    let shown = |text: &str| text.replace(HIDDEN_IN_URL, HIDDEN);
    let header = |(name, value): &(String, String)| {
        // Base64 would hide which part is which.
        let plain = value.strip_prefix("Basic ").and_then(|encoded| BASE64.decode(encoded.as_bytes()).ok());
        match plain.and_then(|plain| String::from_utf8(plain).ok()) {
            Some(plain) => format!("{name}: Basic base64({plain})"),
            None => format!("{name}: {value}"),
        }
    };
    Drawn {
        line: format!("{method} {}", shown(exchange.url.as_str())),
        headers: exchange.headers.iter().map(header).collect(),
        body: exchange.body.map(shown),
    }
}

/// Draws the requests of one call. `answers` are those that the service gave: the pages of a list lead to further requests.
pub(super) async fn sketch(
    declaration: &Declaration,
    answers: Vec<Seen>,
    call: impl AsyncFnOnce(ServiceClient, Places),
) -> Vec<Drawn> {
    let answers = answers.into_iter().map(|seen| seen.answer).collect();
    let paper = Arc::new(Paper { answers: Mutex::new(answers), drawn: Mutex::default() });
    let credentials: BTreeMap<String, SecretString> =
        declaration.used_credentials().map(|name| (name.to_owned(), hidden())).collect();
    let (limit, counts) = (RateLimit::new(UNLIMITED), CallCounts::default());
    if let Ok(client) = ServiceClient::through(paper.clone(), declaration.clone(), credentials, limit, counts) {
        call(client, Places::one_by_one(Duration::from_secs(60))).await;
    }
    std::mem::take(&mut *locked(&paper.drawn))
}

/// What stands for each value.
pub(super) fn hidden() -> SecretString {
    SecretString::from(HIDDEN)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use artifact_token_operator::api::token_service::TokenServiceSpec;
    use serde_json::json;

    use super::*;

    fn declaration(authentication: serde_json::Value) -> Declaration {
        let spec: TokenServiceSpec = serde_json::from_value(json!({
            "preset": "Reference", "baseURL": "https://x.example/api", "naming": {"prefix": "prod"},
            "credentials": {"user": {"name": "a", "key": "u"}, "key": {"name": "a", "key": "k"}},
            "operations": {
                "authentication": authentication,
                "list": {
                    "request": {"method": "GET", "path": "/t", "query": {"key": "{{ credentials.key }}"}},
                    "items": "$.items[*]", "item": {"id": "$.id", "name": "$.name"}, "pagination": {"nextURL": "$.next"},
                },
            },
        }))
        .unwrap();
        Declaration::check(&spec).unwrap()
    }

    #[tokio::test]
    async fn a_request_is_drawn_without_the_values() {
        let basic = json!({"basic": {"username": "{{ credentials.user }}", "password": "{{ credentials.key }}"}});
        let page = json!({"items": [{"id": 1, "name": "x"}], "next": "/api/t?page=2"}).to_string();
        let answer = Answer::new(200, Default::default(), Ok(page.into_bytes()));
        let seen = vec![Seen { answer, took: Duration::ZERO }];
        let drawn = sketch(&declaration(basic), seen, async |client, mut places| {
            let _ = client.list(&mut places).await;
        })
        .await;
        let header = "Authorization: Basic base64(****:****)".to_owned();
        let page = |line: &str| Drawn { line: line.to_owned(), headers: vec![header.clone()], body: None };
        assert_eq!(
            drawn,
            [page("GET https://x.example/api/t?key=****"), page("GET https://x.example/api/t?page=2")],
            "each page"
        );
    }

    #[tokio::test]
    async fn a_token_is_drawn_without_its_value() {
        let drawn =
            sketch(&declaration(json!({"bearer": "{{ credentials.key }}"})), Vec::new(), async |client, mut places| {
                let _ = client.verify(Some(&hidden()), &mut places).await;
                let _ = client.verify(None, &mut places).await;
            })
            .await;
        assert_eq!(drawn[0].headers, ["Authorization: Bearer ****"]);
        assert!(drawn[1].headers.is_empty() && drawn[1].line == "GET https://x.example/api/v1/whoami");
    }
}
