//! An operator that may neither list nor watch Secrets.

use artifact_token_operator::api::artifact_token::{RECONCILE_REQUESTED_AT, ROTATE_REQUESTED_AT};
use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::reason::Reason;
use serde_json::json;
use support::acts::ledger;
use support::{DEADLINE, World, attempt, credential_yaml, token_yaml};
use testbed::fault_proxy::{Call, Fault, Kind, Planned};
use testbed::{FaultProxy, Operator, http, poll};

use crate::hand_over::{hands_over, made, seal, token};

/// How often it reads each Secret.
const REREAD: &str = "2s";
/// The operator's count of its passes over tokens.
const PASSES: &str = "artifacttoken_reconcile_total{controller=\"artifacttoken\",result=\"ok\"}";

/// The operator behind a proxy that refuses what it may not do. It is not to try, either.
async fn unwatched(world: &World, reread: &str) -> (FaultProxy, Planned, Operator) {
    let proxy = FaultProxy::start(&world.plane, None).await.expect("start a proxy");
    let refused = proxy.always(Fault::status(403, "Forbidden"), |request| {
        matches!(request.call.kind, Kind::List | Kind::Watch) && request.call.path.contains("/secrets")
    });
    let options = world.operator_options_as(proxy.kubeconfig());
    let options = options.argument("--secret-watch=off").argument(format!("--secret-reread={reread}"));
    (proxy, refused, Operator::start(options).await.expect("start the operator"))
}

async fn page(operator: &Operator, path: &str) -> String {
    let request = http::client().unwrap().get(format!("http://{}/{path}", operator.admin_address()));
    http::answer(request).await.unwrap().1
}

async fn passes(operator: &Operator) -> u64 {
    let page = page(operator, "metrics").await;
    page.lines().find_map(|line| line.strip_prefix(PASSES)?.trim().parse().ok()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lives_its_whole_life_where_no_secret_may_be_listed_or_watched() {
    let world = World::quick("unwatched").await;
    let (proxy, refused, mut operator) = unwatched(&world, REREAD).await;
    world.apply(&token_yaml("ci")).await;
    world.until_ready("ci").await;
    world.agrees("ci", "ci-secret").await;

    // What somebody deletes comes back with another token.
    world.delete_secret("ci-secret").await;
    world.until_attempt("ci", 2).await;
    world.agrees("ci", "ci-secret").await;

    // A start makes nothing of what it has not read yet.
    operator.restart().unwrap();
    operator.ready().await.unwrap();
    assert!(!page(&operator, "readyz?verbose").await.contains("secrets"), "nothing waits for a list of Secrets");
    let read = proxy.calls().len();
    let reads_it = |call: &Call| call.kind == Kind::Read && call.path.ends_with("/secrets/ci-secret");
    let look = || async {
        let reads = proxy.calls()[read..].iter().filter(|call| reads_it(call)).count();
        if reads >= 2 { Ok(()) } else { Err(format!("{reads} reads of the Secret")) }
    };
    poll("the Secret was read, and read again", DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!(attempt(&world.token("ci").await), 2);
    assert_eq!(world.count().await, 2);

    // Another credential is noticed without a watch. An attempt may still have the old one.
    world.replace_admin_key("the-next-key").await;
    world.apply(&credential_yaml("the-next-key")).await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until("ci", "another token is current", |token| attempt(token) > 2).await;
    world.agrees("ci", "ci-secret").await;

    world.delete("ci").await;
    world.until_gone("ci").await;
    world.until_absent("ci-secret").await;
    assert!(world.service.live().await.unwrap().is_empty());
    assert!(refused.struck().is_empty(), "{:?}", refused.struck());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_by_hand_is_seen_at_once_when_a_person_asks_for_a_look() {
    let world = World::quick("unwatched-ask").await;
    let (_proxy, refused, operator) = unwatched(&world, "1h").await;
    world.apply(&token_yaml("ci")).await;
    world.until_ready("ci").await;
    world.delete_secret("ci-secret").await;
    let before = passes(&operator).await;
    world.patch("ci", json!({"metadata": {"labels": {"touched": "yes"}}})).await;
    let look = || async {
        let passes = passes(&operator).await;
        if passes > before { Ok(()) } else { Err(format!("{passes} passes")) }
    };
    poll("another pass ended", DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!(world.secret("ci-secret").await, None, "nothing shows it");
    assert_eq!(world.count().await, 1);
    world.annotate("ci", RECONCILE_REQUESTED_AT, "1").await;
    world.until_attempt("ci", 2).await;
    world.agrees("ci", "ci-secret").await;
    assert!(refused.struck().is_empty(), "{:?}", refused.struck());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_handed_over_where_no_secret_may_be_listed_or_watched() {
    let world = seal("unwatched-hand").await;
    let (_proxy, refused, mut operator) = unwatched(&world, REREAD).await;
    world.apply(&token(|_| {})).await;
    world.until_reason("ci", ConditionType::HandOverDue, Reason::HandOverDue).await;
    let first = made(&world).await;
    hands_over(&world, &first).await;
    world.annotate("ci", RECONCILE_REQUESTED_AT, "1").await;
    world.until_ready("ci").await;
    world.until_absent("ci-hand-over").await;
    assert_eq!(world.value("ci-secret", "token").await, first);

    // The Secret of a token that was taken up goes after a restart, too.
    operator.kill();
    hands_over(&world, &first).await;
    world.patch("ci", json!({"metadata": {"labels": {"seen": "again"}}})).await;
    operator.restart().unwrap();
    operator.ready().await.unwrap();
    world.until_event("ci", "HandOverRefused").await;
    assert_eq!(ledger(&world.token("ci").await).current.unwrap().attempt, 1);
    assert!(refused.struck().is_empty(), "{:?}", refused.struck());
}
