//! Pages: where a list ends, and which pages are an error.

use artifact_token_operator::service::client::ServiceClient;

use super::{CREDENTIAL, declaration, outcome, places, service};
use support::peer::{Peer, Reply, answer};

fn at(url: &str, pagination: &str) -> ServiceClient {
    service(declaration(&yaml(url, pagination)), &[("key", CREDENTIAL)])
}

fn yaml(url: &str, pagination: &str) -> String {
    format!(
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
    )
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
        .iter()
        .map(|row| row.id.clone())
        .collect()
}

#[tokio::test]
async fn who_asks_before_a_list_begins_shares_it() {
    const ASKED: usize = 20;
    let peer = pages(&[("/t?limit=2", "", r#"{"items": [{"id": 1, "name": "a"}]}"#)]).await;
    let service = at(&peer.url(), "{nextURL: $.next}");
    let lists = futures::future::join_all((0..ASKED).map(|_| ids(&service))).await;
    assert_eq!(lists, vec![["1"]; ASKED]);
    // The first list begins at once. What all others asked for begins after it, and is one.
    assert_eq!(peer.requests().len(), 2);
    assert_eq!(ids(&service).await, ["1"]);
    assert_eq!(peer.requests().len(), 3, "a list that was begun before the question answers nothing");
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
    // Page 2 has nothing new, and is no page that was there: the list changed meanwhile, and may have lost a row.
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

/// A service with two pages, and this answer after the last one.
async fn beyond(status: u16, body: &'static str) -> Peer {
    Peer::start(move |request| match request.split(' ').nth(1).unwrap_or_default() {
        "/t?limit=2&page=1" => answer(200, "", r#"{"items": [{"id": 1}, {"id": 2}]}"#),
        "/t?limit=2&page=2" => answer(200, "", r#"{"items": [{"id": 3}, {"id": 4}]}"#),
        _ => answer(status, "", body),
    })
    .await
}

#[tokio::test]
async fn after_the_last_counted_page_404_and_the_same_page_are_the_end_and_500_is_a_failure() {
    let listed = async |status: u16, body: &'static str| {
        let peer = beyond(status, body).await;
        let listed = ids(&at(&peer.url(), "{pageParameter: page}")).await;
        assert_eq!(peer.requests().len(), 3);
        listed
    };
    for (status, body) in [
        (404, r#"{"detail": "Invalid page."}"#),
        (404, ""),
        (200, r#"{"items": []}"#),
        (200, r#"{"items": null}"#),
        (200, r#"{"items": [{"id": 3}, {"id": 4}]}"#),
        // The last page in another order and with other times, and the first one again.
        (200, r#"{"items": [{"id": 4, "created": "2027-01-01"}, {"id": 3}]}"#),
        (200, r#"{"items": [{"id": 1}, {"id": 2}]}"#),
    ] {
        assert_eq!(listed(status, body).await, ["1", "2", "3", "4"], "{status} {body}");
    }
    let peer = beyond(500, "").await;
    let error = at(&peer.url(), "{pageParameter: page}").list(&mut places()).await.unwrap_err();
    assert!(error.to_string().contains("page 3 has the status 500") && error.to_string().contains("pagination.next"));
    for (status, expected) in [(500, "Unknown"), (503, "Unknown"), (401, "Refused credential"), (400, "Refused")] {
        let peer = beyond(status, "").await;
        assert_eq!(outcome(at(&peer.url(), "{pageParameter: page}").list(&mut places()).await), expected, "{status}");
    }
    // A page that was named by the page before it must be there.
    let peer = Peer::start(|request| match request.contains("cursor=") {
        false => answer(200, "", r#"{"items": [{"id": 1}], "next": "x"}"#),
        true => answer(404, "", ""),
    })
    .await;
    let named = at(&peer.url(), "{pageParameter: cursor, next: $.next}");
    assert_eq!(outcome(named.list(&mut places()).await), "Refused");
}

#[tokio::test]
async fn a_page_without_rows_is_the_end_only_where_nothing_says_that_there_is_a_next_one() {
    let living = |url: &str, pagination: &str| {
        let yaml = yaml(url, pagination).replace("$.items[*]", "\"$.items[?@.revoked==false]\"");
        service(declaration(&yaml), &[("key", CREDENTIAL)])
    };
    let dead = r#"{"id": 1, "revoked": true}, {"id": 2, "revoked": true}"#;
    for (pagination, link, next) in [
        ("{link: true}", "link: </t?page=2>; rel=\"next\"\r\n", "null"),
        ("{nextURL: $.next}", "", r#""/t?page=2""#),
        ("{pageParameter: page, next: $.next}", "", "2"),
        ("{pageParameter: page}", "", "null"),
    ] {
        for first in [dead, ""] {
            if first.is_empty() && pagination == "{pageParameter: page}" {
                continue;
            }
            let first = format!(r#"{{"items": [{first}], "next": {next}}}"#);
            let peer = Peer::start(move |request| match request.split(' ').nth(1).unwrap_or_default() {
                "/t?limit=2" | "/t?limit=2&page=1" => answer(200, link, &first),
                "/t?page=2" | "/t?limit=2&page=2" => answer(200, "", r#"{"items": [{"id": 3, "revoked": false}]}"#),
                _ => answer(200, "", r#"{"items": []}"#),
            })
            .await;
            assert_eq!(ids(&living(&peer.url(), pagination)).await, ["3"], "{pagination}");
        }
    }
    // Where all rows are dead, the same dead ones again are the end of counted pages.
    let body = format!(r#"{{"items": [{dead}]}}"#);
    let peer = Peer::always(answer(200, "", &body)).await;
    assert_eq!(ids(&living(&peer.url(), "{pageParameter: page}")).await, Vec::<String>::new());
    assert_eq!(peer.requests().len(), 2);
    // An empty page whose cursor leads to itself is the end, too.
    let peer = Peer::always(answer(200, "", r#"{"items": [], "next": "end"}"#)).await;
    assert_eq!(ids(&living(&peer.url(), "{pageParameter: c, next: $.next}")).await, Vec::<String>::new());
    assert_eq!(peer.requests().len(), 2);
}

#[tokio::test]
async fn a_link_with_the_inner_address_of_a_service_behind_a_proxy_is_read_at_our_own() {
    for inner in ["https://127.0.0.1:1/t", "http://tokens.internal:8080/t", "//tokens.internal/prefix/t"] {
        for pagination in ["{link: true}", "{nextURL: $.next}"] {
            let (next, header) = (format!("{inner}?page=2"), format!("link: <{inner}?page=2>; rel=\"next\"\r\n"));
            let peer = Peer::start(move |request| match request.split(' ').nth(1).unwrap_or_default() {
                "/t?limit=2" => answer(200, &header, &format!(r#"{{"items": [{{"id": "a"}}], "next": "{next}"}}"#)),
                "/t?page=2" => answer(200, "", r#"{"items": [{"id": "b"}]}"#),
                _ => answer(500, "", ""),
            })
            .await;
            assert_eq!(ids(&at(&peer.url(), pagination)).await, ["a", "b"], "{inner} {pagination}");
        }
    }
}

/// A body with so many rows of so many bytes.
fn long(count: usize, bytes: usize) -> String {
    let rows: Vec<_> = (0..count).map(|row| format!(r#"{{"id":{row},"note":"{}"}}"#, "x".repeat(bytes))).collect();
    format!(r#"{{"items": [{}]}}"#, rows.join(","))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_may_have_16_mib_and_20_000_rows_and_beyond_that_the_message_says_what_to_do() {
    let told = async |body: String| {
        let peer = Peer::always(answer(200, "", &body)).await;
        let yaml = yaml(&peer.url(), "").replace("timeout: 2s", "timeout: 30s").replace("    pagination: \n", "");
        let listed = service(declaration(&yaml), &[("key", CREDENTIAL)]).list(&mut places()).await;
        listed.map(|listing| listing.rows.len()).map_err(|error| error.to_string())
    };
    assert_eq!(told(long(20_000, 780)).await, Ok(20_000), "nearly 16 MiB");
    let rows = told(long(20_001, 10)).await.unwrap_err();
    assert!(rows.contains("more than 20,000 rows") && rows.contains("spec.operations.list.pagination"), "{rows}");
    let large = told(long(20_000, 850)).await.unwrap_err();
    assert!(large.contains("larger than 16 MiB") && large.contains("spec.operations.list.pagination"), "{large}");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_list_may_have_64_mib_in_all_and_more_is_told() {
    let peer = Peer::start(|request| {
        let page = request.split("page=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
        let row = |id: usize| format!(r#"{{"id":"{page}-{id}","note":"{}"}}"#, "x".repeat(1_000_000));
        answer(200, "", &format!(r#"{{"items": [{}]}}"#, (0..15).map(row).collect::<Vec<_>>().join(",")))
    })
    .await;
    let yaml = yaml(&peer.url(), "{pageParameter: page}").replace("timeout: 2s", "timeout: 30s");
    let listed = service(declaration(&yaml), &[("key", CREDENTIAL)]).list(&mut places()).await;
    let error = listed.unwrap_err().to_string();
    assert!(
        error.contains("more than 64 MiB of answers; let spec.operations.list.request ask for fewer rows"),
        "{error}"
    );
    assert_eq!(peer.requests().len(), 5);
}
