//! Who uses a Secret in its namespace, and how: whether a consumer gets a new token by itself.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use artifact_token_operator::api::time::Time;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Container, EnvFromSource, EnvVar, Pod, PodSpec, VolumeMount};
use kube::api::{Api, ListParams};
use kube::{Client, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How a pod gets a Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Use {
    /// As files, which the kubelet keeps up to date within about 90 s.
    Volume,
    /// As variables, which stay as they were when the container started.
    Env,
    /// As one file, which never changes while the pod lives.
    SubPath,
    /// To pull images, each time anew.
    ImagePull,
}

/// A workload that uses the Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Consumer {
    /// As kubectl writes it: `deployment/build-cache`.
    pub name: String,
    pub uses: BTreeSet<Use>,
    /// When the pod of it that runs longest was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running_since: Option<Time>,
}

/// All consumers, and what could not be looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Consumers {
    pub found: Vec<Consumer>,
    /// The kinds that could not be listed: mostly because this person may not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<&'static str>,
}

impl Consumer {
    /// In one phrase: `deployment/build-cache (volume)`.
    pub fn shown(&self) -> String {
        let next = match self.name.split_once('/') {
            Some(("cronjob", _)) => "env: from its next run",
            Some(("job" | "pod", _)) => "env: will not update",
            _ => "env: from its next restart",
        };
        let word = |one: &Use| match one {
            Use::Volume => "volume",
            Use::Env => next,
            Use::SubPath => "subPath: WILL NOT UPDATE",
            Use::ImagePull => "image pull",
        };
        let words: Vec<&str> = self.uses.iter().map(word).collect();
        format!("{} ({})", self.name, words.join(", "))
    }

    /// Whether its pods keep the token that they started with.
    pub fn keeps_what_it_read(&self) -> bool {
        self.uses.contains(&Use::Env) || self.uses.contains(&Use::SubPath)
    }
}

/// The workloads of a namespace.
#[derive(Debug)]
pub struct Workloads {
    /// Each pod or template of pods: what it belongs to, and since when it runs.
    pods: Vec<(String, PodSpec, Option<Time>)>,
    unseen: Vec<&'static str>,
}

impl Workloads {
    /// Lists them. A kind that cannot be listed is told, and hides no other one.
    pub async fn list(client: &Client, namespace: &str) -> Self {
        let mut all = Self { pods: Vec::new(), unseen: Vec::new() };
        let (deployments, sets, daemons, crons, jobs, pods) = tokio::join!(
            list::<Deployment>(client, namespace),
            list::<StatefulSet>(client, namespace),
            list::<DaemonSet>(client, namespace),
            list::<CronJob>(client, namespace),
            list::<Job>(client, namespace),
            list::<Pod>(client, namespace),
        );
        all.templates("deployment", deployments, |object| object.spec?.template.spec);
        all.templates("statefulset", sets, |object| object.spec?.template.spec);
        all.templates("daemonset", daemons, |object| object.spec?.template.spec);
        all.templates("cronjob", crons, |object| object.spec?.job_template.spec?.template.spec);
        let owners = jobs.iter().flatten().filter_map(cron_of).collect();
        let own = jobs.map(|jobs| jobs.into_iter().filter(|job| cron_of(job).is_none()).collect());
        all.templates("job", own, |object: Job| object.spec?.template.spec);
        all.add_pods(pods, &owners);
        all
    }

    /// Those that use the Secret.
    pub fn consumers(&self, secret: &str) -> Consumers {
        let mut found: BTreeMap<&str, Consumer> = BTreeMap::new();
        for (name, pod, since) in &self.pods {
            let uses = uses(pod, secret);
            if uses.is_empty() {
                continue;
            }
            let new = || Consumer { name: name.clone(), uses: BTreeSet::new(), running_since: None };
            let consumer = found.entry(name).or_insert_with(new);
            consumer.uses.extend(uses);
            consumer.running_since = [consumer.running_since, *since].into_iter().flatten().min();
        }
        Consumers { found: found.into_values().collect(), unseen: self.unseen.clone() }
    }

