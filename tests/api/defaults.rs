//! What the API server adds, drops and ignores.

use kube::api::{Patch, PatchParams, ValidationDirective};
use serde_json::{Value, json};

use crate::bases::{full, small, with};
use crate::schema::{fields, places};
use crate::world::{KINDS, Kind, SERVICES, Verdict, World, check_all, world};

#[tokio::test]
async fn a_fresh_object_has_exactly_the_promised_defaults_and_is_not_taken_for_done() {
    let world = world().await;
    let token = world.try_create(Kind::ArtifactToken, &small(Kind::ArtifactToken)).await.accepted();
    assert_eq!(
        token["spec"],
        json!({
            "serviceRef": {"kind": "TokenService", "name": "internal-registry"},
            "rotation": {"policy": "Disabled"},
            "verification": {"probe": "Required"},
            "deletion": {"policy": "Revoke"},
            "suspend": false,
            "secret": {"name": "registry-token", "type": "Opaque", "data": [{"key": "token", "format": "Raw"}]},
        })
    );
    assert_eq!(token["status"], json!({"observedGeneration": -1}));
    for kind in SERVICES {
        let service = world.try_create(kind, &small(kind)).await.accepted();
        let mut spec = json!({
            "preset": "Verdaccio",
            "baseURL": "https://npm.example",
            "connection": {"timeout": "30s", "insecureHTTP": false, "allowLinkLocal": false},
            "limits": {"requestsPerMinute": 60},
            "constraints": {"minimumInterval": "1h"},
            "hint": "LastFour",
            "sweep": {"interval": "1h", "policy": "Report"},
            "suspend": false,
        });
        if kind == Kind::ClusterTokenService {
            spec["allowedNamespaces"] = json!({"from": "None"});
        }
        assert_eq!(service["spec"], spec);
        assert_eq!(service["status"], json!({"observedGeneration": -1}));
    }
}

#[tokio::test]
async fn a_status_that_a_user_writes_is_ignored() {
    let world = world().await;
    for kind in KINDS {
        let forged = with(&small(kind), &json!({"/status": crate::bases::status(kind)}));
        let created = world.try_create(kind, &forged).await.accepted();
        assert_eq!(created["status"], json!({"observedGeneration": -1}));
    }
}

#[tokio::test]
async fn a_field_that_is_null_is_as_good_as_a_field_that_is_absent() {
    let world = world().await;
    let world = &world;
    for kind in KINDS {
        let schema = kind.schema();
        let schema = &schema["properties"]["spec"];
        let required = crate::schema::required(schema, "/spec");
        let mut probes = Vec::new();
        for base in full(kind) {
            for place in places(schema, &base, "/spec") {
                let named = !place.path.ends_with("/[]") && !place.path.ends_with("/{}");
                if place.path != "/spec" && named && !required.contains(&place.path) {
                    probes.push((base.clone(), place));
                }
            }
        }
        check_all(probes, |(base, place)| async move {
            let (parent, name) = place.pointer.rsplit_once('/').unwrap();
            let absent = with(&base, &json!({&place.pointer: null}));
            let mut null = absent.clone();
            null.pointer_mut(parent).unwrap()[name] = Value::Null;
            same(world, kind, &absent, &null).await.map_err(|problem| format!("{}: {problem}", place.path))
        })
        .await;
    }
}

/// The API server accepts both and stores the same object, or refuses both by the same rule. A server-side apply does not drop
/// nulls: it refuses them, or it accepts them and stores the same object.
async fn same(world: &World, kind: Kind, absent: &Value, null: &Value) -> Result<(), String> {
    let spec = |verdict: &Verdict| match verdict {
        Verdict::Accepted(object) => Ok(without_nulls(&object["spec"])),
        Verdict::Refused(message) => Err(message.clone()),
    };
    let (of_absent, of_null) = (world.try_create(kind, absent).await, world.try_create(kind, null).await);
    if spec(&of_absent) != spec(&of_null) {
        return Err(format!("absent: {of_absent:?}\nnull: {of_null:?}"));
    }
    match (spec(&of_absent), spec(&world.try_apply(kind, null).await)) {
        (Ok(created), Ok(applied)) if created != applied => Err(format!("applied: {applied}")),
        (Err(_), Ok(applied)) => Err(format!("only applied: {applied}")),
        (Ok(_), Err(message)) if !message.contains("must be of type") => Err(format!("not applied: {message}")),
        _ => Ok(()),
    }
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, value)| !value.is_null());
            kept.map(|(name, value)| (name.clone(), without_nulls(value))).collect()
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

#[tokio::test]
async fn a_misspelt_field_is_refused_where_validation_is_strict_and_else_dropped() {
    let world = world().await;
    for kind in KINDS {
        world.create(kind, &full(kind)[0]).await;
        let schema = kind.schema();
        let objects = fields(&schema["properties"]["spec"], "/spec");
        let objects =
            objects.into_iter().filter(|(path, field)| field["properties"].is_object() && !path.contains(['[', '{']));
        check_all(objects, |(path, _)| {
            let world = &world;
            async move { misspelt(world, kind, &path).await }
        })
        .await;
    }
}

async fn misspelt(world: &World, kind: Kind, path: &str) -> Result<(), String> {
    let patch = path.split('/').skip(1).collect::<Vec<_>>().into_iter().rev();
    let patch = patch.fold(json!({"noSuchField": "x"}), |inner, name| json!({name: inner}));
    let strict =
        PatchParams { dry_run: true, field_validation: Some(ValidationDirective::Strict), ..Default::default() };
    if full(kind)[0].pointer(path).is_none() {
        return Ok(());
    }
    match world.api(kind).patch(&world.name(kind, "base"), &strict, &Patch::Merge(&patch)).await {
        Err(kube::Error::Api(status)) if status.message.contains("unknown field") => {}
        other => return Err(format!("{path}: {other:?}")),
    }
    let dropped = world.try_patch(kind, "base", &patch).await.accepted();
    let kept = dropped.pointer(path).is_some_and(|object| !object["noSuchField"].is_null());
    if kept { Err(format!("{path} keeps an unknown field")) } else { Ok(()) }
}
