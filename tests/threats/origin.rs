//! The operator sends its credential to the origin of `baseURL` and nowhere else, whatever tenants, service objects and answers say.

use std::collections::BTreeMap;
use std::time::Duration;

use artifact_token_operator::api::parameters::{Lifetime, ParameterValue, Parameters};
use artifact_token_operator::api::time::Time;
use artifact_token_operator::api::token_service::TokenServiceSpec;
use artifact_token_operator::service::client::answers::GenerateRequest;
use artifact_token_operator::service::client::meter::CallCounts;
use artifact_token_operator::service::client::{Places, ServiceClient};
use artifact_token_operator::service::declaration::Declaration;
use artifact_token_operator::service::errors::InvalidDeclaration;
use artifact_token_operator::service::limits::RateLimit;
use secrecy::SecretString;
use serde_json::{Value, json};

use support::peer::{Peer, answer};

const CREDENTIAL: &str = "operator-credential";

/// Texts that would lead elsewhere in a URL without encoding. `{}` is the host of the attacker.
const ELSEWHERE: [&str; 22] = [
    "http://{}/",
    "https://{}/",
    "HTTP://{}",
    "//{}/x",
    "///{}/x",
    "/\\{}/x",
    "\\\\{}\\x",
    "\\/{}",
    "@{}",
    "@{}/",
    ":x@{}/",
    ".{}",
    "?x=@{}",
    "#@{}",
    "\t//{}",
    "\n//{}",
    " http://{}",
    "/../../@{}",
    "..//{}",
    "%2f%2f{}",
    "{}:80",
    "javascript://{}",
];

fn spec(url: &str) -> Value {
    json!({
        "preset": "Custom",
        "baseURL": format!("{url}/base"),
        "credentials": {"key": {"name": "admin", "key": "key"}},
        "variables": {"project": "payments"},
        "naming": {"prefix": "test"},
        "connection": {"insecureHTTP": true, "timeout": "2s"},
        "operations": {
            "authentication": {"bearer": "{{ credentials.key }}"},
            "parameters": [{"name": "team", "required": true}],
            "generate": {
                "request": {
                    "method": "POST", "path": "/p/{{ variables.project }}/{{ parameters.team }}/{{ name }}",
                    "query": {"team": "{{ parameters.team }}"}, "headers": {"X-Team": "{{ variables.project }}"},
                    "form": {"name": "{{ name }}", "display": "{{ displayName }}"},
                },
                "response": {"value": "$.token", "id": "$.id"},
            },
            "verify": {
                "request": {"method": "GET", "path": "/me", "headers": {"Authorization": "Bearer {{ token }}"}},
                "accepted": {"statuses": [200]},
            },
            "list": {
                "request": {"method": "GET", "path": "/t"}, "items": "$.items[*]", "item": {"id": "$.id", "name": "$.name"},
                "pagination": {"nextURL": "$.next"},
            },
            "revoke": {"request": {"method": "DELETE", "path": "/t/{{ id }}"}},
        },
    })
}

fn declared(spec: Value) -> Result<Declaration, InvalidDeclaration> {
    Declaration::check(&serde_json::from_value::<TokenServiceSpec>(spec).unwrap())
}

fn client(spec: Value) -> ServiceClient {
    let credentials = BTreeMap::from([("key".to_owned(), SecretString::from(CREDENTIAL))]);
    let declaration = declared(spec).unwrap_or_else(|error| panic!("{error}"));
    ServiceClient::new(declaration, credentials, None, RateLimit::new(6000), CallCounts::default()).unwrap()
}

/// Each call waits for its place in the rate limit.
fn places() -> Places {
    Places::one_by_one(Duration::from_secs(60))
}

fn wanted(hostile: &str) -> GenerateRequest {
    GenerateRequest {
        name: Some(format!("test.x {hostile}")),
        display_name: Some(hostile.to_owned()),
        lifetime: Lifetime::Never,
        parameters: Parameters::from([("team".to_owned(), ParameterValue::Text(hostile.to_owned()))]),
        now: Time::parse("2027-01-01T00:00:00Z").unwrap(),
        claimed: Time::parse("2027-01-01T00:00:00Z").unwrap(),
    }
}

/// Checks that every request so far went below `baseURL`, with the host of `peer`.
fn all_below_base(peer: &Peer, hostile: &str) {
    let host = peer.url().replace("http://", "");
    for request in peer.requests() {
        let target = request.split(' ').nth(1).unwrap();
        assert!(target.starts_with("/base/"), "{hostile:?}: {request}");
        assert!(request.to_ascii_lowercase().contains(&format!("\r\nhost: {host}\r\n")), "{hostile:?}: {request}");
    }
}

