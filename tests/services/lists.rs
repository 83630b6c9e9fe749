//! Pages: where a list ends, and which pages are an error.

use artifact_token_operator::service::client::ServiceClient;

use super::{CREDENTIAL, declaration, outcome, places, service};
use support::peer::{Peer, Reply, answer};

fn at(url: &str, pagination: &str) -> ServiceClient {
    let yaml = format!(
        r#"
preset: Custom
baseURL: {url}
credentials: {{key: {{name: admin, key: key}}}}
connection: {{insecureHTTP: true, timeout: 2s}}
operations:
  naming: {{unsupported: true}}
  authentication: {{bearer: "{{{{ credentials.key }}}}"}}
  verify:
    request: {{method: GET, path: /me, headers: {{Authorization: "Bearer {{{{ token }}}}"}}}}
    accepted: {{statuses: [200]}}
  list:
    request: {{method: GET, path: /t, query: {{limit: "2"}}}}
    items: $.items[*]
    item: {{id: $.id, name: $.name, createdTime: $.created}}
    pagination: {pagination}
    empty: {{statuses: [500], body: {{path: $.error, equals: user not found}}}}
"#
    );
    service(declaration(&yaml), &[("key", CREDENTIAL)])
}

/// A peer that serves these pages, by the target of the request.
async fn pages(pages: &'static [(&'static str, &'static str, &'static str)]) -> Peer {
    Peer::start(move |request| {
        let target = request.split(' ').nth(1).unwrap_or_default();
        match pages.iter().find(|(of, _, _)| *of == target) {
            Some((_, headers, body)) => answer(200, headers, body),
            None => answer(500, "", ""),
        }
    })
    .await
}

async fn ids(service: &ServiceClient) -> Vec<String> {
    service
        .list(&mut places())
        .await
        .unwrap_or_else(|error| panic!("{error}"))
        .rows
        .into_iter()
        .map(|row| row.id)
        .collect()
}

