//! Which labels and annotations of a Secret came from its template.
//!
//! Others may put their own on the same Secret, so this memory tells what to take off when the template no longer asks
//! for it.

use k8s_openapi::api::core::v1::Secret;
use serde::Deserialize;

use super::metadata::{self, APPLIED};
use crate::api::secret_template::SecretTemplate;

/// The keys, as the annotation [`APPLIED`] has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Applied {
    pub(super) labels: Vec<String>,
    pub(super) annotations: Vec<String>,
}

impl Applied {
    /// The keys that `template` asks for.
    pub(super) fn of(template: &SecretTemplate) -> Self {
        Self {
            labels: template.labels.keys().cloned().collect(),
            annotations: template.annotations.keys().cloned().collect(),
        }
    }

    /// The keys that an earlier template asked for; none if the annotation is not as we write it.
    ///
    /// The operator's own keys and those of Kubernetes are left out, whatever the annotation says, but for the labels
    /// that a template may have.
    pub(super) fn on(secret: &Secret) -> Self {
        let text = metadata::annotation(secret, APPLIED).unwrap_or_default();
        let mut applied: Self = serde_json::from_str(text).unwrap_or_default();
        applied.labels.retain(|key| metadata::may_be_label(key));
        applied.annotations.retain(|key| metadata::may_be_annotation(key));
        applied
    }

    /// The annotation; none where there is nothing to remember.
    pub(super) fn annotation(&self) -> Option<(String, String)> {
        if self.labels.is_empty() && self.annotations.is_empty() {
            return None;
        }
        let text = serde_json::json!({"annotations": self.annotations, "labels": self.labels}).to_string();
        Some((APPLIED.to_owned(), text))
    }
}
