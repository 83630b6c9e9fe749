//! Before an installation: may this person install the chart, and is something of it there already?

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::Client;
use kube::api::{Api, PostParams};

use super::{Finding, cluster};

/// A kind that the chart creates with its default values.
struct Kind {
    group: &'static str,
    resource: &'static str,
    namespaced: bool,
    /// What to set to install without it.
    without: Option<&'static str>,
}

const fn cluster_wide(group: &'static str, resource: &'static str, without: &'static str) -> Kind {
    Kind { group, resource, namespaced: false, without: Some(without) }
}

const fn namespaced(group: &'static str, resource: &'static str) -> Kind {
    Kind { group, resource, namespaced: true, without: None }
}

const RBAC: &str = "rbac.authorization.k8s.io";
const SCOPE: &str = "rbac.scope=Namespaces and namespaces";
const POLICIES: &str = "admissionPolicies.enabled=false";
const CREATED: [Kind; 12] = [
    cluster_wide(
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        "crds.enabled=false, if somebody else applies the files of crds/",
    ),
    cluster_wide(RBAC, "clusterroles", SCOPE),
    cluster_wide(RBAC, "clusterrolebindings", SCOPE),
    cluster_wide("admissionregistration.k8s.io", "validatingadmissionpolicies", POLICIES),
    cluster_wide("admissionregistration.k8s.io", "validatingadmissionpolicybindings", POLICIES),
    namespaced(RBAC, "roles"),
    namespaced(RBAC, "rolebindings"),
    namespaced("apps", "deployments"),
    namespaced("batch", "jobs"),
    namespaced("policy", "poddisruptionbudgets"),
    namespaced("", "serviceaccounts"),
    namespaced("", "services"),
];

/// Looks at rights in this namespace, and at what is left of an earlier installation.
pub(super) async fn look(client: &Client, namespace: &str) -> Vec<Finding> {
    let mut findings = cluster::crds(client, true).await;
    for kind in CREATED {
        findings.push(may_create(client, namespace, &kind).await);
    }
    findings
}

async fn may_create(client: &Client, namespace: &str, kind: &Kind) -> Finding {
    let Kind { group, resource, namespaced, without } = kind;
    let attributes = ResourceAttributes {
        namespace: namespaced.then(|| namespace.to_owned()),
        group: Some((*group).to_owned()),
        resource: Some((*resource).to_owned()),
        verb: Some("create".to_owned()),
        ..ResourceAttributes::default()
    };
    let spec =
        SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..SelfSubjectAccessReviewSpec::default() };
    let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    match reviews.create(&PostParams::default(), &review).await {
        Ok(review) if review.status.as_ref().is_some_and(|status| status.allowed) => {
            Finding::good(format!("you may create {resource}"))
        }
        Ok(_) => {
            let place = if *namespaced { format!(" in the namespace {namespace}") } else { String::new() };
            let without = without.map(|values| format!(", or install with {values}")).unwrap_or_default();
            Finding::bad(
                format!("you may not create {resource}{place}"),
                format!("have somebody with more rights install the chart{without}"),
            )
        }
        Err(error) => Finding::unseen(&format!("the right to create {resource}"), &error),
    }
}
