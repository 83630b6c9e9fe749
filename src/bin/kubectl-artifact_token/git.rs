//! Who else writes an object: a GitOps tool takes back what is not in Git.

use std::collections::BTreeMap;

use kube::core::DynamicObject;
use kube::{Resource as _, ResourceExt as _};

use super::cluster::FIELD_MANAGER;

/// The field manager whose fields Flux leaves alone.
const FLUX_LEAVES: &str = "flux-client-side-apply";

/// The tool that keeps an object as Git has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    ArgoCd,
    Flux,
    FluxHelm,
}

impl Tool {
    /// The tool that its marks name. They are hints: anybody may write them.
    pub fn of(object: &DynamicObject) -> Option<Self> {
        let has = |marks: &BTreeMap<String, String>, key: &str| marks.contains_key(key);
        let meta = object.meta();
        let managed_by_argo = || {
            meta.managed_fields
                .iter()
                .flatten()
                .any(|entry| entry.manager.as_deref().is_some_and(|name| name.starts_with("argocd")))
        };
        if has(object.annotations(), "argocd.argoproj.io/tracking-id") || managed_by_argo() {
            Some(Self::ArgoCd)
        } else if has(object.labels(), "kustomize.toolkit.fluxcd.io/name") {
            Some(Self::Flux)
        } else if has(object.labels(), "helm.toolkit.fluxcd.io/name") {
            Some(Self::FluxHelm)
        } else {
            None
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::ArgoCd => "Argo CD",
            Self::Flux | Self::FluxHelm => "Flux",
        }
    }
}

/// As whom to write, so that the tool does not take it back at once.
pub fn field_manager(object: &DynamicObject) -> &'static str {
    if Tool::of(object) == Some(Tool::Flux) { FLUX_LEAVES } else { FIELD_MANAGER }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(metadata: Value) -> DynamicObject {
        serde_json::from_value(
            json!({"apiVersion": "artifact-token.dev/v1alpha1", "kind": "ArtifactToken", "metadata": metadata}),
        )
        .unwrap()
    }

    #[test]
    fn the_tool_is_known_by_its_marks() {
        let of = |metadata: Value| Tool::of(&object(metadata));
        assert_eq!(of(json!({"name": "ci", "labels": {"app.kubernetes.io/instance": "ci"}})), None);
        assert_eq!(of(json!({"annotations": {"argocd.argoproj.io/tracking-id": "a:b/c:d/e"}})), Some(Tool::ArgoCd));
        assert_eq!(of(json!({"managedFields": [{"manager": "argocd-controller"}]})), Some(Tool::ArgoCd));
        assert_eq!(of(json!({"labels": {"helm.toolkit.fluxcd.io/name": "ci"}})), Some(Tool::FluxHelm));
        let flux = json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "ci"}});
        assert_eq!(field_manager(&object(flux)), FLUX_LEAVES);
        assert_eq!(field_manager(&object(json!({"name": "ci"}))), FIELD_MANAGER);
    }
}