    fn templates<K: Resource<DynamicType = ()>>(
        &mut self,
        kind: &'static str,
        objects: Option<Vec<K>>,
        pods: impl Fn(K) -> Option<PodSpec>,
    ) {
        let Some(objects) = objects else { return self.unseen.push(kind) };
        for object in objects {
            let name = format!("{kind}/{}", object.name_any());
            self.pods.extend(pods(object).map(|pod| (name, pod, None)));
        }
    }

    fn add_pods(&mut self, pods: Option<Vec<Pod>>, crons: &BTreeMap<String, String>) {
        let Some(pods) = pods else { return self.unseen.push("pod") };
        for pod in pods {
            let status = pod.status.clone().unwrap_or_default();
            let over = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
            let (name, since) = (workload_of(&pod, crons), status.start_time.as_ref().map(Time::from));
            self.pods.extend(pod.spec.filter(|_| !over).map(|pod| (name, pod, since)));
        }
    }
}

async fn list<K>(client: &Client, namespace: &str) -> Option<Vec<K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    api.list(&ListParams::default()).await.ok().map(|list| list.items)
}

/// The Job, and the CronJob that made it.
fn cron_of(job: &Job) -> Option<(String, String)> {
    let owner = job.owner_references().iter().find(|owner| owner.kind == "CronJob")?;
    Some((job.name_any(), owner.name.clone()))
}

/// What a pod belongs to, by its owner. A ReplicaSet is named after its Deployment and the hash in a label of its pods.
fn workload_of(pod: &Pod, crons: &BTreeMap<String, String>) -> String {
    let Some(owner) = pod.owner_references().iter().find(|owner| owner.controller == Some(true)) else {
        return format!("pod/{}", pod.name_any());
    };
    let hash = pod.labels().get("pod-template-hash");
    let deployment = hash.and_then(|hash| owner.name.strip_suffix(&format!("-{hash}")));
    match (owner.kind.as_str(), deployment, crons.get(&owner.name)) {
        ("ReplicaSet", Some(deployment), _) => format!("deployment/{deployment}"),
        ("Job", _, Some(cron)) => format!("cronjob/{cron}"),
        (kind, ..) => format!("{}/{}", kind.to_lowercase(), owner.name),
    }
}

/// How a pod uses the Secret: by any of its containers.
fn uses(pod: &PodSpec, secret: &str) -> BTreeSet<Use> {
    let mut uses = BTreeSet::new();
    let volumes: BTreeSet<&str> = volumes(pod, secret).collect();
    let mut container = |env: &Option<Vec<EnvVar>>,
                         from: &Option<Vec<EnvFromSource>>,
                         mounts: &Option<Vec<VolumeMount>>| {
        if env.iter().flatten().any(|variable| of_variable(variable) == Some(secret))
            || from.iter().flatten().any(|source| source.secret_ref.as_ref().is_some_and(|found| found.name == secret))
        {
            uses.insert(Use::Env);
        }
        for mount in mounts.iter().flatten().filter(|mount| volumes.contains(mount.name.as_str())) {
            let one = mount.sub_path.is_some() || mount.sub_path_expr.is_some();
            uses.insert(if one { Use::SubPath } else { Use::Volume });
        }
    };
    for Container { env, env_from, volume_mounts, .. } in pod.init_containers.iter().flatten().chain(&pod.containers) {
        container(env, env_from, volume_mounts);
    }
    for debug in pod.ephemeral_containers.iter().flatten() {
        container(&debug.env, &debug.env_from, &debug.volume_mounts);
    }
    if pod.image_pull_secrets.iter().flatten().any(|found| found.name == secret) {
        uses.insert(Use::ImagePull);
    }
    uses
}

fn of_variable(variable: &EnvVar) -> Option<&str> {
    Some(&variable.value_from.as_ref()?.secret_key_ref.as_ref()?.name)
}

