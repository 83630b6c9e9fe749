//! A service that says too much: its refusals quote the request, and its broken answers hold values. The operator shows none of it
//! anywhere.

use std::sync::atomic::{AtomicUsize, Ordering};

use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::reason::Reason;
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams};
use serde_json::json;
use testbed::{Operator, http};

use support::objects::token_service;
use support::peer::{Peer, Reply, answer, head};
use support::{World, condition, credential_yaml, token_yaml};

const CREDENTIAL: &str = "kX9-the-operators/credential+Qm7";
const OBJECTS: [&str; 5] = ["a", "b", "c", "d", "e"];
const VALUE: &str = "vT3-the-value/of-a+token=Zr8";

/// The service's answers to each *generate*, in turn. They quote the whole request with its credential, and hold a value.
fn generated(count: usize, request: &str) -> Reply {
    let quoted =
        json!({"error": format!("cannot serve {request} with {VALUE}"), "token": [VALUE], "id": VALUE}).to_string();
    let value = format!(r#"{{"token": "{VALUE}"}}"#);
    match count {
        0 => answer(400, "", &quoted),
        1 => answer(403, &format!("www-authenticate: Bearer error=\"{VALUE} {CREDENTIAL}\"\r\n"), &quoted),
        2 => answer(409, "", &quoted),
        3 => answer(500, &format!("x-debug: {VALUE}\r\n"), &quoted),
        4 => answer(201, "", &quoted),
        5 => answer(201, "", &value),
        6 => Reply::Bytes(head(201, value.len() + 7, &value)),
        7 => answer(302, &format!("location: https://{VALUE}@evil.example/{CREDENTIAL}\r\n"), &quoted),
        _ => answer(429, &format!("retry-after: {VALUE}\r\n"), &quoted),
    }
}

/// The number of answers; the last one is repeated.
const KINDS: usize = 9;

async fn service(generates: &'static AtomicUsize) -> Peer {
    Peer::start(move |request| match request.split(' ').next() {
        Some("POST") => generated(generates.fetch_add(1, Ordering::SeqCst), request),
        _ if request.starts_with("GET /me") => answer(401, "", &json!({"error": request}).to_string()),
        _ => answer(200, "", r#"{"items": []}"#),
    })
    .await
}

/// CVE-2024-31391 (the Solr operator: credentials in the events of failed probes) and CVE-2019-11252 (Kubernetes: the
/// credential of a mount in the message of its failure, and so in events and logs). Here the service puts the secrets into every
/// failure; conditions, events, metrics and the most detailed log have none of them.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_service_says_in_a_failure_is_shown_nowhere() {
    static GENERATES: AtomicUsize = AtomicUsize::new(0);
    let (world, peer) = (crate::bare("leaks").await, service(&GENERATES).await);
    world.apply(&credential_yaml(CREDENTIAL)).await;
    world.apply(&token_service("reference", &peer.url(), talkative)).await;
    let mut options = world.operator_options().variable("RUST_LOG", "trace");
    options.arguments.retain(|argument| !argument.starts_with("--first-retry"));
    let options = options.argument("--first-retry=50ms");
    let operator = Operator::start(options).await.unwrap();
    // Several objects at once, because each waits a while after each answer.
    for name in OBJECTS {
        world.apply(&token_yaml(name)).await;
    }
    let tried = || async {
        let count = GENERATES.load(Ordering::SeqCst);
        if count >= KINDS {
            Ok(())
        } else {
            Err(format!("{count} generates: {:#?}", world.token(OBJECTS[0]).await.status))
        }
    };
    testbed::poll("every kind of answer was given", std::time::Duration::from_secs(120), tried).await.unwrap();
    let mut status = String::new();
    for name in OBJECTS {
        // The last answer, which is repeated, asks to wait.
        let told = |reason| [Reason::TokenGenerationFailed, Reason::Throttled].contains(&reason);
        let failed = |token: &_| condition(token, ConditionType::Ready).is_some_and(|ready| told(ready.reason));
        world.until(name, "it says why there is no token", failed).await;
        status += &serde_json::to_string(&world.token(name).await).unwrap();
    }
    assert!(peer.requests().iter().any(|request| request.contains(CREDENTIAL)), "the service got the credential");
    let service = serde_json::to_string(&world.services().get("reference").await.unwrap()).unwrap();
    let metrics = http::answer(http::client().unwrap().get(format!("http://{}/metrics", operator.admin_address())));
    let shown = [
        ("the tokens' statuses", status),
        ("the service's status", service),
        ("the events", events(&world).await),
        ("the metrics", metrics.await.unwrap().1),
        ("the log", operator.log()),
    ];
    for (place, text) in &shown {
        assert!(!text.is_empty(), "nothing in {place}");
        for form in forms() {
            assert!(!text.contains(&form), "{form} in {place}: {}", around(text, &form));
        }
    }
    let bytes: usize = shown.iter().map(|(_, text)| text.len()).sum();
    println!("{} answers that quote secrets, {bytes} bytes looked through, 0 found", peer.requests().len());
}

fn talkative(spec: &mut serde_json::Value) {
    *spec = json!({
        "preset": "Custom",
        "baseURL": spec["baseURL"],
        "connection": {"insecureHTTP": true, "timeout": "2s"},
        "credentials": {"adminKey": {"name": "reference-admin", "key": "key"}},
        "naming": {"prefix": "test"},
        "limits": {"requestsPerMinute": 6000},
        "operations": {
            "authentication": {"bearer": "{{ credentials.adminKey }}"},
            "generate": {
                "request": {"method": "POST", "path": "/t", "json": "{\"name\": {{ name }}}"},
                "response": {"value": "$.token", "id": "$.id"},
                "timeout": "1s",
            },
            "verify": {
                "request": {"method": "GET", "path": "/me", "headers": {"Authorization": "Bearer {{ token }}"}},
                "accepted": {"statuses": [200]},
            },
            "list": {
                "request": {"method": "GET", "path": "/t"}, "items": "$.items[*]",
                "item": {"id": "$.id", "name": "$.name"},
            },
            "revoke": {"request": {"method": "DELETE", "path": "/t/{{ id }}"}},
        },
    });
}

async fn events(world: &World) -> String {
    let events: Api<Event> = Api::namespaced(world.client.clone(), &world.namespace);
    serde_json::to_string(&events.list(&ListParams::default()).await.unwrap()).unwrap()
}

/// The secrets as they are, and in common encodings.
fn forms() -> Vec<String> {
    let percent = |text: &str| text.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D");
    let forms = |text: &str| {
        let bytes = text.as_bytes();
        // Base64 of a longer text contains this part: only the characters at both ends depend on the neighbours.
        let inner = |skip: usize| BASE64.encode(&bytes[skip..skip + (bytes.len() - skip) / 3 * 3]);
        let plain = [text.to_owned(), percent(text), text.replace('/', "\\/"), HEXLOWER.encode(bytes)];
        plain.into_iter().chain((0..3).map(inner)).chain([BASE64URL_NOPAD.encode(bytes)]).collect::<Vec<_>>()
    };
    [CREDENTIAL, VALUE].into_iter().flat_map(forms).collect()
}

fn around(text: &str, form: &str) -> String {
    let at = text.find(form).unwrap_or(0);
    text.chars().skip(at.saturating_sub(200)).take(400).collect()
}
