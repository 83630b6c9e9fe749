//! Before an installation: may this person install the chart, and is something of it there already?

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::Client;
use kube::api::{Api, PostParams};

use super::{Finding, cluster};

/// What the chart creates with its default values: group and resource, and what goes without them.
const CREATED: [(&str, &str, Option<&str>); 8] = [
    (
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        Some("crds.enabled: false, if somebody else applies the files of crds/"),
    ),
    ("rbac.authorization.k8s.io", "clusterroles", Some("rbac.scope: Namespaces and namespaces")),
    ("rbac.authorization.k8s.io", "clusterrolebindings", Some("rbac.scope: Namespaces and namespaces")),
    ("rbac.authorization.k8s.io", "roles", None),
    ("rbac.authorization.k8s.io", "rolebindings", None),
    ("apps", "deployments", None),
    ("", "serviceaccounts", None),
    ("", "services", None),
];

/// Looks at rights and at what is left of an earlier installation.
pub(super) async fn look(client: &Client) -> Vec<Finding> {
    let mut findings = cluster::crds(client, true).await;
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    for (group, resource, without) in CREATED {
        let attributes = ResourceAttributes {
            group: Some(group.to_owned()),
            resource: Some(resource.to_owned()),
            verb: Some("create".to_owned()),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        };
        let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
        findings.push(match reviews.create(&PostParams::default(), &review).await {
            Ok(review) if review.status.as_ref().is_some_and(|status| status.allowed) => {
                Finding::good(format!("you may create {resource}"))
            }
            Ok(_) => {
                let without = without.map(|values| format!(", or install with {values}")).unwrap_or_default();
                Finding::bad(
                    format!("you may not create {resource} in all namespaces"),
                    format!("have a cluster administrator install the chart{without}"),
                )
            }
            Err(error) => Finding::unseen(&format!("the right to create {resource}"), &error),
        });
    }
    findings
}