/// The names of the volumes that have it.
fn volumes<'a>(pod: &'a PodSpec, secret: &'a str) -> impl Iterator<Item = &'a str> {
    let has = move |volume: &&k8s_openapi::api::core::v1::Volume| {
        let whole = volume.secret.as_ref().and_then(|source| source.secret_name.as_deref());
        let projected = volume.projected.as_ref().and_then(|projected| projected.sources.as_ref());
        let mut parts = projected.into_iter().flatten().filter_map(|source| source.secret.as_ref());
        whole == Some(secret) || parts.any(|part| part.name == secret)
    };
    pod.volumes.iter().flatten().filter(has).map(|volume| volume.name.as_str())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn used(pod: Value) -> Vec<Use> {
        uses(&serde_json::from_value(pod).unwrap(), "ci-token").into_iter().collect()
    }

    #[test]
    fn every_way_to_a_secret_is_seen() {
        let reference = json!({"name": "T", "valueFrom": {"secretKeyRef": {"name": "ci-token", "key": "token"}}});
        let container = |more: Value| {
            let mut container = json!({"name": "a", "image": "b"});
            container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!([container])
        };
        let plain = json!([{"name": "a"}]);
        assert_eq!(used(json!({"containers": container(json!({"env": [reference]}))})), [Use::Env]);
        let from = json!({"envFrom": [{"secretRef": {"name": "ci-token"}}]});
        assert_eq!(used(json!({"containers": plain, "initContainers": container(from.clone())})), [Use::Env]);
        assert_eq!(used(json!({"containers": plain, "ephemeralContainers": container(from)})), [Use::Env]);
        let whole = json!([{"name": "v", "secret": {"secretName": "ci-token"}}]);
        let mount = container(json!({"volumeMounts": [{"name": "v", "mountPath": "/v"}]}));
        assert_eq!(used(json!({"volumes": whole, "containers": mount})), [Use::Volume]);
        let projected = json!([{"name": "v", "projected": {"sources": [{"secret": {"name": "ci-token"}}]}}]);
        let one = container(json!({"volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "token"}]}));
        assert_eq!(used(json!({"volumes": projected, "containers": one})), [Use::SubPath]);
        assert_eq!(used(json!({"containers": plain, "imagePullSecrets": [{"name": "ci-token"}]})), [Use::ImagePull]);
        assert_eq!(used(json!({"volumes": whole, "containers": plain})), [], "a volume that no container mounts");
        let other = json!([{"name": "v", "secret": {"secretName": "other"}}]);
        assert_eq!(used(json!({"volumes": other, "containers": mount})), []);
    }

    #[test]
    fn pods_count_for_the_workload_that_made_them() {
        let crons = BTreeMap::from([("nightly-1".to_owned(), "nightly".to_owned())]);
        let of = |owner: Value, labels: Value| {
            let owners = if owner.is_null() { json!([]) } else { json!([owner]) };
            let pod = json!({"metadata": {"name": "debug", "labels": labels, "ownerReferences": owners}});
            workload_of(&serde_json::from_value(pod).unwrap(), &crons)
        };
        let owner = |kind: &str, name: &str| json!({"apiVersion": "v1", "kind": kind, "name": name, "uid": "u", "controller": true});
        assert_eq!(of(owner("ReplicaSet", "cache-7d9"), json!({"pod-template-hash": "7d9"})), "deployment/cache");
        assert_eq!(of(owner("Job", "nightly-1"), json!({})), "cronjob/nightly");
        assert_eq!(of(owner("Job", "once"), json!({})), "job/once");
        assert_eq!(of(owner("StatefulSet", "db"), json!({})), "statefulset/db");
        assert_eq!(of(Value::Null, json!({})), "pod/debug");
    }

    #[test]
    fn a_consumer_says_whether_it_gets_a_new_token() {
        let consumer = |name: &str, uses: &[Use]| Consumer {
            name: name.to_owned(),
            uses: uses.iter().copied().collect(),
            running_since: None,
        };
        assert_eq!(consumer("deployment/a", &[Use::Volume]).shown(), "deployment/a (volume)");
        assert_eq!(consumer("cronjob/b", &[Use::Env]).shown(), "cronjob/b (env: from its next run)");
        assert_eq!(consumer("pod/c", &[Use::SubPath]).shown(), "pod/c (subPath: WILL NOT UPDATE)");
        assert!(consumer("deployment/d", &[Use::Volume, Use::Env]).keeps_what_it_read());
    }
}
