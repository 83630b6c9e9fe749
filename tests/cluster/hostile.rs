//! Names at the service that imitate the operator's: a tenant uses a display name, and strangers use the same account.

use artifact_token_operator::api::artifact_token::{ArtifactToken, ROTATE_REQUESTED_AT};
use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::reason::Reason;
use artifact_token_operator::rotation::identity::uid16;
use kube::ResourceExt;
use serde_json::json;
use testbed::http;
use testbed::reference_service::State;

use support::acts::ledger;
use support::objects::artifact_token;
use support::{World, attempt, token_yaml};

/// Generates a token as somebody else with the same account would, and returns its id.
async fn strangers(world: &World, name: &str) -> String {
    let url = format!("{}/v1/tokens", world.service.base_url());
    let bearer = format!("Bearer {}", world.service.admin_key());
    let request = http::client().unwrap().post(url).header("Authorization", bearer);
    let (status, text) = http::answer(http::with_json(request, &json!({"name": name}))).await.unwrap();
    assert_eq!(status, 201, "{name:?}: {text}");
    let made: serde_json::Value = serde_json::from_str(&text).unwrap();
    made["id"].as_str().unwrap().to_owned()
}

async fn is_live(world: &World, id: &str) -> bool {
    world.made().await.iter().any(|row| row.id == id && row.state == State::Live)
}

