//! Reads and writes one Secret. Every write is checked against the version that it was computed from (P4). This knows the API,
//! not the pass.

use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, ResourceExt};
use serde_json::Value;

use crate::api::FIELD_MANAGER;
use crate::api::names;
use crate::api::reason::Reason;
use crate::controller::error::{PassError, describe};
use crate::rotation::desired::Halt;
use crate::secret::content::DesiredSecret;
use crate::secret::patch;

/// The result of a write of the Secret.
pub(crate) enum SecretWrite {
    /// The Secret is as written.
    Done(Box<Secret>),
    /// The Secret was certainly not written: another version is there.
    Conflict,
    /// The Secret was certainly not written, and will not be until somebody changes something.
    Denied(Halt),
    /// Nobody knows.
    Unknown(String),
}

/// The result of a deletion of the Secret.
pub(crate) enum SecretDeletion {
    /// The Secret is not there.
    Gone,
    /// The Secret is there in another version.
    Conflict,
    /// Nobody knows.
    Unknown(String),
}

/// Whether a write is only checked: by admission, quota and rights, and against a namespace that is being deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DryRun {
    Yes,
    No,
}

/// Why nothing was written, for logs.
const OTHER_VERSION: &str = "the Secret is there in another version, or not there";

/// The access to one Secret.
pub(crate) struct SecretAccess {
    api: Api<Secret>,
    namespace: String,
    name: String,
}

impl SecretAccess {
    pub(crate) fn new(api: Api<Secret>, namespace: String, name: String) -> Self {
        Self { api, namespace, name }
    }

    /// A live read. No Secret can have what is no name; as a part of a path it would lead elsewhere.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub(crate) async fn read(&self) -> Result<Option<Secret>, PassError> {
        if !names::is_name(&self.name) {
            return Ok(None);
        }
        self.api.get_opt(&self.name).await.map_err(|error| PassError::read("the Secret", &error))
    }

    pub(crate) async fn create(&self, desired: &DesiredSecret, dry_run: DryRun) -> SecretWrite {
        let body = patch::create_body(desired, &self.name, &self.namespace);
        let field_manager = Some(FIELD_MANAGER.to_owned());
        let params = PostParams { dry_run: dry_run == DryRun::Yes, field_manager };
        self.logged("create", dry_run, outcome(self.api.create(&params, &body).await))
    }

    /// Changes `current`, in that version, to what is desired.
    pub(crate) async fn replace(&self, desired: &DesiredSecret, current: &Secret) -> SecretWrite {
        self.patch(patch::merge_patch(desired, current), DryRun::No).await
    }

    /// Sends a merge patch that names the version from which it was computed.
    pub(crate) async fn patch(&self, patch: Value, dry_run: DryRun) -> SecretWrite {
        let field_manager = Some(FIELD_MANAGER.to_owned());
        let params = PatchParams { dry_run: dry_run == DryRun::Yes, field_manager, ..PatchParams::default() };
        self.logged("update", dry_run, outcome(self.api.patch(&self.name, &params, &Patch::Merge(patch)).await))
    }

    /// Creates a Secret that holds no token of the spec's form.
    pub(crate) async fn create_body(&self, body: &Secret) -> SecretWrite {
        let params = PostParams { dry_run: false, field_manager: Some(FIELD_MANAGER.to_owned()) };
        self.logged("create", DryRun::No, outcome(self.api.create(&params, body).await))
    }

    /// Deletes `current`: this very Secret, in this version.
    pub(crate) async fn delete(&self, current: &Secret) -> SecretDeletion {
        let version = |text: Option<String>| text.unwrap_or_default();
        self.delete_version(&version(current.uid()), &version(current.resource_version())).await
    }

    /// Deletes the Secret with this uid, in this version.
    pub(crate) async fn delete_version(&self, uid: &str, version: &str) -> SecretDeletion {
        let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: Some(version.to_owned()) };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        let (ended, result, why) = match self.api.delete(&self.name, &params).await {
            Ok(_) => (SecretDeletion::Gone, "ok", ""),
            Err(kube::Error::Api(status)) if status.is_not_found() => (SecretDeletion::Gone, "ok", ""),
            Err(kube::Error::Api(status)) if status.is_conflict() => {
                (SecretDeletion::Conflict, "conflict", OTHER_VERSION)
            }
            Err(error) => (SecretDeletion::Unknown(unanswered(&error)), "unknown", "no answer says whether it is gone"),
        };
        self.log("delete", result, why);
        ended
    }

    fn logged(&self, act: &'static str, dry_run: DryRun, write: SecretWrite) -> SecretWrite {
        let (result, why) = match &write {
            _ if dry_run == DryRun::Yes => return write,
            SecretWrite::Done(_) => ("ok", ""),
            SecretWrite::Conflict => ("conflict", OTHER_VERSION),
            SecretWrite::Denied(halt) => ("refused", halt.message.as_str()),
            SecretWrite::Unknown(why) => ("unknown", why.as_str()),
        };
        self.log(act, result, why);
        write
    }

    /// One line for each act, without anything of its content.
    fn log(&self, act: &'static str, result: &'static str, why: &str) {
        let (namespace, name) = (&self.namespace, &self.name);
        let why = Some(why).filter(|why| !why.is_empty());
        tracing::info!(act, secret = %format!("{namespace}/{name}"), result, why, "changed the Secret");
    }
}

fn outcome(answer: Result<Secret, kube::Error>) -> SecretWrite {
    let status = match answer {
        Ok(secret) => return SecretWrite::Done(Box::new(secret)),
        Err(kube::Error::Api(status)) => status,
        Err(error) => return SecretWrite::Unknown(unanswered(&error)),
    };
    let ending =
        status.details.iter().flat_map(|details| &details.causes).any(|cause| cause.reason == "NamespaceTerminating");
    let stalled = |reason, message: String| SecretWrite::Denied(Halt::stalled(reason, message));
    match status.code {
        409 | 404 if !ending => SecretWrite::Conflict,
        403 if ending => {
            stalled(Reason::NamespaceTerminating, "the namespace is being deleted: no token is generated in it".into())
        }
        403 if status.message.contains("exceeded quota") => stalled(
            Reason::QuotaExceeded,
            format!("{}: raise the quota, or delete Secrets that are not needed", status.message),
        ),
        403 => stalled(
            Reason::SecretWriteForbidden,
            format!("{}: allow the operator's account, or a policy's exception, to write this Secret", status.message),
        ),
        400 | 413 | 422 => {
            stalled(Reason::InvalidSpec, format!("the API server rejects the Secret: {}", status.message))
        }
        code => SecretWrite::Unknown(format!("the API server answered {code} to the write of the Secret")),
    }
}

fn unanswered(error: &kube::Error) -> String {
    format!("the write of the Secret: {}", describe(error))
}