/// CVE-2026-54725, CVE-2026-18378, CVE-2026-41323 (Kyverno): a tenant's text became the URL, and the operator's own
/// credential went there. Here a tenant's texts are parameters, a display name and a variable; each stays in its place.
#[tokio::test]
async fn a_tenants_texts_stay_one_segment_one_field_or_one_header() {
    let evil = Peer::always(answer(200, "", "{}")).await;
    let evil_host = evil.url().replace("http://", "");
    for hostile in ELSEWHERE {
        let hostile = hostile.replace("{}", &evil_host);
        let peer = Peer::always(answer(201, "", r#"{"token": "the-token", "id": 7, "items": []}"#)).await;
        let mut spec = spec(&peer.url());
        spec["variables"]["project"] = json!(hostile);
        // A variable with a line break cannot be a header: the client refuses it and sends nothing.
        let service = client(spec);
        let _ = service.generate(&wanted(&hostile), &mut places()).await;
        let _ = service.revoke(&hostile, &mut places()).await;
        let _ = service.list(&mut places()).await;
        let _ = service.verify(Some(&SecretString::from(hostile.as_str())), &mut places()).await;
        assert!(peer.requests().len() >= 2, "{hostile:?}: {:?}", peer.requests());
        all_below_base(&peer, &hostile);
    }
    assert_eq!(evil.requests(), Vec::<String>::new());
}

/// The same cases in a declaration, which tenants cannot change: a path is never more than a path.
#[tokio::test]
async fn a_declared_path_never_leaves_the_base() {
    let evil = Peer::always(answer(200, "", "{}")).await;
    let evil_host = evil.url().replace("http://", "");
    for hostile in ELSEWHERE {
        for path in [hostile.replace("{}", &evil_host), format!("/{}", hostile.replace("{}", &evil_host))] {
            let peer = Peer::always(answer(200, "", r#"{"items": []}"#)).await;
            let mut spec = spec(&peer.url());
            spec["operations"]["list"]["request"]["path"] = json!(path);
            match declared(spec.clone()) {
                Err(refused) => {
                    assert!(refused.to_string().starts_with("spec.operations.list.request.path"), "{refused}")
                }
                Ok(_) => {
                    let _ = client(spec).list(&mut places()).await;
                    all_below_base(&peer, &path);
                }
            }
        }
    }
    assert_eq!(evil.requests(), Vec::<String>::new());
}

/// The same cases by the service itself, or by somebody who can write into its list: the next page is somewhere else.
#[tokio::test]
async fn a_next_page_elsewhere_is_never_asked() {
    let evil = Peer::always(answer(200, "", r#"{"items": []}"#)).await;
    let evil_host = evil.url().replace("http://", "");
    for hostile in ELSEWHERE {
        let next = hostile.replace("{}", &evil_host);
        let header = next.replace(['\n', '\r', '\t'], "");
        let body = json!({"items": [{"id": "a"}], "next": next}).to_string();
        for link in [false, true] {
            let (body, header) = (body.clone(), format!("link: <{header}>; rel=\"next\"\r\n"));
            let peer = Peer::start(move |request| {
                let first = request.starts_with("GET /base/t ");
                let headers = if link && first { header.as_str() } else { "" };
                answer(200, headers, if first { &body } else { r#"{"items": []}"# })
            })
            .await;
            let mut spec = spec(&peer.url());
            if link {
                spec["operations"]["list"]["pagination"] = json!({"link": true});
            }
            let _ = client(spec).list(&mut places()).await;
            let host = peer.url().replace("http://", "");
            let requests = peer.requests();
            assert!((1..=2).contains(&requests.len()), "{next:?}: {requests:?}");
            assert!(requests.iter().all(|request| request.contains(&host)), "{next:?}: {requests:?}");
        }
    }
    assert_eq!(evil.requests(), Vec::<String>::new(), "the credential went elsewhere");
}

/// The same cases by a redirect of each operation, to another origin and to another port of the same host.
#[tokio::test]
async fn a_redirect_takes_the_credential_nowhere() {
    let evil = Peer::always(answer(200, "", r#"{"token": "x", "id": 1, "items": []}"#)).await;
    for status in [300, 301, 302, 303, 305, 307, 308] {
        for header in ["location", "refresh", "content-location"] {
            let peer = Peer::always(answer(status, &format!("{header}: {}\r\n", evil.url()), "")).await;
            let service = client(spec(&peer.url()));
            assert!(service.generate(&wanted("x"), &mut places()).await.is_err());
            assert!(service.list(&mut places()).await.is_err());
            assert!(service.revoke("7", &mut places()).await.is_err());
            assert!(service.verify(Some(&SecretString::from("the-token")), &mut places()).await.is_err());
            assert_eq!(peer.requests().len(), 4, "{status} {header}");
        }
    }
    assert_eq!(evil.requests(), Vec::<String>::new());
}
