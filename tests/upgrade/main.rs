//! What an older version left in a cluster costs no token when this version takes it over.
//!
//! A rotation of every token of a fleet, because a field of the status has another name now, is the failure that these tests prevent:
//! an old object, its Secret and its tokens at the service come to this version's operator, and it generates and revokes nothing.
//! The API server does not show fields that the CRD in force does not know, so the order of an upgrade matters, and each has a test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod form;
mod record;
mod scene;
mod template;

use artifact_token_operator::api::artifact_token::{ArtifactToken, RECONCILE_REQUESTED_AT, ROTATE_REQUESTED_AT};
use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::reason::Reason;
use form::{Crds, FORMS, Form};
use scene::Scene;
use serde_json::json;
use support::acts::ledger;
use support::{attempt, condition, is_ready};
use tokio::sync::{Mutex, MutexGuard};

/// The tests change the CRDs of the control plane that they share, so there is one at a time.
async fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::const_new(());
    ALONE.lock().await
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_the_store_has_in_the_old_form_cost_no_token() {
    let _alone = alone().await;
    for form in FORMS {
        let scene = Scene::bare("stored").await;
        form.apply(Crds::Old, &scene).await;
        form.put_into(&scene, Crds::Old).await;
        form.apply(Crds::New, &scene).await;
        form.until_seen_by(&scene).await;
        scene.world.service.reset_calls().await.unwrap();
        let _operator = scene.operator().await;
        is_taken_over(form, &scene).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_a_backup_brings_in_the_old_form_cost_no_token() {
    let _alone = alone().await;
    for form in FORMS {
        let scene = Scene::bare("written").await;
        form.apply(Crds::New, &scene).await;
        form.put_into(&scene, Crds::New).await;
        scene.world.service.reset_calls().await.unwrap();
        let _operator = scene.operator().await;
        is_taken_over(form, &scene).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_comes_before_its_crds_costs_no_token() {
    let _alone = alone().await;
    for form in FORMS {
        let scene = Scene::bare("early").await;
        form.apply(Crds::Old, &scene).await;
        form.put_into(&scene, Crds::Old).await;
        scene.world.service.reset_calls().await.unwrap();
        let before = scene.operator().await;
        comes_to_rest(form, &scene, "under the old CRDs").await;
        form.apply(Crds::New, &scene).await;
        form.until_seen_by(&scene).await;
        // A watch that began under the old CRDs shows the objects by their schema until it ends, so the documents ask for this.
        drop(before);
        let _operator = scene.operator().await;
        is_taken_over(form, &scene).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_written_without_the_service_fills_nothing_in() {
    let _alone = alone().await;
    for form in FORMS {
        let scene = Scene::bare("unserved").await;
        form.apply(Crds::New, &scene).await;
        form.put_into(&scene, Crds::New).await;
        scene.world.service.reset_calls().await.unwrap();
        // It does not look at a ClusterTokenService, whose defaults are a part of what its tokens are asked for with.
        let mut operator = scene.world.operator().await;
        let name = "cluster-service";
        scene.world.annotate(name, ROTATE_REQUESTED_AT, "in vain").await;
        scene.world.until_reason(name, ConditionType::Reconciling, Reason::ServiceNotFound).await;
        scene.world.annotate(name, ROTATE_REQUESTED_AT, "").await;
        let rests = |token: &ArtifactToken| condition(token, ConditionType::Reconciling).is_none();
        scene.world.until(name, "it rests", rests).await;
        assert_eq!(digest(&scene, name).await, "");
        operator.kill();
        let _operator = scene.operator().await;
        is_taken_over(form, &scene).await;
    }
}

/// Every object was looked at, is Ready, and cost no token.
async fn comes_to_rest(form: &Form, scene: &Scene, request: &str) {
    for name in form.names() {
        scene.world.annotate(&name, RECONCILE_REQUESTED_AT, request).await;
    }
    let looked_at = |token: &ArtifactToken| ledger(token).handled_requests.reconcile.as_deref() == Some(request);
    for name in form.names() {
        let seen = |token: &ArtifactToken| is_ready(token) && looked_at(token);
        scene.world.until(&name, &format!("{name} is looked at"), seen).await;
    }
    let books = scene.world.service.books().await.unwrap();
    assert_eq!((books.calls.generate, books.calls.revoke), (0, 0), "{request}: {:#?}", books.log);
}

/// Every object is at rest, and its next record says what its token was asked for with. From then on, a change of that is seen.
async fn is_taken_over(form: &Form, scene: &Scene) {
    comes_to_rest(form, scene, "under the new CRDs").await;
    for name in form.names() {
        let digest = digest(scene, &name).await;
        assert!(!digest.is_empty(), "{name}: the record had no digest");
    }
    let asked = digest(scene, "first-issue").await;
    scene.world.annotate("first-issue", ROTATE_REQUESTED_AT, "after the upgrade").await;
    scene.world.until_attempt("first-issue", 2).await;
    assert_eq!(digest(scene, "first-issue").await, asked, "what was filled in is what a new token is asked for with");
    assert_eq!(generated(scene).await, 1);

    let asked = digest(scene, "parameters").await;
    scene.world.patch("parameters", json!({"spec": {"parameters": {"scopes": ["read"]}}})).await;
    scene.world.until("parameters", "it has other parameters", |token| attempt(token) == 2).await;
    assert_ne!(digest(scene, "parameters").await, asked);
    assert_eq!(generated(scene).await, 2);
}

/// The digest of what the current token was asked for with.
async fn digest(scene: &Scene, name: &str) -> String {
    ledger(&scene.world.token(name).await).current.expect("a current token").request_digest
}

async fn generated(scene: &Scene) -> u64 {
    scene.world.service.books().await.unwrap().calls.generate
}
