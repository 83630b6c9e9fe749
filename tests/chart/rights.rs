//! What the operator's account may do, held against a golden list.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt as _};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::discovery::{Discovery, Scope as ResourceScope};
use kube::{Api, Client};

use crate::release::{NAMESPACE, account};

/// A resource as kubectl names it, with its group and its subresource, and a verb.
pub type Right = (String, String);

/// In which namespaces the operator works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Cluster,
    Namespaces,
}

/// In the namespaces in which the operator works.
const IN_NAMESPACES: &[(&str, &str)] = &[
    ("artifacttokens.artifact-token.dev", "get list watch patch"),
    ("artifacttokens.artifact-token.dev/status", "update"),
    ("tokenservices.artifact-token.dev", "list watch patch"),
    ("tokenservices.artifact-token.dev/status", "update"),
    ("secrets", "get list watch create patch delete"),
    ("configmaps", "get list watch"),
    ("events.events.k8s.io", "create"),
];

/// For ClusterTokenServices.
const CLUSTER_WIDE: &[(&str, &str)] = &[
    ("clustertokenservices.artifact-token.dev", "list watch patch"),
    ("clustertokenservices.artifact-token.dev/status", "update"),
    ("namespaces", "list watch"),
];

/// The verbs of the API server on objects.
const VERBS: [&str; 8] = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];
/// Reviews at the same time: enough to keep the API server busy.
const AT_A_TIME: usize = 16;

/// All rights that the operator needs, and no other.
pub fn golden(scope: Scope) -> BTreeSet<Right> {
    let wide = if scope == Scope::Cluster { CLUSTER_WIDE } else { &[] };
    let rows = IN_NAMESPACES.iter().chain(wide);
    rows.flat_map(|(resource, verbs)| verbs.split(' ').map(|verb| ((*resource).to_owned(), verb.to_owned()))).collect()
}

/// What the account may do in `namespace`, as the API server decides it for each verb of each resource that it serves. What everybody
/// may do is left out.
pub async fn granted(client: &Client, scope: Scope, namespace: &str) -> BTreeSet<Right> {
    let account = account();
    let groups = ["system:serviceaccounts", &format!("system:serviceaccounts:{NAMESPACE}"), "system:authenticated"];
    let groups: Vec<String> = groups.map(str::to_owned).into();
    let mut questions = Vec::new();
    for (group, resource, subresource, namespaced) in served(client).await {
        // With listed namespaces, a right on everything is one too many, and so it is asked for, too.
        let places = if namespaced && scope == Scope::Namespaces { vec![namespace, NAMESPACE, ""] } else { vec![""] };
        for (place, verb) in places.into_iter().flat_map(|place| VERBS.map(|verb| (place, verb))) {
            questions.push(ResourceAttributes {
                group: Some(group.clone()),
                resource: Some(resource.clone()),
                subresource: subresource.clone(),
                namespace: Some(place.to_owned()),
                verb: Some(verb.to_owned()),
                ..ResourceAttributes::default()
            });
        }
    }
    let asked = questions.into_iter().map(|question| {
        let (account, groups) = (account.clone(), groups.clone());
        async move {
            let mine = is_allowed(client, Some(account), groups, question.clone()).await;
            let everybodys =
                mine && is_allowed(client, None, vec!["system:authenticated".to_owned()], question.clone()).await;
            (mine && !everybodys).then_some(question)
        }
    });
    let allowed: Vec<_> =
        stream::iter(asked).buffer_unordered(AT_A_TIME).filter_map(std::future::ready).collect().await;
    let outside = |place: &str| scope == Scope::Namespaces && place != namespace;
    allowed
        .into_iter()
        .map(|right| {
            let place = right.namespace.unwrap_or_default();
            assert!(
                !outside(&place),
                "{:?} of {:?} outside of its namespace, in {place:?}",
                right.verb,
                right.resource
            );
            let text = Option::unwrap_or_default;
            (name(&text(right.group), &text(right.resource), &text(right.subresource)), text(right.verb))
        })
        .collect()
}

/// How kubectl names a resource.
pub fn name(group: &str, resource: &str, subresource: &str) -> String {
    let point = if group.is_empty() { "" } else { "." };
    let slash = if subresource.is_empty() { "" } else { "/" };
    format!("{resource}{point}{group}{slash}{subresource}")
}

async fn is_allowed(client: &Client, user: Option<String>, groups: Vec<String>, question: ResourceAttributes) -> bool {
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let user = Some(user.unwrap_or_else(|| "somebody".to_owned()));
    let spec = SubjectAccessReviewSpec {
        user,
        groups: Some(groups),
        resource_attributes: Some(question),
        ..SubjectAccessReviewSpec::default()
    };
    let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
    let answer = reviews.create(&PostParams::default(), &review).await.expect("review a right");
    answer.status.expect("an answer").allowed
}

/// Group, resource, subresource, and whether it is in namespaces: all that the API server serves.
async fn served(client: &Client) -> Vec<(String, String, Option<String>, bool)> {
    let discovery = Discovery::new(client.clone()).run().await.expect("what the API server serves");
    let mut all = Vec::new();
    for group in discovery.groups() {
        for (resource, capabilities) in group.recommended_resources() {
            let namespaced = capabilities.scope == ResourceScope::Namespaced;
            all.push((resource.group.clone(), resource.plural.clone(), None, namespaced));
            for (subresource, _) in capabilities.subresources {
                let name = subresource.plural.rsplit('/').next().unwrap_or_default().to_owned();
                all.push((resource.group.clone(), resource.plural.clone(), Some(name), namespaced));
            }
        }
    }
    all
}
