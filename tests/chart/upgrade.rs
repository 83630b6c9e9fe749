//! An upgrade from the first packaged chart of the project generates no token.

use std::path::Path;

use artifact_token_operator::api::artifact_token::{ArtifactToken, RECONCILE_REQUESTED_AT, ROTATE_REQUESTED_AT};
use serde_json::{Value, json};
use support::acts::ledger;
use support::figures::figure;
use support::{credential_yaml, is_ready, service_yaml, token_yaml};

use crate::release::{NAMESPACE, RELEASE, chart, helm_well, install, operator, own_plane, quick_values, world};

/// The first chart, packaged by Helm. It stays as it is.
const FIRST: &str = "tests/chart/artifact-token-operator-0.1.0.tgz";

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_from_the_first_chart_generates_and_revokes_nothing() {
    let plane = own_plane().await;
    install(&plane, &Path::new(env!("CARGO_MANIFEST_DIR")).join(FIRST), &quick_values());
    let world = world(plane, "upgrade").await;
    let mut before = operator(&world).await;
    world.apply(&credential_yaml(world.service.admin_key())).await;
    world.apply(&service_yaml("reference", &world.service.base_url())).await;
    for name in ["steady", "overlap"] {
        world.apply(&token_yaml(name)).await;
        world.until_ready(name).await;
    }
    // One of the two has an old token that lives for hours.
    world.patch("overlap", json!({"spec": {"rotation": {"overlap": "12h"}}})).await;
    world.annotate("overlap", ROTATE_REQUESTED_AT, "1").await;
    world.until_attempt("overlap", 2).await;
    before.kill();
    world.service.reset_calls().await.unwrap();

    let chart = chart();
    let told = helm_well(
        &world.plane,
        &["upgrade", RELEASE, chart.to_str().unwrap(), "--namespace", NAMESPACE],
        &quick_values(),
    );
    assert!(told.contains("REVISION: 2"), "{told}");
    let _after = operator(&world).await;
    for name in ["steady", "overlap"] {
        world.annotate(name, RECONCILE_REQUESTED_AT, "after the upgrade").await;
        let looked_at = |token: &ArtifactToken| {
            is_ready(token) && ledger(token).handled_requests.reconcile.as_deref() == Some("after the upgrade")
        };
        world.until(name, &format!("{name} is looked at"), looked_at).await;
    }
    let books = world.service.books().await.unwrap();
    figure(&format!(
        "upgrade from the first chart: {} generates, {} revokes",
        books.calls.generate, books.calls.revoke
    ));
    assert_eq!((books.calls.generate, books.calls.revoke), (0, 0), "{:#?}", books.log);
    assert_eq!(world.service.live().await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_the_first_chart_are_still_known() {
    let plane = own_plane().await;
    let first = Path::new(env!("CARGO_MANIFEST_DIR")).join(FIRST);
    let mut command = plane.helm().unwrap();
    let output = command.args(["show", "values"]).arg(first).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let values: Value = serde_saphyr::from_str(&String::from_utf8(output.stdout).unwrap()).unwrap();
    assert!(!crate::release::rendered(&plane, &values).is_empty());
}
