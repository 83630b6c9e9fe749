//! The operator: its pods, its Lease, and whether its account has the rights that it needs.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::{Api, ListParams, PostParams};
use kube::{Client, ResourceExt as _};

use super::Finding;
use crate::leader::{Leader, Where};

/// How the chart marks the Deployment.
const LABELS: &str = "app.kubernetes.io/part-of=artifact-token-operator,app.kubernetes.io/component=operator";

/// A right: group, resource, subresource and verbs.
type Right = (&'static str, &'static str, Option<&'static str>, &'static [&'static str]);

/// The rights without which tokens are not kept. docs/reference/rbac.md says why.
const NEEDED: [Right; 7] = [
    ("artifact-token.dev", "artifacttokens", None, &["get", "list", "watch", "patch"]),
    ("artifact-token.dev", "artifacttokens", Some("status"), &["update"]),
    ("artifact-token.dev", "tokenservices", None, &["list", "watch", "patch"]),
    ("artifact-token.dev", "tokenservices", Some("status"), &["update"]),
    ("", "secrets", None, &["get", "create", "patch", "delete"]),
    ("", "configmaps", None, &["get", "list", "watch"]),
    ("events.k8s.io", "events", None, &["create"]),
];
/// Not with `--secret-watch=off`.
const WATCH: Right = ("", "secrets", None, &["list", "watch"]);
/// For ClusterTokenServices, in all namespaces.
const SHARED: [Right; 3] = [
    ("artifact-token.dev", "clustertokenservices", None, &["list", "watch", "patch"]),
    ("artifact-token.dev", "clustertokenservices", Some("status"), &["update"]),
    ("", "namespaces", None, &["list", "watch"]),
];

/// Looks at all operators of the cluster.
pub(super) async fn look(client: &Client, lease: &Where) -> Vec<Finding> {
    let mut findings = vec![match lease.look(client).await {
        Leader::Alive(holder) => Finding::good(format!("an operator leads: {holder}")),
        Leader::Missing(why) => Finding::bad(why, "start it, or see its log: without it nothing is rotated or revoked"),
        Leader::Unknown(why) => Finding::doubtful(why, "see below whether its pods are ready"),
    }];
    let deployments: Api<Deployment> = Api::all(client.clone());
    match deployments.list(&ListParams::default().labels(LABELS)).await {
        Ok(found) if found.items.is_empty() => findings.push(Finding::doubtful(
            "no Deployment of the chart is there",
            "install the chart; if the operator runs in another way, see its /readyz",
        )),
        Ok(found) => {
            for deployment in found {
                findings.push(pods(&deployment));
                findings.push(rights(client, &deployment).await);
            }
        }
        Err(error) => findings.push(Finding::unseen("the operator's Deployment", &error)),
    }
    findings
}

fn pods(deployment: &Deployment) -> Finding {
    let (namespace, name) = (deployment.namespace().unwrap_or_default(), deployment.name_any());
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let ready = deployment.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0);
    let what = format!("deployment {namespace}/{name}: {ready} of {wanted} pods are ready");
    let advice = format!(
        "see why: kubectl -n {namespace} describe deployment/{name}; kubectl -n {namespace} logs deployment/{name}"
    );
    match ready {
        0 => Finding::bad(what, advice),
        ready if ready < wanted => Finding::doubtful(what, advice),
        _ => Finding::good(what),
    }
}

/// Whether the account of a Deployment has all rights, where it works.
async fn rights(client: &Client, deployment: &Deployment) -> Finding {
    let pod = deployment.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    let containers = pod.iter().flat_map(|pod| &pod.containers);
    let arguments: Vec<&String> = containers.flat_map(|container| container.args.iter().flatten()).collect();
    let is_set = |flag: &str| arguments.iter().any(|argument| *argument == flag);
    let namespaces = arguments.iter().find_map(|argument| argument.strip_prefix("--namespaces="));
    let places: Vec<Option<&str>> = namespaces.map_or_else(|| vec![None], |names| names.split(',').map(Some).collect());
    let watch = (!is_set("--secret-watch=off")).then_some(WATCH);
    let local = || NEEDED.into_iter().chain(watch);
    let shared = if namespaces.is_none() || is_set("--cluster-services") { SHARED.as_slice() } else { &[] };
    let wanted = places.iter().flat_map(|place| local().map(|right| (*place, right)));
    let wanted: Vec<(Option<&str>, Right)> = wanted.chain(shared.iter().map(|right| (None, *right))).collect();

    let account = pod.and_then(|pod| pod.service_account_name.clone()).unwrap_or_else(|| "default".to_owned());
    let user = format!("system:serviceaccount:{}:{account}", deployment.namespace().unwrap_or_default());
    let mut missing = Vec::new();
    for (place, (group, resource, part, verbs)) in wanted {
        for verb in verbs {
            let attributes = ResourceAttributes {
                namespace: place.map(str::to_owned),
                group: Some(group.to_owned()),
                resource: Some(resource.to_owned()),
                subresource: part.map(str::to_owned),
                verb: Some((*verb).to_owned()),
                ..ResourceAttributes::default()
            };
            match may(client, &user, deployment, attributes).await {
                Ok(true) => {}
                Ok(false) => {
                    let part = part.map(|part| format!("/{part}")).unwrap_or_default();
                    let place = place.map(|name| format!(" in {name}")).unwrap_or_default();
                    missing.push(format!("{verb} {resource}{part}{place}"));
                }
                Err(error) => return Finding::unseen(&format!("the rights of {user}"), &error),
            }
        }
    }
    if missing.is_empty() {
        return Finding::good(format!("{user} has the rights that it needs"));
    }
    let what = format!("{user} may not: {}", missing.join(", "));
    Finding::bad(what, "grant what docs/reference/rbac.md lists, or install the chart with rbac.create: true")
}

async fn may(client: &Client, user: &str, deployment: &Deployment, right: ResourceAttributes) -> kube::Result<bool> {
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let namespace = deployment.namespace().unwrap_or_default();
    let groups = [
        "system:authenticated".to_owned(),
        "system:serviceaccounts".to_owned(),
        format!("system:serviceaccounts:{namespace}"),
    ];
    let spec = SubjectAccessReviewSpec {
        user: Some(user.to_owned()),
        groups: Some(groups.to_vec()),
        resource_attributes: Some(right),
        ..SubjectAccessReviewSpec::default()
    };
    let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
    let answer = reviews.create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}
