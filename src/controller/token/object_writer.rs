//! Writes one `ArtifactToken`. Each write is checked against the version that it was decided on. This knows the API, not the
//! pass.

use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Resource, ResourceExt};
use serde_json::json;

use crate::api::FIELD_MANAGER;
use crate::api::artifact_token::ArtifactToken;
use crate::api::ledger::ArtifactTokenStatus;
use crate::controller::error::{PassError, describe};

/// The result of a write.
pub(crate) enum ObjectWrite {
    /// The object is as written.
    Done(Box<ArtifactToken>),
    /// The write was refused: this is what is there now.
    Overtaken(Box<ArtifactToken>),
    /// No answer came, so nobody knows whether the write is a part of what is there now.
    Unanswered(Box<ArtifactToken>),
    /// The API server rejects the write, and nothing changed.
    Refused(PassError),
    /// The object is gone.
    Gone,
}

/// The write access to one object.
pub(crate) struct ObjectWriter {
    api: Api<ArtifactToken>,
}

impl ObjectWriter {
    pub(crate) fn new(api: Api<ArtifactToken>) -> Self {
        Self { api }
    }

    /// Writes the whole status.
    ///
    /// # Errors
    /// When the write failed, and the API server does not answer a read after it.
    pub(crate) async fn replace_status(
        &self,
        object: &ArtifactToken,
        status: ArtifactTokenStatus,
    ) -> Result<ObjectWrite, PassError> {
        let mut body =
            ArtifactToken { metadata: object.metadata.clone(), spec: object.spec.clone(), status: Some(status) };
        body.meta_mut().managed_fields = None;
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let answer = self.api.replace_status(&object.name_any(), &params, &body).await;
        self.outcome(object, answer, "the status").await
    }

    /// Replaces the list of finalizers.
    ///
    /// # Errors
    /// When the write failed, and the API server does not answer a read after it.
    pub(crate) async fn patch_finalizers(
        &self,
        object: &ArtifactToken,
        names: Vec<String>,
    ) -> Result<ObjectWrite, PassError> {
        let version = object.resource_version().unwrap_or_default();
        let patch = json!({"metadata": {"resourceVersion": version, "finalizers": names}});
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let answer = self.api.patch(&object.name_any(), &params, &Patch::Merge(patch)).await;
        self.outcome(object, answer, "the finalizers").await
    }

    /// The object as it is now, if that is another version.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub(crate) async fn newer(&self, object: &ArtifactToken) -> Result<Option<ArtifactToken>, PassError> {
        let now = self.now(object).await?;
        Ok(now.filter(|now| now.resource_version() != object.resource_version()))
    }

    /// The object as it is now; `None` if it is gone.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub(crate) async fn now(&self, object: &ArtifactToken) -> Result<Option<ArtifactToken>, PassError> {
        let read = self.api.get_opt(&object.name_any()).await;
        let now = read.map_err(|error| PassError::read("the ArtifactToken", &error))?;
        Ok(now.filter(|now| now.uid() == object.uid()))
    }

    /// Reads the object again after a conflict or a lost answer. Where nothing changed, deciding again at once would be a loop.
    async fn outcome(
        &self,
        object: &ArtifactToken,
        answer: Result<ArtifactToken, kube::Error>,
        what: &'static str,
    ) -> Result<ObjectWrite, PassError> {
        let error = match answer {
            Ok(written) => return Ok(ObjectWrite::Done(Box::new(written))),
            Err(error) => error,
        };
        // A conflict is a definite no, and so is every other refusal that is the client's fault.
        let refused = matches!(&error, kube::Error::Api(status) if (400..500).contains(&status.code));
        let why = describe(&error);
        tracing::debug!(object = object.name_any(), what, why, "not written");
        let read = self.api.get_opt(&object.name_any()).await;
        Ok(match read.map_err(|error| PassError::read("the ArtifactToken", &error))? {
            Some(now) if now.uid() != object.uid() => ObjectWrite::Gone,
            Some(now) if now.resource_version() == object.resource_version() => {
                ObjectWrite::Refused(PassError::Record { what, why })
            }
            Some(now) if refused => ObjectWrite::Overtaken(Box::new(now)),
            Some(now) => ObjectWrite::Unanswered(Box::new(now)),
            None => ObjectWrite::Gone,
        })
    }
}
