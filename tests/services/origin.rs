//! The origins that a request with a credential goes to, and those that it never goes to (S10).

use std::collections::BTreeMap;
use std::process::Command;

use artifact_token_operator::api::parameters::Lifetime;
use artifact_token_operator::service::client::ServiceClient;
use artifact_token_operator::service::client::answers::VerifyAnswer;
use artifact_token_operator::service::client::meter::CallCounts;
use artifact_token_operator::service::limits::RateLimit;
use data_encoding::BASE64;
use secrecy::SecretString;
use serde_json::Value;
use testbed::ControlPlane;
use testbed::control_plane::Options;

use super::faults::{at, spec};
use super::{CREDENTIAL, VALUE, declaration, outcome, places, service, wanted};
use support::peer::{Peer, answer};

#[tokio::test]
async fn a_redirect_is_not_followed_by_any_operation() {
    let elsewhere = Peer::always(answer(200, "", r#"{"token": "x", "id": 1, "items": [], "active": true}"#)).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("location: {}/api/tokens\r\n", elsewhere.url());
        let peer = Peer::always(answer(status, &location, "")).await;
        let service = at(&peer.url());
        assert_eq!(
            outcome(service.generate(&wanted("x", Lifetime::Never), &mut places()).await),
            "Unknown",
            "{status}"
        );
        assert_eq!(
            outcome(service.verify(Some(&SecretString::from(VALUE)), &mut places()).await),
            "Unknown",
            "{status}"
        );
        assert_eq!(outcome(service.list(&mut places()).await), "Unknown", "{status}");
        assert_eq!(outcome(service.revoke("7", &mut places()).await), "Unknown", "{status}");
        assert_eq!(peer.requests().len(), 4, "{status}");
    }
    assert_eq!(elsewhere.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn a_token_is_asked_about_elsewhere_where_that_is_declared_and_no_credential_goes_there() {
    let body = format!(r#"{{"token": "{VALUE}", "id": 7, "items": [], "active": true}}"#);
    let (peer, elsewhere) = (Peer::always(answer(200, "", &body)).await, Peer::always(answer(200, "", &body)).await);
    let verify = format!("  verify:\n    baseURL: {}/dl/", elsewhere.url());
    let declared = declaration(&spec(&peer.url()).replacen("  verify:", &verify, 1));
    let service = service(declared, &[("key", CREDENTIAL)]);
    let token = SecretString::from(VALUE);
    assert_eq!(service.verify(Some(&token), &mut places()).await.unwrap(), VerifyAnswer::Accepted);
    service.generate(&wanted("x", Lifetime::Never), &mut places()).await.unwrap();
    service.list(&mut places()).await.unwrap();
    service.revoke("7", &mut places()).await.unwrap();
    let asked = elsewhere.requests();
    assert!(asked.len() == 1 && asked[0].starts_with("GET /dl/me HTTP/1.1"), "{asked:?}");
    assert!(asked[0].contains(VALUE) && !asked[0].contains(CREDENTIAL), "{asked:?}");
    let others = peer.requests();
    assert!(others.len() == 3 && others.iter().all(|request| request.contains("/api/tokens")), "{others:?}");
    assert!(others.iter().all(|request| request.contains(CREDENTIAL) && !request.contains(VALUE)), "{others:?}");
}

/// The environment belongs to a whole process, so this test runs another test of this file in its own process.
#[tokio::test]
async fn the_proxies_of_the_environment_are_ignored() {
    let proxy = Peer::always(answer(200, "", "{}")).await;
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "origin::a_redirect_is_not_followed_by_any_operation"]);
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env(name, proxy.url());
    }
    for name in ["no_proxy", "NO_PROXY"] {
        command.env_remove(name);
    }
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    assert_eq!(proxy.requests(), Vec::<String>::new());
}

/// kube-apiserver stands for a service whose certificate is from its own authority, and which accepts or refuses tokens.
#[tokio::test(flavor = "multi_thread")]
async fn an_authority_of_ones_own_is_trusted_where_it_is_named_and_nowhere_else() {
    let plane = ControlPlane::shared(Options::default()).await.unwrap();
    let text = std::fs::read_to_string(plane.kubeconfig_path().unwrap()).unwrap();
    let kubeconfig: Value = serde_saphyr::from_str(&text).unwrap();
    let field = |pointer: &str| kubeconfig.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
    let authority = BASE64.decode(field("/clusters/0/cluster/certificate-authority-data").as_bytes()).unwrap();
    let token = SecretString::from(field("/users/0/user/token"));
    let spec = format!(
        "preset: Custom\nbaseURL: {}\noperations:\n  verify:\n    request: {{method: GET, path: /api, headers: \
         {{Authorization: \"Bearer {{{{ token }}}}\"}}}}\n    accepted: {{statuses: [200]}}\n",
        plane.url()
    );
    let client = |bundle: Option<Vec<u8>>| {
        ServiceClient::new(declaration(&spec), BTreeMap::new(), bundle, RateLimit::new(6000), CallCounts::default())
            .unwrap()
    };
    let trusting = client(Some(authority));
    assert_eq!(trusting.verify(Some(&token), &mut places()).await.unwrap(), VerifyAnswer::Accepted);
    assert!(matches!(
        trusting.verify(Some(&SecretString::from(VALUE)), &mut places()).await.unwrap(),
        VerifyAnswer::Refused { .. }
    ));
    let refusing = outcome(client(None).verify(Some(&token), &mut places()).await);
    assert!(refusing.starts_with("Retry"), "the token was not sent: {refusing}");
}
