//! What both sides need: a namespace with the service objects, and objects as the API server has them.

use artifact_token_operator::api::artifact_token::ArtifactToken;
use artifact_token_operator::api::cluster_token_service::ClusterTokenService;
use artifact_token_operator::api::token_service::TokenService;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use testbed::{Operator, cluster, operator};

use support::{World, credential_yaml};

/// A namespace with the objects of an older version, and the namespace that is the operator's own.
pub struct Scene {
    pub world: World,
    /// The namespace of the operator: the credential of the `ClusterTokenService` is there.
    pub own: String,
}

impl Scene {
    /// Without service objects.
    pub async fn bare(prefix: &str) -> Self {
        let world = World::bare(prefix).await;
        let own = cluster::namespace(&world.client, "own").await.expect("make a namespace");
        for namespace in [&world.namespace, &own] {
            let credential = credential_yaml(world.service.admin_key());
            cluster::apply(&world.client, &credential, namespace).await.expect("apply the credential");
        }
        Self { world, own }
    }

    /// The operator of this version keeps this scene alone.
    pub fn options(&self) -> operator::Options {
        let own = format!("--operator-namespace={}", self.own);
        self.world.operator_options().argument("--cluster-services").argument(own)
    }

    pub async fn operator(&self) -> Operator {
        Operator::start(self.options()).await.expect("start the operator")
    }

    /// Objects as JSON, with fields that the types of this version do not have.
    fn api(&self, kind: &str) -> Api<DynamicObject> {
        let namespaced =
            |resource: &ApiResource| Api::namespaced_with(self.world.client.clone(), &self.world.namespace, resource);
        match kind {
            "ArtifactToken" => namespaced(&ApiResource::erase::<ArtifactToken>(&())),
            "TokenService" => namespaced(&ApiResource::erase::<TokenService>(&())),
            "Secret" => namespaced(&ApiResource::erase::<Secret>(&())),
            "ClusterTokenService" => {
                Api::all_with(self.world.client.clone(), &ApiResource::erase::<ClusterTokenService>(&()))
            }
            other => panic!("no such kind here: {other}"),
        }
    }

    pub async fn read(&self, kind: &str, name: &str) -> Value {
        let object = self.api(kind).get(name).await.unwrap_or_else(|error| panic!("read {kind} {name}: {error}"));
        serde_json::to_value(object).expect("JSON")
    }

    /// Creates the object and leaves its status out.
    pub async fn create(&self, object: &Value) -> Value {
        let mut object: DynamicObject = serde_json::from_value(object.clone()).expect("an object");
        if let Some(fields) = object.data.as_object_mut() {
            fields.remove("status");
        }
        let kind = object.types.as_ref().expect("a kind").kind.clone();
        let created = self.api(&kind).create(&Default::default(), &object).await;
        serde_json::to_value(created.unwrap_or_else(|error| panic!("create {object:#?}: {error}"))).expect("JSON")
    }

    /// Writes the status as it is here, and gives the object as it is stored.
    pub async fn write_status(&self, kind: &str, name: &str, status: &Value) -> Value {
        let patch = Patch::Merge(json!({"status": status}));
        let written = self.api(kind).patch_status(name, &PatchParams::default(), &patch).await;
        serde_json::to_value(written.unwrap_or_else(|error| panic!("{kind} {name}: {error}"))).expect("JSON")
    }
}
