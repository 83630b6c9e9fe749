//! What people have the operator do, and what they hear if there is none.

use std::time::Duration;

use support::acts::ledger;

use crate::session::{Session, token_yaml};

/// A refusal because nobody leads may take so long, the start of kubectl on a busy machine included.
const NOBODY: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_token_is_rotated_verified_suspended_and_revoked_from_a_shell() {
    let mut session = Session::with_service("plugin-acts").await;
    let _operator = session.operator().await;
    session.world.apply(&token_yaml("ci")).await;
    session.world.until_ready("ci").await;
    for attempt in 1..=3 {
        if attempt > 1 {
            session.run("rotate ci -n $NS");
        }
        let id = session.world.current_id("ci").await;
        session.call(&id, &format!("ID-{attempt}"));
        if attempt == 2 {
            session.run("verify ci -n $NS");
            session.run("suspend ci -n $NS");
            session.run("suspend ci -n $NS --fail-if-unchanged");
            session.run("rotate ci -n $NS");
            session.run("resume ci -n $NS");
        }
    }
    session.run("revoke ci -n $NS");
    session.run("revoke ci -n $NS --confirm shop");
    session.run("revoke ci -n $NS --confirm ci --dry-run");
    assert!(ledger(&session.world.token("ci").await).leak.is_none(), "nothing was confirmed");
    session.run("revoke ci -n $NS --confirm ci");
    let live = session.world.service.live().await.unwrap();
    assert_eq!(live.len(), 1, "only the new one lives: {live:#?}");
    session.is_as_in("acts.txt");
}

#[tokio::test]
async fn all_tokens_of_a_leaked_service_are_revoked_with_one_command() {
    let mut session = Session::with_service("plugin-leak").await;
    let _operator = session.operator().await;
    for name in ["one", "two"] {
        session.world.apply(&token_yaml(name)).await;
    }
    let mut before = Vec::new();
    for name in ["one", "two"] {
        session.world.until_ready(name).await;
        before.push(session.world.current_id(name).await);
    }
    let (code, told) = session.run("revoke tsvc/reference -n $NS --confirm reference");
    assert_eq!(code, 0, "{told}");
    for name in ["one", "two"] {
        assert!(
            told.contains(&format!("artifacttoken/{name} revoked and replaced: attempt 2 is in the Secret")),
            "{told}"
        );
    }
    for id in before {
        assert!(session.world.is_dead(&id).await, "{id} lives: {told}");
        assert!(told.contains(&format!("(id {id}) is dead")), "{told}");
    }
}

#[tokio::test]
async fn without_an_operator_that_leads_nobody_waits_and_nothing_is_asked_for() {
    let mut session = Session::with_service("plugin-nobody").await;
    let mut operator = session.operator().await;
    session.world.apply(&token_yaml("ci")).await;
    session.world.until_ready("ci").await;
    let id = session.world.current_id("ci").await;
    session.call(&id, "ID");
    let hint = ledger(&session.world.token("ci").await).current.unwrap().hint.unwrap();
    session.call(&hint, "****HINT");
    operator.stop(Duration::from_secs(30)).await.unwrap();
    let before = session.world.token("ci").await;
    for line in ["rotate ci -n $NS", "verify ci -n $NS", "revoke ci -n $NS --confirm ci", "rotate --all -n $NS"] {
        let (code, told) = session.run_within(line, NOBODY);
        assert_eq!(code, 4, "{told}");
    }
    let after = session.world.token("ci").await;
    assert_eq!(before.metadata.resource_version, after.metadata.resource_version, "nothing was changed");
    session.run("rotate ci -n $NS --wait=false");
    session.is_as_in("nobody.txt");
}

#[tokio::test]
async fn mistakes_get_a_clear_answer() {
    let mut session = Session::with_service("plugin-wrong").await;
    session.world.apply(&token_yaml("ci")).await;
    let argo = "argocd.argoproj.io/tracking-id";
    session.world.annotate("ci", argo, "shop:artifact-token.dev/ArtifactToken:shop/ci").await;
    for line in [
        "rotate -n $NS",
        "rotate no -n $NS",
        "rotate tsvc/reference -n $NS",
        "suspend secret/ci -n $NS",
        "suspend ci tsvc/reference -n $NS --dry-run",
        "suspend ci -n $NS",
        "rotate -l team=none -n $NS",
        "status ci --timeout 3",
        "verify ci -n $NS --timeout 3",
    ] {
        session.run(line);
    }
    session.is_as_in("mistakes.txt");
}