/// A rotation whose first answer is lost: the operator lists the tokens, and revokes the ones that carry this object's name.
async fn rotate_with_a_loss(world: &World, name: &str, request: &str) {
    let before = attempt(&world.token(name).await);
    world.faults(json!([{"operation": "generate", "kind": "LoseAnswer", "count": 1}])).await;
    world.annotate(name, ROTATE_REQUESTED_AT, request).await;
    let rested = |token: &ArtifactToken| {
        let ledger = ledger(token);
        let found = ledger.lost.iter().all(|lost| lost.attempt <= before);
        attempt(token) > before + 1 && ledger.superseded.is_empty() && found
    };
    world.until(name, "the lost token was found, and all old tokens are dead", rested).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_display_name_that_forges_the_part_of_another_object_gets_nothing_of_it() {
    let world = World::quick("forger").await;
    let _operator = world.operator().await;
    world.apply(&token_yaml("victim")).await;
    world.until_ready("victim").await;
    let of_victim = uid16(&world.token("victim").await.uid().unwrap());
    // The names of the victim's next attempts, as the whole name and after a blank.
    for (name, display) in [
        ("forger-a", format!("test.{of_victim}.2.0")),
        ("forger-b", format!(" test.{of_victim}.1.0 ")),
        ("forger-c", format!(".{of_victim}.3.aaaaaaaa")),
    ] {
        world.create(name, |spec| spec["displayName"] = json!(display)).await;
        world.until_ready(name).await;
    }
    let held = world.value("victim-secret", "token").await;
    let victims = world.current_id("victim").await;
    for forger in ["forger-a", "forger-b", "forger-c"] {
        rotate_with_a_loss(&world, forger, "1").await;
    }
    assert!(is_live(&world, &victims).await && world.accepts(&held).await, "the forgers' objects did not revoke it");
    let forged: Vec<_> = [world.current_id("forger-a").await, world.current_id("forger-b").await].into();

    // The other way round: the victim loses its ledger, looks for tokens with its name, and takes none of the forgers'.
    world.patch_status("victim", json!({"status": {"claim": null, "current": null, "superseded": null}})).await;
    world.until("victim", "the ledger is there again", |token| attempt(token) > 0).await;
    rotate_with_a_loss(&world, "victim", "1").await;
    for id in &forged {
        assert!(is_live(&world, id).await, "a forger's own token was taken for the victim's");
    }
    world.delete("victim").await;
    world.until_gone("victim").await;
    for forger in ["forger-a", "forger-b", "forger-c"] {
        assert!(world.accepts(&world.value(&format!("{forger}-secret"), "token").await).await, "{forger}");
    }
    assert_eq!(world.service.live().await.unwrap().len(), 3, "one of each forger, and none of the victim");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_display_name_with_a_line_break_or_other_signs_is_refused() {
    let world = World::bare("signs").await;
    for display in [
        "a\ntest.aaaaaaaaaaaaaaaa.1.0",
        "a\n",
        "\n",
        "a\0b",
        "a\tb",
        "a/b",
        "a\u{a0}b",
        "\u{202e}x",
        "\u{ff0e}",
        "a\"b",
    ] {
        let refused = world.refused(&artifact_token("ci", |spec| spec["displayName"] = json!(display))).await;
        assert!(refused.contains("spec.displayName"), "{display:?}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_strangers_with_almost_our_name_are_never_touched() {
    let world = World::quick("strangers").await;
    let _operator = world.operator().await;
    world.apply(&token_yaml("ci")).await;
    world.until_ready("ci").await;
    let own = uid16(&world.token("ci").await.uid().unwrap());
    let names = [
        format!("test.{}.1.0", own.to_uppercase()),
        format!("test.{own}.01.0"),
        format!("test.{own}.0.0"),
        format!("test.{own}.+1.0"),
        format!("test.{own}.1.0.more"),
        format!("test.{own}.1.short"),
        format!("test.{own}.1"),
        format!("test.{own}..0"),
        format!("test.{own}.4294967296.0"),
        format!("test.{own}.99999999999999999999.0"),
        format!("test.{own}\u{a0}.1.0"),
        format!("test.{own}.1.0\u{a0}x"),
        format!("test.{own}.1.0\nx"),
        format!("test.{own}.1.0\tx"),
        format!("test.{own}.1.0\u{0}"),
        format!("\u{feff}test.{own}.1.0"),
        format!(" test.{own}.1.0"),
        format!("\ntest.{own}.1.0"),
        format!("xtest.{own}.1.0"),
        format!("test-2.{own}.1.0"),
        format!("Test.{own}.1.0"),
        format!("test.{}.1.0", &own[..15]),
        format!("test.{own}a.1.0"),
        format!("test\u{ff0e}{own}\u{ff0e}1\u{ff0e}0"),
        format!("test.{own}.\u{661}.0"),
        format!("t\u{435}st.{own}.1.0"),
        format!("display test.{own}.1.0"),
        "test.".to_owned(),
        "\u{1f600}".repeat(200),
        ".".repeat(200),
    ];
    let mut ids = Vec::new();
    for name in &names {
        ids.push(strangers(&world, name).await);
    }
    rotate_with_a_loss(&world, "ci", "1").await;
    world.patch_status("ci", json!({"status": {"claim": null, "current": null, "superseded": null}})).await;
    world.until("ci", "the ledger is there again", |token| attempt(token) > 0).await;
    rotate_with_a_loss(&world, "ci", "2").await;
    world.delete("ci").await;
    world.until_gone("ci").await;
    for (id, name) in ids.iter().zip(&names) {
        assert!(is_live(&world, id).await, "a stranger's token was revoked: {name:?}");
    }
    assert_eq!(world.service.live().await.unwrap().len(), names.len(), "and none of ours is left");
}

/// Whoever may write Secrets can write any mark on them, of any object, in any namespace.
#[tokio::test(flavor = "multi_thread")]
async fn no_mark_on_a_secret_kills_the_token_of_a_living_object() {
    let world = World::quick("marks").await;
    let _operator = world.operator().await;
    world.apply(&token_yaml("victim")).await;
    world.until_ready("victim").await;
    let (uid, id) = (world.token("victim").await.uid().unwrap(), world.current_id("victim").await);
    let namespace = world.namespace.clone();
    let owners = [
        ("a", format!("ArtifactToken/{namespace}/a/{uid}")),
        ("b", format!("ArtifactToken/b/{uid}")),
        ("c", format!("ArtifactToken/{namespace}/victim/{uid}")),
        ("d", format!("ArtifactToken/elsewhere/d/{uid}")),
    ];
    for (name, owner) in &owners {
        world.apply(&token_yaml(name)).await;
        world.until_ready(name).await;
        let marks = json!({"artifact-token.dev/owner": owner, "artifact-token.dev/token-id": id, "artifact-token.dev/attempt": "1"});
        world.patch_secret(&format!("{name}-secret"), json!({"metadata": {"annotations": marks}})).await;
    }
    // The same marks before the object exists.
    let planted = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {
            "name": "e-secret",
            "labels": {"artifact-token.dev/managed": "true"},
            "annotations": {
                "artifact-token.dev/owner": format!("ArtifactToken/{namespace}/e/{uid}"),
                "artifact-token.dev/token-id": id,
            },
        },
        "stringData": {"token": "planted"},
    });
    world.apply(&planted.to_string()).await;
    world.apply(&token_yaml("e")).await;
    world.until_ready("e").await;
    for name in ["b", "c", "d"] {
        let conflict = world.until_reason(name, ConditionType::Stalled, Reason::SecretConflict).await;
        assert_eq!(conflict.message.contains("looks like a copy"), name != "c", "{name}: {}", conflict.message);
    }
    world.until("a", "the Secret is its own again", |token| attempt(token) > 1).await;
    for name in ["a", "e"] {
        world.annotate(name, ROTATE_REQUESTED_AT, "1").await;
        let rested = |token: &ArtifactToken| {
            ledger(token).handled_requests.rotate.is_some() && ledger(token).superseded.is_empty()
        };
        world.until(name, "it rotated, and its old token is dead", rested).await;
        world.delete(name).await;
        world.until_gone(name).await;
    }
    assert!(is_live(&world, &id).await, "the victim's token died: {:#?}", world.made().await);
}
