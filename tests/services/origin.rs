//! Where a request, and with it a credential, goes, and where it never goes (S10).

use std::process::Command;

use artifact_token_operator::api::parameters::Lifetime;
use secrecy::SecretString;

use super::faults::at;
use super::peer::{Peer, answer};
use super::{VALUE, told, wanted};

#[tokio::test]
async fn a_redirect_is_not_followed_by_any_operation() {
    let elsewhere = Peer::always(answer(200, "", r#"{"token": "x", "id": 1, "items": [], "active": true}"#)).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("location: {}/api/tokens\r\n", elsewhere.url());
        let peer = Peer::always(answer(status, &location, "")).await;
        let service = at(&peer.url());
        assert_eq!(told(service.generate(&wanted("x", Lifetime::Never)).await), "Unknown", "{status}");
        assert_eq!(told(service.verify(Some(&SecretString::from(VALUE))).await), "Unknown", "{status}");
        assert_eq!(told(service.list().await), "Unknown", "{status}");
        assert_eq!(told(service.revoke("7").await), "Unknown", "{status}");
        assert_eq!(peer.requests().len(), 4, "{status}");
    }
    assert_eq!(elsewhere.requests(), Vec::<String>::new());
}

/// The environment belongs to a process, so the test runs another one of this file in a process of its own.
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