#[tokio::test]
async fn counted_pages_end_at_an_empty_one_never_at_a_short_one_and_rows_come_once() {
    let peer = pages(&[
        ("/t?limit=2&page=1", "", r#"{"items": [{"id": 8}, {"id": 9}]}"#),
        ("/t?limit=2&page=2", "", r#"{"items": [{"id": 9, "created": "no time"}]}"#),
        ("/t?limit=2&page=3", "", r#"{"items": [{"id": 1}]}"#),
        ("/t?limit=2&page=4", "", r#"{"items": []}"#),
    ])
    .await;
    // Page 2 is short and has nothing new. With counted pages, this means that the service ignores the parameter.
    assert_eq!(outcome(at(&peer.url(), "{pageParameter: page}").list(&mut places()).await), "Unknown");
    let peer = pages(&[
        ("/t?limit=2&page=0", "", r#"{"items": [{"id": 8, "name": "a"}, {"id": 9}]}"#),
        ("/t?limit=2&page=1", "", r#"{"items": [{"id": 9}, {"id": 7}]}"#),
        ("/t?limit=2&page=2", "", r#"{"items": [{"id": 1}]}"#),
        ("/t?limit=2&page=3", "", r#"{"items": []}"#),
    ])
    .await;
    assert_eq!(ids(&at(&peer.url(), "{pageParameter: page, firstPage: 0}")).await, ["8", "9", "7", "1"]);
}

#[tokio::test]
async fn a_next_page_is_followed_until_there_is_none() {
    let peer = pages(&[
        ("/t?limit=2", "", r#"{"items": [{"id": "a"}], "next": "c&1"}"#),
        ("/t?limit=2&cursor=c%261", "", r#"{"items": [{"id": "b"}], "next": null}"#),
    ])
    .await;
    assert_eq!(ids(&at(&peer.url(), "{pageParameter: cursor, next: $.next}")).await, ["a", "b"]);
    let peer = pages(&[
        ("/t?limit=2", "", r#"{"items": [{"id": "a"}], "next": "/t?limit=2&page=2"}"#),
        ("/t?limit=2&page=2", "", r#"{"items": [{"id": "b"}]}"#),
    ])
    .await;
    assert_eq!(ids(&at(&peer.url(), "{nextURL: $.next}")).await, ["a", "b"]);
    let peer = pages(&[
        ("/t?limit=2", "link: </t?page=0>; rel=\"prev\", </t?page=2>; rel=\"next\"\r\n", r#"{"items": [{"id": "a"}]}"#),
        ("/t?page=2", "", r#"{"items": [{"id": "b"}]}"#),
    ])
    .await;
    assert_eq!(ids(&at(&peer.url(), "{link: true}")).await, ["a", "b"]);
}

#[tokio::test]
async fn a_list_that_breaks_off_is_no_list() {
    let check = async |pages_of: &'static [(&'static str, &'static str, &'static str)], expected: &str| {
        let peer = pages(pages_of).await;
        assert_eq!(outcome(at(&peer.url(), "{nextURL: $.next}").list(&mut places()).await), expected, "{pages_of:?}");
    };
    check(&[("/t?limit=2", "", r#"{"items": [{"id": "a"}], "next": "/missing"}"#)], "Unknown").await;
    check(&[("/t?limit=2", "", r#"{"items": [{"id": "a"}], "next": "/t?limit=2"}"#)], "Unknown").await;
    check(&[("/t?limit=2", "", r#"{"message": "try later"}"#)], "Unknown").await;
    check(&[("/t?limit=2", "", r#"{"items": [{"key": "a"}]}"#)], "Unknown").await;
    check(&[("/t?limit=2", "", r#"{"items": [{"id": "a"}], "next": ["x", "y"]}"#)], "Unknown").await;
    check(&[("/t?limit=2", "", r#"{"items": null}"#)], "Ok").await;
    check(&[("/t?limit=2", "", r#"{"items": [{"id": "a"}], "next": ""}"#)], "Ok").await;
    check(&[("/t?limit=2", "", r#"{"items": [{"id": "a"}], "next": false}"#)], "Ok").await;
    check(&[("/t?limit=2", "", "<html>")], "Unknown").await;
}

#[tokio::test]
async fn an_error_that_is_declared_to_mean_empty_is_an_empty_list_and_no_other_is() {
    let peer = Peer::always(answer(500, "", r#"{"error": "user not found"}"#)).await;
    assert_eq!(ids(&at(&peer.url(), "{link: true}")).await, Vec::<String>::new());
    let peer = Peer::always(answer(500, "", r#"{"error": "database is gone"}"#)).await;
    assert_eq!(outcome(at(&peer.url(), "{link: true}").list(&mut places()).await), "Unknown");
}

#[tokio::test]
async fn the_credential_is_not_sent_to_a_next_page_elsewhere() {
    let elsewhere = Peer::always(answer(200, "", r#"{"items": []}"#)).await;
    let next = elsewhere.url();
    let peer =
        Peer::start(move |_| answer(200, "", &format!(r#"{{"items": [{{"id": "a"}}], "next": "{next}/t"}}"#))).await;
    assert_eq!(outcome(at(&peer.url(), "{nextURL: $.next}").list(&mut places()).await), "Unknown");
    assert_eq!(elsewhere.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn statuses_of_a_list_have_different_outcomes() {
    for (status, expected) in [(401, "Refused credential"), (404, "Refused"), (429, "Retry 5"), (503, "Unknown")] {
        let peer = Peer::always(answer(status, "", "")).await;
        assert_eq!(outcome(at(&peer.url(), "{link: true}").list(&mut places()).await), expected, "{status}");
    }
    let peer =
        Peer::always(Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"items\": []}".to_vec())).await;
    assert_eq!(outcome(at(&peer.url(), "{link: true}").list(&mut places()).await), "Unknown");
}
