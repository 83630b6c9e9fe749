//! A service that namespaces share: which of them may use it, whose credentials it uses, and how it is deleted.

use artifact_token_operator::api::FINALIZER;
use artifact_token_operator::api::artifact_token::{ArtifactToken, ROTATE_REQUESTED_AT};
use artifact_token_operator::api::cluster_token_service::ClusterTokenService;
use artifact_token_operator::api::condition::{Condition, ConditionType};
use artifact_token_operator::api::reason::Reason;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use testbed::{Operator, cluster, operator, poll};
use tokio::sync::{Mutex, MutexGuard};

use support::acts::ledger;
use support::objects::{artifact_token, cluster_token_service, quick_generate};
use support::{DEADLINE, World, attempt, condition, credential_yaml, is_ready};

const STALLED: ConditionType = ConditionType::Stalled;
const NOT_ALLOWED: Reason = Reason::NamespaceNotAllowed;

/// The operator of one test sees the shared services of all tests, so one test runs at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

/// A world with a shared service, and the operator's own namespace.
struct Shared {
    world: World,
    own: String,
    /// The unique name of the shared service.
    name: String,
    _alone: MutexGuard<'static, ()>,
}

impl Shared {
    /// Starts with the credential in the operator's namespace.
    async fn start(prefix: &str, allowed: Value) -> Self {
        let shared = Self::bare(prefix, |spec| spec["allowedNamespaces"] = allowed).await;
        shared.credential(&shared.own, shared.world.service.admin_key()).await;
        shared
    }

    async fn bare(prefix: &str, change: impl FnOnce(&mut Value)) -> Self {
        let alone = ALONE.lock().await;
        let world = World::bare(prefix).await;
        let own = cluster::namespace(&world.client, "own").await.unwrap();
        let name = format!("shared-{}", world.namespace);
        let service = cluster_token_service(&name, &world.service.base_url(), |spec| {
            spec["operations"] = json!({"generate": quick_generate()});
            change(spec);
        });
        world.apply(&service).await;
        Self { world, own, name, _alone: alone }
    }

    async fn operator(&self) -> Operator {
        self.operator_with(None).await
    }

    /// The operator for the world's namespace and for another one.
    async fn operator_with(&self, other: Option<&str>) -> Operator {
        let own = format!("--operator-namespace={}", self.own);
        let options = self.world.operator_options().argument("--cluster-services").argument(own);
        let more = other.map(|other| format!("--namespaces={other}"));
        Operator::start(more.into_iter().fold(options, operator::Options::argument)).await.unwrap()
    }

    async fn credential(&self, namespace: &str, key: &str) {
        cluster::apply(&self.world.client, &credential_yaml(key), namespace).await.unwrap();
    }

    fn services(&self) -> Api<ClusterTokenService> {
        Api::all(self.world.client.clone())
    }

    fn tokens(&self, namespace: &str) -> Api<ArtifactToken> {
        Api::namespaced(self.world.client.clone(), namespace)
    }

    /// A token of the shared service in the Secret `NAME-secret`.
    async fn create(&self, name: &str, namespace: &str) {
        let reference = json!({"kind": "ClusterTokenService", "name": self.name});
        let token = artifact_token(name, |spec| spec["serviceRef"] = reference);
        cluster::apply(&self.world.client, &token, namespace).await.unwrap();
    }

    async fn allow(&self, allowed: Value) {
        // Names all parts, so that none of the old ones stays.
        let mut all = json!({"from": null, "selector": null, "names": null});
        all.as_object_mut().unwrap().extend(allowed.as_object().unwrap().clone());
        let patch = Patch::Merge(json!({"spec": {"allowedNamespaces": all}}));
        let changed = self.services().patch(&self.name, &PatchParams::default(), &patch).await.unwrap();
        // What is created after this meets an operator that knows of it.
        let look = || async {
            let service = self.services().get(&self.name).await.map_err(|error| error.to_string())?;
            let seen = service.status.and_then(|status| status.observed_generation);
            if seen >= changed.metadata.generation { Ok(()) } else { Err(format!("generation {seen:?}")) }
        };
        poll("the operator has seen it", DEADLINE, look).await.unwrap();
    }

