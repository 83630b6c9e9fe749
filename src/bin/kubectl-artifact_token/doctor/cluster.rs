//! The cluster itself: its version, its clock, and the CRDs.

use std::time::Duration;

use anyhow::Context as _;
use artifact_token_operator::api::crds as own_crds;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::Api;
use kube::{Client, ResourceExt as _};
use serde_json::Value;

use super::Finding;
use crate::cluster::{now, server_time};

/// The oldest minor version of Kubernetes 1 that is tested.
const OLDEST: u32 = 33;
/// A clock that differs by more is told.
const SKEW: Duration = Duration::from_secs(30);
/// How many missing fields are named.
const NAMED: usize = 5;

/// Its version and its clock.
///
/// # Errors
/// When the API server does not answer.
pub(super) async fn look(client: &Client) -> anyhow::Result<Vec<Finding>> {
    let version = client.apiserver_version().await.context("ask the API server for its version")?;
    let minor: u32 = version.minor.trim_end_matches(|letter: char| !letter.is_ascii_digit()).parse().unwrap_or(0);
    let shown = format!("Kubernetes {}", version.git_version.trim_start_matches('v'));
    let version = if version.major == "1" && minor < OLDEST {
        Finding::bad(format!("{shown} is older than 1.{OLDEST}"), "upgrade the cluster: older versions are not tested")
    } else {
        Finding::good(shown)
    };
    let (here, there) = (now(), server_time(client).await?);
    let skew = here.since(there).max(there.since(here));
    let clock = if skew > SKEW {
        Finding::doubtful(
            format!("the clock of this machine and that of the API server differ by {} s", skew.as_secs()),
            "set the wrong one: certificates and expiries depend on clocks. The operator itself goes by the API server's",
        )
    } else {
        Finding::good("the clocks of this machine and of the API server agree")
    };
    Ok(vec![version, clock])
}

/// Whether the CRDs are those of this version. `pre` says that they need not be there.
pub(super) async fn crds(client: &Client, pre: bool) -> Vec<Finding> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut findings = Vec::new();
    for own in own_crds() {
        let name = own.name_any();
        findings.push(match api.get_opt(&name).await {
            Ok(Some(there)) => judge(&name, &own, &there),
            Ok(None) if pre => Finding::good(format!("CRD {name}: not there yet; the chart brings it")),
            Ok(None) => Finding::bad(
                format!("CRD {name}: not there"),
                "install the chart with crds.enabled: true, or apply the files of crds/",
            ),
            Err(error) => Finding::unseen(&format!("CRD {name}"), &error),
        });
    }
    findings
}

fn judge(name: &str, own: &CustomResourceDefinition, there: &CustomResourceDefinition) -> Finding {
    let conditions = there.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let established =
        conditions.clone().any(|condition| condition.type_ == "Established" && condition.status == "True");
    if !established {
        return Finding::bad(format!("CRD {name}: not established"), format!("see why: kubectl describe crd {name}"));
    }
    let missing = missing(own, there);
    if missing.is_empty() {
        return Finding::good(format!("CRD {name}"));
    }
    let some = missing.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if missing.len() > NAMED { format!(" and {} more", missing.len() - NAMED) } else { String::new() };
    Finding::bad(
        format!("CRD {name}: older than this program, it lacks {some}{more}"),
        "upgrade the chart, which upgrades the CRDs; with crds.enabled: false apply the files of crds/ first",
    )
}

/// The fields that this version has and the cluster's has not.
fn missing(own: &CustomResourceDefinition, there: &CustomResourceDefinition) -> Vec<String> {
    let fields = |crd: &CustomResourceDefinition| {
        let version = crd.spec.versions.iter().find(|version| version.served);
        let schema =
            version.and_then(|version| version.schema.as_ref()).and_then(|schema| schema.open_api_v3_schema.as_ref());
        let mut paths = Vec::new();
        collect(&serde_json::to_value(schema).unwrap_or_default(), "", &mut paths);
        paths
    };
    let has = fields(there);
    fields(own).into_iter().filter(|path| !has.contains(path)).collect()
}

fn collect(schema: &Value, path: &str, paths: &mut Vec<String>) {
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, inner) in properties.into_iter().flatten() {
        let path = format!("{path}.{name}");
        collect(inner, &path, paths);
        paths.push(path);
    }
    for (part, mark) in [("items", "[]"), ("additionalProperties", ".*")] {
        if let Some(inner) = schema.get(part) {
            collect(inner, &format!("{path}{mark}"), paths);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_crd_that_lacks_a_field_of_this_version_is_older() {
        let own = own_crds().into_iter().next().unwrap();
        assert_eq!(missing(&own, &own), Vec::<String>::new());
        let mut old = serde_json::to_value(&own).unwrap();
        let rotation = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/rotation/properties";
        old.pointer_mut(rotation).unwrap().as_object_mut().unwrap().remove("overlap").unwrap();
        assert_eq!(missing(&own, &serde_json::from_value(old).unwrap()), [".spec.rotation.overlap"]);
    }
}
