//! What people have the operator do, and what they hear if there is none.

use std::fs;
use std::path::Path;
use std::time::Duration;

use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::reason::Reason;
use serde_json::{Value, json};
use support::acts::ledger;
use support::objects::{reference_operations, token_service};

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
    let (code, told) = session.run("revoke tsvc/reference -n $NS --confirm reference -o name");
    assert!(code == 0 && told.ends_with("\ntokenservice.artifact-token.dev/reference\n"), "{told}");
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
async fn scripts_get_the_objects_that_changed_and_no_sentences() {
    let mut session = Session::with_service("plugin-output").await;
    let _operator = session.operator().await;
    for name in ["ci", "nightly"] {
        session.world.apply(&token_yaml(name)).await;
    }
    for name in ["ci", "nightly"] {
        session.world.until_ready(name).await;
    }
    for line in [
        "rotate ci -n $NS -o name 2>/dev/null",
        "suspend ci nightly -n $NS --dry-run -o name 2>/dev/null",
        "suspend nightly -n $NS -o name",
        "suspend nightly -n $NS -o name --fail-if-unchanged",
        "rotate --all -n $NS -o name 2>/dev/null",
        "resume nightly tsvc/reference -n $NS -o name 2>/dev/null",
        "verify --all -n $NS -o name 2>/dev/null",
        "verify artifacttoken.artifact-token.dev/ci -n $NS -o name 2>/dev/null",
        "revoke ci -n $NS --confirm ci -o name 2>/dev/null",
        "rotate ci -n $NS -o wide",
    ] {
        session.run(line);
    }
    session.is_as_in("output.txt");
    let mut json = |line: &str| -> Value {
        let (code, text) = session.run(&format!("{line} -n $NS -o json 2>/dev/null"));
        assert_eq!(code, 0, "{text}");
        serde_json::from_str(&text).unwrap()
    };
    let rotated = json("rotate ci");
    assert_eq!((&rotated["kind"], &rotated["status"]["current"]["attempt"]), (&json!("ArtifactToken"), &json!(5)));
    let asked = json("suspend ci --dry-run");
    assert_eq!((&asked["kind"], &asked["spec"]["suspend"]), (&json!("ArtifactToken"), &json!(true)));
    let all = json("resume -l none!=x");
    assert_eq!(
        (&all["apiVersion"], &all["kind"], all["items"].as_array().unwrap().len()),
        (&json!("v1"), &json!("List"), 2)
    );
    let (_, yaml) = session.run("verify ci nightly -n $NS -o yaml 2>/dev/null");
    assert!(yaml.contains("kind: List") && yaml.contains("name: nightly"), "{yaml}");
    assert!(!session.world.token("ci").await.spec.suspend, "a dry run changes nothing");
    // Who hears no sentence loses nothing; who gets no object must know.
    for (line, expected) in [("verify ci -n $NS", 0), ("verify ci -n $NS -o name", 1)] {
        assert_eq!(session.run(&format!("{line} > /dev/full 2>/dev/null")).0, expected, "{line}");
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

#[tokio::test]
async fn what_only_a_person_can_do_is_told_instead_of_waited_for() {
    let mut session = Session::start("plugin-by-hand").await;
    let _operator = session.operator().await;
    let verify = reference_operations()["verify"].clone();
    let service = token_service("reference", &session.world.service.base_url(), |spec| {
        spec["preset"] = json!("Custom");
        spec["operations"] = json!({"verify": verify, "page": "https://pages.example/tokens"});
        spec.as_object_mut().unwrap().retain(|field, _| field != "credentials" && field != "naming");
    });
    session.world.apply(&service).await;
    session.world.apply(&token_yaml("ci")).await;
    session.world.until_reason("ci", ConditionType::HandOverDue, Reason::HandOverDue).await;
    let value = session.world.generate_as("made by hand").await.1;
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-token", session.world.namespace));
    fs::write(&file, &value).unwrap();
    let (code, told) = session.run(&format!("hand-over ci -n $NS -o json 2>/dev/null < {}", file.display()));
    let printed: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert!(code == 0 && printed["kind"] == "ArtifactToken" && printed["metadata"]["name"] == "ci", "{told}");
    assert!(printed["status"]["current"]["handOver"].is_object() && !told.contains(&value), "{told}");
    session.world.until_ready("ci").await;
    let (code, told) = session.run("rotate ci -n $NS");
    assert!(code == 1 && told.contains("artifacttoken/ci waits for you: ") && told.contains("pages.example"), "{told}");
    let (code, told) = session.run("revoke ci -n $NS --confirm ci");
    let told = told.replace("\n  ", " ");
    assert!(code == 1 && told.contains("waits for you: revoke by hand (https://pages.example/tokens)"), "{told}");
    assert!(!told.contains(&value) && session.world.accepts(&value).await, "nobody else may revoke it: {told}");
}
