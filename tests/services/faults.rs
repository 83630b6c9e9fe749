//! The meaning of each answer: one table for each operation.

use std::time::{Duration, Instant};

use artifact_token_operator::api::parameters::Lifetime;
use artifact_token_operator::api::time::Time;
use artifact_token_operator::service::client::answers::{RevokeAnswer, VerifyAnswer};
use artifact_token_operator::service::client::meter::CallCounts;
use artifact_token_operator::service::client::{Places, ServiceClient};
use artifact_token_operator::service::errors::{ConnectError, ServiceError};
use artifact_token_operator::service::limits::RateLimit;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{CREDENTIAL, VALUE, caller, declaration, outcome, places, service, wanted};
use support::peer::{Peer, Reply, answer, head};

/// A service at a raw HTTP peer, with short time-outs.
pub fn at(url: &str) -> ServiceClient {
    service(declaration(&spec(url)), &[("key", CREDENTIAL)])
}

#[tokio::test]
async fn a_declared_answer_to_a_name_that_is_taken_leaves_the_token_to_be_found() {
    let taken = "name taken";
    let body = |code: &str| format!(r#"{{"error": {{"code": "{code}"}}}}"#);
    let declared =
        "    nameTaken: {statuses: [400, 429], body: {path: $.error.code, equals: name taken}}\n    timeout: 1s";
    let cases = [
        ("Unknown", answer(400, "", &body(taken))),
        ("Unknown", answer(429, "", &body(taken))),
        ("Refused", answer(400, "", &body("other"))),
        ("Refused", answer(400, "", "")),
        ("Retry 5", answer(429, "", "")),
        // What is declared stands in place of the default.
        ("Refused", answer(409, "", &body(taken))),
    ];
    for (number, (expected, reply)) in cases.into_iter().enumerate() {
        let peer = Peer::always(reply).await;
        let declared = declaration(&spec(&peer.url()).replacen("    timeout: 1s", declared, 1));
        let service = service(declared, &[("key", CREDENTIAL)]);
        let mut wanted = wanted("test.x", Lifetime::Never);
        assert_eq!(outcome(service.generate(&wanted, &mut places()).await), expected, "case {number}");
        // A token without a name is found by nobody.
        wanted.name = None;
        let nameless = if expected == "Unknown" { "R" } else { &expected[..1] };
        let seen = outcome(service.generate(&wanted, &mut places()).await);
        assert!(seen.starts_with(nameless), "case {number}: {seen}");
    }
}

#[tokio::test]
async fn an_error_has_the_words_of_the_service_and_no_secret() {
    const FRESH: &str = "f/r=e+s h";
    let words = |text: &str| json!({"error": {"text": text}, "token": FRESH}).to_string();
    let said = async |status: u16, body: &str| {
        let peer = Peer::always(answer(status, "", body)).await;
        let declared = spec(&peer.url()).replacen("operations:", "operations:\n  errorMessage: $.error.text", 1);
        let service = service(declaration(&declared), &[("key", CREDENTIAL)]);
        let wanted = wanted("test.x", Lifetime::Never);
        let errors = [
            service.generate(&wanted, &mut places()).await.err(),
            service.verify(Some(&SecretString::from(VALUE)), &mut places()).await.err(),
            service.list(&mut places()).await.err(),
            service.revoke("7", &mut places()).await.err(),
        ];
        errors.map(|error| {
            let text = error.unwrap().to_string();
            assert!(![CREDENTIAL, VALUE, FRESH].iter().any(|secret| text.contains(secret)), "{text}");
            text.split_once("; the service says: ").map(|(_, words)| words.to_owned())
        })
    };
    for status in [400, 403, 409, 418, 429, 500] {
        let text = "the scope 'x' is unknown";
        // After a pause that the service asks for, nothing else is sent.
        let heard = if status == 429 { 1 } else { 4 };
        for words in said(status, &words(text)).await.into_iter().take(heard) {
            let words = words.unwrap();
            assert!(words.starts_with(&format!("{text:?}")), "{status}: {words}");
        }
    }
    let hostile = format!("bad {CREDENTIAL}, {VALUE}, {FRESH}\nor a-secret-of-theirs-0123456789 {}", "x ".repeat(300));
    for words in said(400, &words(&hostile)).await {
        let words = words.unwrap();
        assert!(words.starts_with(r#""bad ****, "#) && words.contains("**** x x x") && words.len() < 210, "{words}");
    }
    // Words that are not there, or no text, say nothing. And an answer that may have a token in it shows none of it.
    let silent = ["", "not JSON", r#"{"error": {}}"#, r#"{"error": {"text": {"a": 1}}}"#, r#"{"error": {"text": ""}}"#];
    for body in silent {
        assert_eq!(said(400, body).await, [const { None }; 4], "{body}");
    }
    assert_eq!(said(302, &words("moved")).await, [const { None }; 4]);
}

/// A `TokenService`'s spec with every operation.
pub fn spec(url: &str) -> String {
    format!(
        r#"
preset: Custom
baseURL: {url}/api/
credentials: {{key: {{name: admin, key: key}}}}
naming: {{prefix: test}}
connection: {{insecureHTTP: true, timeout: 1s}}
operations:
  authentication: {{header: {{name: X-API-KEY, value: "{{{{ credentials.key }}}}"}}}}
  lifetime: {{}}
  generate:
    request: {{method: POST, path: /tokens, json: '{{"name": {{{{ name }}}}, "seconds": {{{{ lifetimeSeconds }}}}, "until": {{{{ expirationTime }}}}}}'}}
    response: {{value: $.token, id: $.id, expirationTime: $.until}}
    timeout: 1s
  verify:
    request: {{method: GET, path: /me, headers: {{Authorization: "Bearer {{{{ token }}}}"}}}}
    accepted: {{statuses: [200], body: {{path: $.active, equals: "true"}}}}
    refused: {{statuses: [200, 401], body: {{path: $.active, equals: "false"}}}}
  list:
    request: {{method: GET, path: /tokens}}
    items: $.items[*]
    item: {{id: $.id, name: $.name}}
  revoke:
    request: {{method: DELETE, path: "/tokens/{{{{ id }}}}"}}
"#
    )
}

#[tokio::test]
async fn an_answer_to_generate_is_a_token_or_a_no_or_nothing_happened_or_unknown() {
    let good = format!(r#"{{"token": "{VALUE}", "id": 7, "until": "2027-01-02T00:00:00Z"}}"#);
    let deep = format!(r#"{{"token": {}1{}}}"#, "[".repeat(500), "]".repeat(500));
    let long = format!(r#"{{"token": "{VALUE}{}", "id": 7}}"#, "x".repeat(17_000));
    let cases = [
        ("Ok", answer(201, "", &good)),
        ("Ok", answer(200, "", &good)),
        ("Refused credential", answer(401, "", VALUE)),
        ("Refused credential", answer(403, "", VALUE)),
        // A limit, not a verdict on the credential.
        ("Retry 20", answer(403, "retry-after: 20\r\n", VALUE)),
        ("Retry 20", answer(401, "retry-after: 20\r\n", VALUE)),
        ("Retry 40", answer(403, "x-ratelimit-remaining: 0\r\nx-ratelimit-reset: 40\r\n", VALUE)),
        ("Refused credential", answer(403, "x-ratelimit-remaining: 7\r\nx-ratelimit-reset: 40\r\n", VALUE)),
        ("Refused", answer(400, "", VALUE)),
        ("Refused", answer(404, "", VALUE)),
        // The name is taken, perhaps by the first arrival of this very request.
        ("Unknown", answer(409, "", VALUE)),
        ("Refused", answer(422, "", VALUE)),
        ("Retry 7", answer(429, "retry-after: 7\r\n", VALUE)),
        (
            "Retry 30",
            answer(429, "date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:50:07 GMT\r\n", ""),
        ),
        ("Retry 5", answer(429, "", "")),
        ("Retry 5", answer(429, "retry-after: soon\r\n", "")),
        ("Unknown", answer(500, "", VALUE)),
        ("Unknown", answer(502, "", "")),
        ("Unknown", answer(503, "retry-after: 7\r\n", "")),
        ("Unknown", answer(504, "", "")),
        ("Unknown", answer(408, "", "")),
        ("Unknown", answer(302, "location: /elsewhere\r\n", "")),
        ("Unknown", answer(201, "", VALUE)),
        ("Unknown", answer(201, "", "")),
        ("Unknown", answer(201, "", "{}")),
        ("Unknown", answer(201, "", &format!(r#"{{"token": "{VALUE}"}}"#))),
        ("Unknown", answer(201, "", r#"{"token": null, "id": 7}"#)),
        ("Unknown", answer(201, "", &deep)),
        ("Unknown", answer(201, "", &long)),
        // An end that cannot be read is no reason to throw a token away.
        ("Ok", answer(201, "", &good.replace("2027-01-02T00:00:00Z", "soon"))),
        ("Unknown", Reply::Bytes(head(201, good.len() + 1, &good))),
        ("Unknown", Reply::Bytes(b"HTTP/1.1 201 Cr".to_vec())),
        ("Unknown", Reply::Bytes(b"garbage".to_vec())),
        ("Unknown", Reply::Bytes(Vec::new())),
        ("Unknown", Reply::Hang(Vec::new())),
        ("Unknown", Reply::Hang(head(201, good.len() + 1, &good))),
    ];
    for (number, (expected, reply)) in cases.into_iter().enumerate() {
        let peer = Peer::always(reply).await;
        let generated = at(&peer.url()).generate(&wanted("test.x", Lifetime::Never), &mut places()).await;
        assert_eq!(outcome(generated), expected, "case {number}");
        assert_eq!(peer.requests().len(), 1, "case {number}: one generate is one request");
    }
}

#[tokio::test]
async fn a_generated_token_comes_with_its_id_and_its_end_and_only_what_was_asked_is_sent() {
    let peer =
        Peer::always(answer(201, "", &format!(r#"{{"token": "{VALUE}", "id": 7, "until": "2027-01-02T00:00:00Z"}}"#)))
            .await;
    let day = Lifetime::Limited(Duration::from_secs(86_400));
    let token = at(&peer.url()).generate(&wanted("test.\"x\"", day), &mut places()).await.unwrap();
    assert_eq!((token.value.expose_secret(), token.id.as_deref()), (VALUE, Some("7")));
    assert_eq!(token.expiration_time, Time::parse("2027-01-02T00:00:00Z"));
    let request = peer.requests().pop().unwrap();
    assert!(request.starts_with("POST /api/tokens HTTP/1.1\r\n"), "{request}");
    assert!(
        request.ends_with(r#"{"name": "test.\"x\"", "seconds": 86400, "until": "2027-01-02T00:00:00Z"}"#),
        "{request}"
    );
    for header in
        ["x-api-key: operator-credential", "content-type: application/json", "user-agent: artifact-token-operator/"]
    {
        assert!(request.to_ascii_lowercase().contains(&format!("\r\n{header}")), "{header}: {request}");
    }
}

#[tokio::test]
async fn two_values_where_one_is_declared_are_unknown_and_the_message_names_the_field_and_the_path() {
    let peer =
        Peer::always(answer(201, "", &format!(r#"{{"keys": [{{"token": "{VALUE}"}}, {{"token": "{VALUE}"}}]}}"#)))
            .await;
    let yaml = spec(&peer.url()).replace("value: $.token", "value: '$.keys[*].token'");
    let error = service(declaration(&yaml), &[("key", CREDENTIAL)])
        .generate(&wanted("x", Lifetime::Never), &mut places())
        .await
        .unwrap_err();
    let expected = "generate: the answer has more than one value at $.keys[*].token: name one of them, for example by [0]: correct spec.operations.generate.response.value";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn where_there_is_no_connection_nothing_was_executed() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let wanted = wanted("x", Lifetime::Never);
    assert_eq!(outcome(at(&format!("http://{closed}")).generate(&wanted, &mut places()).await), "Retry 5");
    // A peer without TLS: the handshake fails before any byte of the request is sent.
    let peer = Peer::always(answer(201, "", "{}")).await;
    let https = peer.url().replace("http://", "https://");
    assert_eq!(outcome(at(&https).generate(&wanted, &mut places()).await), "Retry 5");
    assert_eq!(peer.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn an_answer_without_end_is_read_to_its_bound_only() {
    for (status, operation) in [(201, "generate"), (200, "list"), (200, "verify")] {
        let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\n\r\n{{\"token\": \"");
        let peer = Peer::always(Reply::Flood(head.into_bytes())).await;
        let (service, began) = (at(&peer.url()), Instant::now());
        let outcome = match operation {
            "generate" => outcome(service.generate(&wanted("x", Lifetime::Never), &mut places()).await),
            "list" => outcome(service.list(&mut places()).await),
            _ => outcome(service.verify(Some(&SecretString::from(VALUE)), &mut places()).await),
        };
        assert_eq!(outcome, "Unknown", "{operation}");
        assert!(began.elapsed() < Duration::from_secs(5), "{operation}");
        // The buffers of the sockets come on top of 1 MiB, or of 16 MiB for a list.
        assert!(peer.written() < 48 * 1024 * 1024, "{operation}: {}", peer.written());
    }
}

#[tokio::test]
async fn an_answer_to_verify_accepts_or_refuses_or_says_nothing() {
    let cases = [
        ("Accepted", answer(200, "", r#"{"active": true}"#)),
        ("Refused", answer(200, "", r#"{"active": false}"#)),
        ("Refused", answer(401, "", r#"{"active": false}"#)),
        ("Unknown", answer(200, "", r#"{"active": "maybe"}"#)),
        ("Unknown", answer(200, "", "{}")),
        ("Unknown", answer(200, "", VALUE)),
        ("Unknown", answer(401, "", "")),
        ("Unknown", answer(403, "", r#"{"active": false}"#)),
        ("Unknown", answer(404, "", "")),
        ("Retry 7", answer(429, "retry-after: 7\r\n", "")),
        ("Retry 7", answer(503, "retry-after: 7\r\n", "")),
        // Never a refusal, although it is declared as one.
        ("Retry 20", answer(401, "retry-after: 20\r\n", r#"{"active": false}"#)),
        ("Retry 20", answer(403, "retry-after: 20\r\n", "")),
        ("Retry 5", answer(403, "x-ratelimit-remaining: 0\r\n", "")),
        ("Accepted", answer(200, "retry-after: 20\r\n", r#"{"active": true}"#)),
        ("Unknown", answer(500, "", "")),
        ("Unknown", answer(302, "location: /\r\n", "")),
        ("Unknown", Reply::Bytes(head(200, 99, r#"{"active": true}"#))),
        ("Unknown", Reply::Hang(Vec::new())),
    ];
    for (number, (expected, reply)) in cases.into_iter().enumerate() {
        let peer = Peer::always(reply).await;
        let seen = match at(&peer.url()).verify(Some(&SecretString::from(VALUE)), &mut places()).await {
            Ok(VerifyAnswer::Accepted) => "Accepted".to_owned(),
            Ok(VerifyAnswer::Refused { .. }) => "Refused".to_owned(),
            error => outcome(error),
        };
        assert_eq!(seen, expected, "case {number}");
        let request = peer.requests().pop().unwrap();
        assert!(request.contains(VALUE) && !request.contains(CREDENTIAL), "with the token and nothing else: {request}");
    }
}

#[tokio::test]
async fn an_answer_to_revoke_is_success_or_gone_or_leaves_it_open() {
    let cases = [
        ("Success", answer(204, "", "")),
        ("Success", answer(200, "", VALUE)),
        ("Gone", answer(404, "", "")),
        ("Gone", answer(410, "", "")),
        ("Refused credential", answer(401, "", "")),
        ("Refused credential", answer(403, "", "")),
        ("Retry 20", answer(403, "retry-after: 20\r\n", "")),
        ("Refused", answer(409, "", "")),
        ("Retry 7", answer(429, "retry-after: 7\r\n", "")),
        ("Unknown", answer(500, "", "")),
        ("Unknown", answer(301, "location: /\r\n", "")),
        ("Unknown", Reply::Hang(Vec::new())),
    ];
    for (number, (expected, reply)) in cases.into_iter().enumerate() {
        let peer = Peer::always(reply).await;
        let seen = match at(&peer.url()).revoke("a/b?c#d%\"\n", &mut places()).await {
            Ok(RevokeAnswer::Success) => "Success".to_owned(),
            Ok(RevokeAnswer::Gone) => "Gone".to_owned(),
            error => outcome(error),
        };
        assert_eq!(seen, expected, "case {number}");
        let request = peer.requests().pop().unwrap();
        assert!(request.starts_with("DELETE /api/tokens/a%2Fb%3Fc%23d%25%22%0A HTTP/1.1\r\n"), "{request}");
    }
}

#[tokio::test]
async fn a_value_that_cannot_be_sent_safely_is_not_sent() {
    let peer = Peer::always(answer(204, "", "")).await;
    for id in ["", ".", ".."] {
        assert_eq!(outcome(at(&peer.url()).revoke(id, &mut places()).await), "Not sent", "{id:?}");
    }
    let broken = service(declaration(&spec(&peer.url())), &[("key", "operator-credential\nEvil: 1")]);
    let error = broken.list(&mut places()).await.unwrap_err();
    assert!(error.to_string().contains("headers.X-API-KEY: the value of a header has a control character"), "{error}");
    assert_eq!(peer.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn an_answer_that_asks_to_wait_holds_the_whole_service_back() {
    for status in [429, 403, 401, 503] {
        let peer = Peer::always(answer(status, "retry-after: 7\r\n", "")).await;
        let service = at(&peer.url());
        let mut ahead = service.take_places(&caller("ahead"), 2, Duration::ZERO).await.unwrap();
        assert_eq!(outcome(service.verify(None, &mut ahead).await), "Retry 7", "{status}");
        let wait = service.clone().take_places(&caller("later"), 1, Duration::from_secs(1)).await.unwrap_err();
        assert!(wait > Duration::from_secs(5) && wait <= Duration::from_secs(7), "{wait:?}");
        // A call that had passed the rate limit before, but was not sent yet, is not sent now.
        let generated = service.generate(&wanted("x", Lifetime::Never), &mut ahead).await;
        assert!(
            matches!(&generated, Err(ServiceError::Retry { after, .. }) if *after > Duration::from_secs(5)),
            "{generated:?}"
        );
        assert_eq!(peer.requests().len(), 1, "nothing was sent");
    }
}

#[tokio::test]
async fn every_call_takes_its_place_in_the_rate_limit_and_is_counted_and_one_without_a_place_is_not_made() {
    let peer = Peer::always(answer(200, "", "{}")).await;
    let (limit, counts) = (RateLimit::new(8), CallCounts::default());
    let credentials = [("key".to_owned(), SecretString::from(CREDENTIAL))].into();
    let client = ServiceClient::new(declaration(&spec(&peer.url())), credentials, None, limit, counts.clone()).unwrap();
    // The limit allows two calls at once: a revoke takes one place, and a list the other one.
    let mut places = Places::one_by_one(Duration::ZERO);
    let _ = client.revoke("7", &mut places).await;
    let _ = client.list(&mut places).await;
    let verdict = client.verify(None, &mut places).await;
    assert!(matches!(verdict, Err(ServiceError::Throttled { operation: "verify", .. })), "{verdict:?}");
    assert!(client.take_places(&caller("later"), 1, Duration::ZERO).await.is_err());
    assert_eq!(peer.requests().len(), 2);
    assert_eq!(counted(&counts), 2);
}

/// All counted calls.
fn counted(counts: &CallCounts) -> u64 {
    let mut registry = Registry::default();
    registry.register("calls", "", counts.family());
    let mut page = String::new();
    encode(&mut page, &registry).unwrap();
    let numbers = page.lines().filter(|line| line.starts_with("calls_total")).filter_map(|line| line.rsplit_once(' '));
    numbers.map(|(_, number)| number.parse::<u64>().unwrap()).sum()
}

#[tokio::test]
async fn a_client_is_not_made_without_its_credentials_or_with_a_broken_bundle() {
    let declared = || declaration(&spec("https://tokens.example"));
    let none = ServiceClient::new(declared(), [].into(), None, RateLimit::new(1), CallCounts::default()).unwrap_err();
    assert_eq!(none, ConnectError::MissingCredential { name: "key".to_owned() });
    let credentials = || [("key".to_owned(), SecretString::from(CREDENTIAL))].into();
    let broken = ServiceClient::new(
        declared(),
        credentials(),
        Some(b"nothing".to_vec()),
        RateLimit::new(1),
        CallCounts::default(),
    )
    .unwrap_err();
    assert_eq!(broken, ConnectError::CaBundle { why: "it has no line -----BEGIN CERTIFICATE-----" });
    let service =
        ServiceClient::new(declared(), credentials(), None, RateLimit::new(1), CallCounts::default()).unwrap();
    assert!(!format!("{service:?}").contains(CREDENTIAL), "a credential in Debug");
}

#[tokio::test]
async fn what_is_not_declared_is_reported() {
    let peer = Peer::always(answer(200, "", "{}")).await;
    let yaml = format!(
        "{{preset: Custom, baseURL: '{}', connection: {{insecureHTTP: true}}, operations: {{verify: {{request: {{method: GET, path: /me, headers: {{T: '{{{{ token }}}}'}}}}, accepted: {{statuses: [200]}}}}}}}}",
        peer.url()
    );
    let service = service(declaration(&yaml), &[]);
    let error = service.list(&mut places()).await.unwrap_err();
    assert!(matches!(error, ServiceError::Refused { status: None, .. }), "{error}");
    assert_eq!(outcome(service.revoke("x", &mut places()).await), "Not sent");
    assert_eq!(service.verify(None, &mut places()).await.unwrap(), VerifyAnswer::Accepted);
    assert!(!peer.requests().pop().unwrap().to_ascii_lowercase().contains("\r\nt:"), "no header for no token");
}