    async fn patch(&self, spec: Value) {
        let patch = Patch::Merge(json!({"spec": spec}));
        self.services().patch(&self.name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// Waits until `ci` in this namespace has a verified token whose id satisfies `check`, and returns the id.
    async fn until_current(&self, namespace: &str, check: impl Fn(&String) -> bool) -> String {
        let tokens = self.tokens(namespace);
        let look = || async {
            let token = tokens.get("ci").await.map_err(|error| error.to_string())?;
            let id = ledger(&token).current.map(|current| current.id.to_string());
            id.filter(|id| is_ready(&token) && check(id)).ok_or_else(|| format!("{:#?}", token.status))
        };
        poll(&format!("ci in {namespace} has a token"), DEADLINE, look)
            .await
            .unwrap_or_else(|error| panic!("{error:#}"))
    }

    async fn label(&self, value: Value) {
        let namespaces: Api<Namespace> = Api::all(self.world.client.clone());
        let patch = Patch::Merge(json!({"metadata": {"labels": {"tokens": value}}}));
        namespaces.patch(&self.world.namespace, &PatchParams::default(), &patch).await.unwrap();
    }

    /// The operator refuses the object, with these words, and the service has made `count` tokens so far.
    async fn refused(&self, name: &str, words: &str, count: usize) {
        let stalled = self.world.until_reason(name, STALLED, NOT_ALLOWED).await;
        assert!(stalled.message.contains(words), "{}", stalled.message);
        assert_eq!(self.world.count().await, count);
    }

    async fn until(&self, type_: ConditionType, reason: Reason, words: &str) -> Condition {
        let look = || async {
            let service = self.services().get(&self.name).await.map_err(|error| error.to_string())?;
            let conditions = service.status.unwrap_or_default().conditions;
            let wanted =
                |found: &&Condition| (found.type_, found.reason) == (type_, reason) && found.message.contains(words);
            conditions.iter().find(wanted).cloned().ok_or_else(|| format!("{conditions:#?}"))
        };
        poll(&format!("{type_:?}/{reason} with {words:?}"), DEADLINE, look).await.unwrap()
    }

    async fn until_gone(&self) {
        let look = || async {
            match self.services().get_opt(&self.name).await.map_err(|error| error.to_string())? {
                None => Ok(()),
                Some(service) => Err(format!("still there: {:#?} {:#?}", service.metadata, service.status)),
            }
        };
        poll("the shared service is gone", DEADLINE, look).await.unwrap();
    }
}

fn by_label() -> Value {
    json!({"from": "Selector", "selector": {"matchLabels": {"tokens": "allowed"}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_may_use_a_shared_service_before_it_says_so_and_each_way_to_say_so_counts_at_once() {
    let shared = Shared::start("allowed", json!({})).await;
    let (world, namespace) = (&shared.world, shared.world.namespace.clone());
    let _operator = shared.operator().await;
    shared.create("all", &namespace).await;
    shared.refused("all", "allows no namespace", 0).await;
    shared.allow(json!({"from": "All"})).await;
    world.until_ready("all").await;

    shared.allow(by_label()).await;
    shared.create("selector", &namespace).await;
    shared.refused("selector", "give the namespace the labels", 1).await;
    shared.label(json!("denied")).await;
    shared.create("denied", &namespace).await;
    shared.refused("denied", "give the namespace the labels", 1).await;
    world.delete("denied").await;
    world.until_gone("denied").await;
    shared.label(json!("allowed")).await;
    world.until_ready("selector").await;

    shared.allow(json!({"from": "Names", "names": ["another", shared.own]})).await;
    shared.create("names", &namespace).await;
    shared.refused("names", "spec.allowedNamespaces.names", 2).await;
    shared.allow(json!({"from": "Names", "names": ["another", namespace]})).await;
    world.until_ready("names").await;
    assert_eq!(world.count().await, 3);
    assert_eq!(world.service.live().await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_loses_its_label_keeps_its_token_gets_no_other_and_its_deletion_revokes() {
    let shared = Shared::start("label", by_label()).await;
    let world = &shared.world;
    shared.label(json!("allowed")).await;
    let _operator = shared.operator().await;
    shared.create("ci", &world.namespace).await;
    world.until_ready("ci").await;
    let value = world.value("ci-secret", "token").await;
    shared.label(Value::Null).await;
    // The refusal of another object shows that the operator knows the new rule.
    shared.create("late", &world.namespace).await;
    shared.refused("late", "give the namespace the labels", 1).await;

    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    shared.refused("ci", "give the namespace the labels", 1).await;
    assert!(is_ready(&world.token("ci").await), "its token still works");
    assert!(world.accepts(&value).await);
    assert_eq!(world.value("ci-secret", "token").await, value);
    // The operator still keeps the Secret as the spec says.
    world.patch("ci", json!({"spec": {"secret": {"labels": {"team": "ci"}}}})).await;
    let labelled = |secret: &Secret| secret.labels().get("team").is_some_and(|team| team == "ci");
    world.until_secret("ci-secret", "the Secret has the new label", labelled).await;

    world.delete("ci").await;
    world.until_gone("ci").await;
    assert!(!world.accepts(&value).await);
    assert!(world.secret("ci-secret").await.is_none());
    assert_eq!(world.count().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_waits_for_its_turn_is_no_way_around_a_permission_that_was_taken_away() {
    let shared = Shared::bare("turn", |spec| {
        spec["allowedNamespaces"] = json!({"from": "All"});
        spec["operations"]["generate"]["timeout"] = json!("10s");
    })
    .await;
    shared.credential(&shared.own, shared.world.service.admin_key()).await;
    let world = &shared.world;
    world
        .faults(json!([{"operation": "generate", "kind": "Status", "status": 429, "retryAfter": "6", "count": 1}]))
        .await;
    let _operator = shared.operator().await;
    shared.create("ci", &world.namespace).await;
    let asked = || async {
        let calls = world.service.books().await.map_err(|error| error.to_string())?.calls;
        if calls.generate == 1 { Ok(()) } else { Err(format!("{calls:?}")) }
    };
    poll("the service asked to wait", DEADLINE, asked).await.unwrap();
    shared.allow(json!({"from": "None"})).await;
    shared.refused("ci", "allows no namespace", 0).await;
    assert!(ledger(&world.token("ci").await).claim.unwrap().outcome.is_some(), "the claim is given up");
    shared.allow(json!({"from": "All"})).await;
    world.until_ready("ci").await;
    assert_eq!(world.count().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_come_from_the_namespace_of_the_operator_and_from_no_other() {
    let shared = Shared::bare("creds", |spec| spec["allowedNamespaces"] = json!({"from": "All"})).await;
    let (world, key) = (&shared.world, shared.world.service.admin_key().to_owned());
    // A valid credential, under the right name, in the namespace of the token.
    shared.credential(&world.namespace, &key).await;
    let _operator = shared.operator().await;
    shared.create("ci", &world.namespace).await;
    shared.until(STALLED, Reason::CredentialMissing, &shared.own).await;
    world.until_reason("ci", STALLED, Reason::CredentialMissing).await;
    assert_eq!(world.count().await, 0);
    // From here on, only the operator's own credential is valid. The operator notices that by itself.
    shared.credential(&world.namespace, "not-the-key").await;
    shared.credential(&shared.own, &key).await;
    world.until_ready("ci").await;
    shared.credential(&shared.own, "not-the-key").await;
    shared.credential(&world.namespace, &key).await;
    shared.until(STALLED, Reason::CredentialRejected, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_does_not_know_its_namespace_says_so_and_takes_it_from_the_environment() {
    let shared = Shared::start("own", json!({"from": "All"})).await;
    let world = &shared.world;
    let options = world.operator_options().argument("--cluster-services");
    let ignorant = Operator::start(options.clone()).await.unwrap();
    shared.create("ci", &world.namespace).await;
    shared.until(STALLED, Reason::CredentialMissing, "--operator-namespace").await;
    drop(ignorant);
    assert_eq!(world.count().await, 0);
    let _operator = Operator::start(options.variable("POD_NAMESPACE", &shared.own)).await.unwrap();
    world.until_ready("ci").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_service_stays_while_any_namespace_has_tokens_of_it() {
    let shared = Shared::start("held", json!({"from": "All"})).await;
    let (world, first) = (&shared.world, shared.world.namespace.clone());
    let second = cluster::namespace(&world.client, "held").await.unwrap();
    let foreign = cluster::namespace(&world.client, "held").await.unwrap();
    let _operator = shared.operator_with(Some(&second)).await;
    shared.create("ci", &first).await;
    shared.create("ci", &second).await;
    world.until_ready("ci").await;
    world.until_live("both have a token", |live| live.len() == 2).await;
    // An object of another operator, which seems to have tokens.
    shared.create("far", &foreign).await;
    let far = shared.tokens(&foreign);
    let finalizers = |names: Value| Patch::Merge(json!({"metadata": {"finalizers": names}}));
    far.patch("far", &PatchParams::default(), &finalizers(json!([FINALIZER]))).await.unwrap();

    shared.services().delete(&shared.name, &DeleteParams::default()).await.unwrap();
    shared.until(STALLED, Reason::Deleting, "3 ArtifactTokens").await;
    shared.create("late", &first).await;
    world.until_reason("late", STALLED, Reason::Deleting).await;
    assert_eq!(world.count().await, 2, "the deletion of a service generates no token");
    world.delete("ci").await;
    world.until_gone("ci").await;
    shared.until(STALLED, Reason::Deleting, &format!("{second}/ci")).await;
    shared.tokens(&second).delete("ci", &DeleteParams::default()).await.unwrap();
    world.until_live("none lives", <[_]>::is_empty).await;
    shared
        .until(STALLED, Reason::Deleting, &format!("1 ArtifactTokens have tokens of this service ({foreign}/far)"))
        .await;
    far.patch("far", &PatchParams::default(), &finalizers(json!([]))).await.unwrap();
    shared.until_gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_that_share_a_service_share_its_rate_limit() {
    let shared = Shared::bare("rate", |spec| {
        spec["allowedNamespaces"] = json!({"from": "All"});
        // Enough for one issue, of three calls; after that the limit allows no call for most of a minute.
        spec["limits"] = json!({"requestsPerMinute": 4});
    })
    .await;
    shared.credential(&shared.own, shared.world.service.admin_key()).await;
    let (world, first) = (&shared.world, shared.world.namespace.clone());
    let second = cluster::namespace(&world.client, "rate").await.unwrap();
    let _operator = shared.operator_with(Some(&second)).await;
    shared.create("ci", &first).await;
    world.until_ready("ci").await;
    shared.create("ci", &second).await;
    let tokens = shared.tokens(&second);
    let look = || async {
        let token = tokens.get("ci").await.map_err(|error| error.to_string())?;
        let reason = condition(&token, ConditionType::Ready).map(|ready| ready.reason);
        if reason == Some(Reason::Throttled) { Ok(()) } else { Err(format!("{:#?}", token.status)) }
    };
    poll("the second namespace waits for the limit", DEADLINE, look).await.unwrap();
    assert_eq!(world.count().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_refusals_of_all_namespaces_count_together() {
    let shared = Shared::start("quorum", json!({"from": "All"})).await;
    let (world, first) = (&shared.world, shared.world.namespace.clone());
    let second = cluster::namespace(&world.client, "quorum").await.unwrap();
    let _operator = shared.operator_with(Some(&second)).await;
    // One token in the one namespace, and four in the other.
    shared.create("ci", &first).await;
    for name in ["ci", "ci-1", "ci-2", "ci-3"] {
        shared.create(name, &second).await;
    }
    world.until_live("five tokens live", |live| live.len() == 5).await;
    shared.until_current(&first, |_| true).await;
    shared.until_current(&second, |_| true).await;
    world.faults(json!([{"operation": "verify", "kind": "Status", "status": 401}])).await;
    world.replace_admin_key("another-key").await;
    shared.credential(&shared.own, "another-key").await;
    shared.until(STALLED, Reason::OriginDoubtful, "refuses most tokens").await;
    assert_eq!(world.count().await, 5, "no token was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_service_is_reached_from_its_own_namespace_only_and_under_its_own_kind_only() {
    let shared = Shared::start("kinds", json!({"from": "All"})).await;
    let world = &shared.world;
    let second = cluster::namespace(&world.client, "kinds").await.unwrap();
    shared.credential(&second, world.service.admin_key()).await;
    let service = support::service_yaml("reference", &world.service.base_url());
    cluster::apply(&world.client, &service, &second).await.unwrap();
    let _operator = shared.operator_with(Some(&second)).await;
    let missing = [
        ("far", json!({"name": "reference"})),
        ("other-kind", json!({"name": shared.name})),
        ("no-such", json!({"kind": "ClusterTokenService", "name": "reference"})),
    ];
    for (name, reference) in missing {
        world.create(name, |spec| spec["serviceRef"] = reference).await;
        let ready = world.until_reason(name, ConditionType::Ready, Reason::ServiceNotFound).await;
        assert!(ready.message.contains("there is no"), "{}", ready.message);
    }
    // The same name, in the namespace of the service.
    cluster::apply(&world.client, &artifact_token("far", |_| {}), &second).await.unwrap();
    world.until_live("one token lives", |live| live.len() == 1).await;
    assert_eq!(attempt(&world.token("far").await), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_of_some_namespaces_leaves_shared_services_alone_unless_it_is_told_to_keep_them() {
    let shared = Shared::start("alone", json!({"from": "All"})).await;
    let world = &shared.world;
    let _operator = world.operator().await;
    shared.create("ci", &world.namespace).await;
    let ready = world.until_reason("ci", ConditionType::Ready, Reason::ServiceNotFound).await;
    assert!(ready.message.contains("--cluster-services"), "{}", ready.message);
    let service = shared.services().get(&shared.name).await.unwrap();
    assert_eq!(service.metadata.finalizers, None);
    assert!(service.status.unwrap_or_default().conditions.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_and_a_leak_of_a_shared_service_reach_its_tokens_in_all_namespaces() {
    let shared = Shared::start("reached", json!({"from": "All"})).await;
    let other = cluster::namespace(&shared.world.client, "other").await.unwrap();
    let _operator = shared.operator_with(Some(&other)).await;
    let mut old = Vec::new();
    for namespace in [&shared.world.namespace, &other] {
        shared.create("ci", namespace).await;
        old.push(shared.until_current(namespace, |_| true).await);
    }
    let (orphan, _) = shared.world.generate_as("test.aaaaaaaaaaaaaaaa.3.bbbbbbbb gone").await;
    shared.patch(json!({"sweep": {"interval": "10s", "policy": "Report"}})).await;
    let look = || async {
        let status = shared.services().get(&shared.name).await.map_err(|error| error.to_string())?.status;
        let swept = status.and_then(|status| status.last_sweep).ok_or("not swept")?;
        let orphans: Vec<&str> = swept.orphans.iter().map(|orphan| orphan.id.as_str()).collect();
        if (swept.managed, orphans) == (2, vec![orphan.as_str()]) { Ok(()) } else { Err(format!("{swept:?}")) }
    };
    poll("both tokens are counted, and the orphan is reported", DEADLINE, look).await.unwrap();
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    shared.patch(json!({"revokeIssuedBefore": now})).await;
    for (namespace, leaked) in [&shared.world.namespace, &other].into_iter().zip(&old) {
        shared.until_current(namespace, |id| id != leaked).await;
        assert!(shared.world.is_dead(leaked).await);
    }
    assert!(!shared.world.is_dead(&orphan).await, "the sweep only reports it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finalizer_by_hand_lets_nobody_use_a_service_that_is_not_allowed() {
    let shared = Shared::start("by-hand", json!({"from": "Names", "names": ["another"]})).await;
    let (world, namespace) = (&shared.world, shared.world.namespace.clone());
    let _operator = shared.operator().await;
    shared.until(ConditionType::Ready, Reason::CredentialsAccepted, "").await;
    world.service.reset_calls().await.unwrap();
    let yaml = artifact_token("ci", |spec| {
        spec["serviceRef"] = json!({"kind": "ClusterTokenService", "name": shared.name});
    });
    let mut object: Value = serde_json::from_str(&yaml).unwrap();
    object["metadata"]["finalizers"] = json!([FINALIZER]);
    cluster::apply(&world.client, &object.to_string(), &namespace).await.unwrap();
    shared.refused("ci", "does not allow the namespace", 0).await;
    // Its deletion would wait for a claim to settle, and list the service.
    world.delete("ci").await;
    world.until_gone("ci").await;
    let calls = world.service.books().await.unwrap().calls;
    assert_eq!((calls.generate, calls.verify, calls.list, calls.revoke), (0, 0, 0, 0));
    assert!(world.secret("ci-secret").await.is_none(), "no Secret was made for it");
}
