//! Answers of real services that are odd and mean well: read what has one meaning, say what to write instead of the rest, and
//! never throw a good token away for a field that is not needed.

use std::time::Duration;

use artifact_token_operator::api::parameters::Lifetime;
use artifact_token_operator::api::time::Time;
use artifact_token_operator::service::client::answers::{Generated, VerifyAnswer};
use secrecy::{ExposeSecret, SecretString};

use super::faults::{at, spec};
use super::{CREDENTIAL, VALUE, declaration, outcome, places, service, wanted};
use support::peer::{Peer, answer};

const DAY: Lifetime = Lifetime::Limited(Duration::from_secs(86_400));

/// A fresh token, where `until` stands in the answer as it is, and `expiry` in the declaration.
async fn generated(until: &str, expiry: &str, lifetime: Lifetime) -> Generated {
    let body = format!(r#"{{"token": "{VALUE}", "id": 7{until}}}"#);
    let peer = Peer::always(answer(201, "", &body)).await;
    let mut yaml = spec(&peer.url()).replace("lifetime: {}", &format!("lifetime: {{expiry: {expiry}}}"));
    if expiry == "Requested" {
        yaml = yaml.replace(", expirationTime: $.until", "");
    }
    let client = service(declaration(&yaml), &[("key", CREDENTIAL)]);
    let token = client.generate(&wanted("test.x", lifetime), &mut places()).await.unwrap();
    assert_eq!(token.value.expose_secret(), VALUE, "a good token is kept");
    let doubt = token.doubt.clone().unwrap_or_default();
    assert!(!doubt.contains(VALUE) && !doubt.contains("soon"), "the answer in a message: {doubt}");
    token
}

fn ends(token: &Generated) -> Option<String> {
    token.expiration_time.map(|time| time.to_string())
}

#[tokio::test]
async fn the_end_of_a_token_is_read_in_many_forms_and_needs_no_doubt() {
    for until in [
        r#""2027-01-02T00:00Z""#,
        r#""2027-01-02T00:00""#,
        r#""2027-01-02T02:00+02:00""#,
        r#""2027-01-02 00:00:00""#,
        r#""2027-01-02""#,
        "1798848000",
        r#""1798848000""#,
        "1798848000000",
    ] {
        let token = generated(&format!(", \"until\": {until}"), "Answered", DAY).await;
        assert_eq!((ends(&token).as_deref(), token.doubt), (Some("2027-01-02T00:00:00Z"), None), "{until}");
    }
    for never in [r#", "until": """#, r#", "until": null"#, r#", "until": "0001-01-01T00:00:00Z""#, ""] {
        let token = generated(never, "Answered", Lifetime::Never).await;
        assert_eq!((token.expiration_time, token.doubt), (None, None), "{never}");
    }
}

#[tokio::test]
async fn seconds_from_now_are_declared_and_count_from_the_claim() {
    for until in ["82800", "\"82800\"", "82800.0"] {
        let token = generated(&format!(", \"until\": {until}"), "AnsweredSeconds", DAY).await;
        assert_eq!((ends(&token).as_deref(), token.doubt), (Some("2027-01-01T23:00:00Z"), None), "{until}");
    }
    // Ninety days are no ninety seconds.
    let token = generated(", \"until\": 90", "AnsweredSeconds", DAY).await;
    assert_eq!(ends(&token).as_deref(), Some("2027-01-01T00:01:30Z"));
    let doubt = token.doubt.unwrap();
    assert!(doubt.contains("ends after 1m30s, and 24h was asked for") && doubt.contains("another unit"), "{doubt}");
    // Nor are milliseconds seconds: the token would be dead long before it is replaced.
    let token = generated(", \"until\": 86400000", "AnsweredSeconds", DAY).await;
    assert_eq!(ends(&token).as_deref(), Some("2027-01-02T00:00:00Z"));
    let doubt = token.doubt.unwrap();
    assert!(doubt.contains("ends after 24000h, and 24h was asked for") && doubt.contains("another unit"), "{doubt}");
    assert!(doubt.ends_with("counts from the claim: until 2027-01-02T00:00:00Z"), "{doubt}");
    let never = generated(", \"until\": 0", "AnsweredSeconds", Lifetime::Never).await;
    assert_eq!((never.expiration_time, never.doubt), (None, None));
    // The same number is never guessed to be a length, and never read as a time in 1970: the token would be due at once.
    for until in ["3600", "86400", "\"86400\"", "315360000"] {
        let token = generated(&format!(", \"until\": {until}"), "Answered", DAY).await;
        assert_eq!(ends(&token).as_deref(), Some("2027-01-02T00:00:00Z"), "{until}");
        let doubt = token.doubt.unwrap();
        assert!(doubt.contains("lifetime.expiry: AnsweredSeconds") && doubt.contains("at $.until"), "{doubt}");
    }
    let token = generated(", \"until\": 1798848000", "AnsweredSeconds", DAY).await;
    assert_eq!(ends(&token).as_deref(), Some("2027-01-02T00:00:00Z"));
    assert!(token.doubt.unwrap().contains("lifetime.expiry: Answered, if it is a time"));
}

#[tokio::test]
async fn an_end_that_does_not_come_counts_from_the_claim_and_a_broken_promise_is_told() {
    let token = generated(", \"expires_in\": 60", "Requested", DAY).await;
    assert_eq!((ends(&token).as_deref(), token.doubt), (Some("2027-01-02T00:00:00Z"), None), "it was not promised");
    for (until, told) in [
        ("", "the answer to generate has no time at $.until: correct spec.operations.generate.response.expirationTime"),
        (", \"until\": \"\"", "no time at $.until"),
        (", \"until\": \"soon\"", "a text at $.until, which is not a time"),
        (", \"until\": true", "true or false at $.until, which is not a time"),
        (", \"until\": [\"2027-01-02\"]", "a list at $.until, which is not a time; its first element is $.until[0]"),
        (", \"until\": \"2026-12-31T23:59:59Z\"", "a time before the token's beginning at $.until"),
    ] {
        let token = generated(until, "Answered", DAY).await;
        assert_eq!(ends(&token).as_deref(), Some("2027-01-02T00:00:00Z"), "{until}");
        let doubt = token.doubt.unwrap();
        assert!(
            doubt.contains(told) && doubt.ends_with("counts from the claim: until 2027-01-02T00:00:00Z"),
            "{doubt}"
        );
    }
    let unknown = generated(", \"until\": \"soon\"", "Answered", Lifetime::Never).await;
    assert!(unknown.expiration_time.is_none() && unknown.doubt.unwrap().ends_with("one that never expires"));
}

#[tokio::test]
async fn a_service_that_is_told_a_date_may_end_the_token_as_that_begins() {
    let body = format!(r#"{{"token": "{VALUE}", "id": 7}}"#);
    let peer = Peer::always(answer(201, "", &body)).await;
    let yaml = spec(&peer.url()).replace("{{ expirationTime }}", "[{{ expirationDate }}, {{ expirationEpoch }}]");
    let yaml = yaml.replace("lifetime: {}", "lifetime: {expiry: Requested}").replace(", expirationTime: $.until", "");
    let client = service(declaration(&yaml), &[("key", CREDENTIAL)]);
    let mut wanted = wanted("test.x", Lifetime::Limited(Duration::from_secs(49 * 3600)));
    (wanted.now, wanted.claimed) =
        (Time::parse("2027-01-01T10:00:07Z").unwrap(), Time::parse("2027-01-01T10:00:00Z").unwrap());
    let token = client.generate(&wanted, &mut places()).await.unwrap();
    let sent = peer.requests().pop().unwrap();
    assert!(sent.contains(r#""until": ["2027-01-03", 1798974007]"#), "{sent}");
    assert_eq!((ends(&token).as_deref(), token.doubt), (Some("2027-01-03T00:00:00Z"), None));
    wanted.lifetime = Lifetime::Never;
    let token = client.generate(&wanted, &mut places()).await.unwrap();
    assert!(peer.requests().pop().unwrap().contains(r#""until": [null, null]"#));
    assert_eq!(token.expiration_time, None);
}

#[tokio::test]
async fn an_end_beyond_twice_the_lifetime_that_was_asked_for_is_not_believed() {
    for (until, end, told) in [
        ("2027-01-03T00:00:00Z", "2027-01-03T00:00:00Z", false),
        ("2027-01-03T00:00:01Z", "2027-01-02T00:00:00Z", true),
    ] {
        let token = generated(&format!(", \"until\": \"{until}\""), "Answered", DAY).await;
        assert_eq!((ends(&token).as_deref(), token.doubt.is_some()), (Some(end), told), "{until}");
    }
    let token = generated(", \"until\": \"2037-01-01T00:00:00Z\"", "Answered", Lifetime::Never).await;
    assert_eq!((ends(&token).as_deref(), token.doubt), (Some("2037-01-01T00:00:00Z"), None));
}

#[tokio::test]
async fn an_end_of_a_service_whose_clock_lags_does_not_make_its_tokens_due() {
    let token = generated(", \"until\": \"2026-12-31T23:59:00Z\"", "Answered", DAY).await;
    assert!(token.expiration_time > Time::parse("2027-01-01T00:00:00Z"));
}

#[tokio::test]
async fn an_id_that_is_or_contains_the_token_is_refused_without_naming_it() {
    for id in [VALUE.to_owned(), format!("id-{VALUE}"), format!("{VALUE}/1")] {
        let peer = Peer::always(answer(201, "", &format!(r#"{{"token": "{VALUE}", "id": "{id}"}}"#))).await;
        let error = at(&peer.url()).generate(&wanted("x", Lifetime::Never), &mut places()).await.unwrap_err();
        assert!(error.to_string().contains("spec.operations.generate.response.id is the token itself"), "{error}");
        assert_eq!(outcome(Err::<(), _>(error)), "Unknown");
    }
    // devpi and others put the id into the token; that shows nothing.
    let peer = Peer::always(answer(201, "", &format!(r#"{{"token": "{VALUE}", "id": "value"}}"#))).await;
    assert!(at(&peer.url()).generate(&wanted("x", Lifetime::Never), &mut places()).await.is_ok());
}

#[tokio::test]
async fn a_listed_id_that_the_service_accepts_as_a_token_is_refused_without_naming_it() {
    // Answers about an id and about no token at all.
    let client = |id: bool, nothing: bool| async move {
        let say = move |request: &str| {
            let active = if request.contains(VALUE) { id } else { nothing };
            answer(200, "", &format!("{{\"active\": {active}}}"))
        };
        let asked = at(&Peer::start(say).await.url()).no_tokens([VALUE].into_iter(), &places()).await;
        asked.map_err(|error| error.to_string())
    };
    assert_eq!(client(false, false).await, Ok(()));
    let anything = client(true, true).await.unwrap_err();
    assert!(anything.contains("accepts a request without a token") && !anything.contains(VALUE), "{anything}");
    let error = client(true, false).await.unwrap_err();
    assert!(error.contains("spec.operations.list.item.id is the token itself") && !error.contains(VALUE), "{error}");
}

#[tokio::test]
async fn a_byte_order_mark_is_skipped_by_every_operation() {
    let body = format!("\u{feff}{{\"token\": \"{VALUE}\", \"id\": 7, \"items\": [{{\"id\": 7}}], \"active\": true}}");
    let peer = Peer::always(answer(200, "", &body)).await;
    let client = at(&peer.url());
    assert!(client.generate(&wanted("x", Lifetime::Never), &mut places()).await.is_ok());
    assert_eq!(client.list(&mut places()).await.unwrap().rows.len(), 1);
    let verdict = client.verify(Some(&SecretString::from(VALUE)), &mut places()).await;
    assert_eq!(verdict, Ok(VerifyAnswer::Accepted));
}

#[tokio::test]
async fn what_is_no_answer_of_this_api_is_told_by_its_kind_and_what_to_do() {
    let check = async |body: &str, told: &[&str]| {
        let peer = Peer::always(answer(200, "", body)).await;
        let client = at(&peer.url());
        let generate = client.generate(&wanted("x", Lifetime::Never), &mut places()).await.unwrap_err().to_string();
        let list = client.list(&mut places()).await.unwrap_err().to_string();
        assert!(generate.contains(told[0]), "{generate}");
        assert!(list.contains(told[1]), "{list}");
    };
    check("<html>", &["HTML or XML, not JSON: is spec.baseURL", "login page or a proxy"]).await;
    check("", &["the answer is empty, not JSON", "the answer is empty, not JSON"]).await;
    check("{", &["broken JSON", "broken JSON"]).await;
    check(
        "[]",
        &[
            "nothing at $.token: the answer itself is a list, so a path begins with $[0], and that of rows is $[*]: correct spec.operations.generate.response.value",
            "correct spec.operations.list.items",
        ],
    )
    .await;
    check(
        r#"{"token": {"key": "x"}, "items": "none"}"#,
        &["an object at $.token, which is not a string", "a text at $.items, which is not a list"],
    )
    .await;
    check(
        r#"{"token": ["x"], "items": [{"id": {"uuid": "x"}}]}"#,
        &["its first element is $.token[0]", "an object at $.id, which is not a string"],
    )
    .await;
}

#[tokio::test]
async fn a_refusal_may_have_several_shapes_and_an_answer_that_is_both_says_so() {
    let yaml = |url: &str| {
        spec(url).replace(
            r#"refused: {statuses: [200, 401], body: {path: $.active, equals: "false"}}"#,
            r#"refused: {statuses: [403], or: [{statuses: [200], body: {path: $.active, equals: "false"}}, {statuses: [200], body: {path: $.error}}]}"#,
        )
    };
    let check = async |status: u16, body: &str, expected: &str| {
        let peer = Peer::always(answer(status, "", body)).await;
        let client = service(declaration(&yaml(&peer.url())), &[("key", CREDENTIAL)]);
        let seen = match client.verify(Some(&SecretString::from(VALUE)), &mut places()).await {
            Ok(verdict) => format!("{verdict:?}"),
            Err(error) => error.to_string(),
        };
        assert!(seen.contains(expected), "{status} {body}: {seen}");
    };
    check(200, r#"{"active": true}"#, "Accepted").await;
    check(200, r#"{"active": false}"#, "Refused").await;
    check(200, r#"{"error": "noauth"}"#, "Refused").await;
    check(403, "", "Refused").await;
    check(401, "", "neither as accepted nor as refused").await;
    check(200, r#"{"active": true, "error": "noauth"}"#, "both as accepted and as refused").await;
}

#[tokio::test]
async fn a_prefix_that_the_service_puts_before_names_is_left_out() {
    let body = r#"{"items": [
        {"id": 1, "name": "robot$test.aaaaaaaaaaaaaaaa.1.0 ci"}, {"id": 2, "name": "robot$"},
        {"id": 3, "name": "test.bbbbbbbbbbbbbbbb.1.0"}, {"id": 4, "name": "bot$test.c"}, {"id": 5}
    ]}"#;
    let peer = Peer::always(answer(200, "", body)).await;
    let yaml = spec(&peer.url())
        .replace("item: {id: $.id, name: $.name}", "item: {id: $.id, name: $.name, namePrefix: robot$}");
    let client = service(declaration(&yaml), &[("key", CREDENTIAL)]);
    let names: Vec<_> = client.list(&mut places()).await.unwrap().rows.iter().map(|row| row.name.clone()).collect();
    let expected =
        [Some("test.aaaaaaaaaaaaaaaa.1.0 ci"), Some(""), Some("test.bbbbbbbbbbbbbbbb.1.0"), Some("bot$test.c"), None];
    assert_eq!(names.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_success_that_is_not_declared_is_told_with_the_field_that_it_belongs_to() {
    let peer = Peer::always(answer(202, "", "{}")).await;
    let yaml = spec(&peer.url()).replace("    response: {", "    success: [201]\n    response: {");
    let client = service(declaration(&yaml), &[("key", CREDENTIAL)]);
    let error = client.generate(&wanted("x", Lifetime::Never), &mut places()).await.unwrap_err();
    assert!(error.to_string().contains("status 202 is not one of spec.operations.generate.success"), "{error}");
    assert_eq!(outcome(Err::<(), _>(error)), "Unknown");
}
