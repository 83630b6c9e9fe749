//! What people changed while a pass is under way.

use kube::Resource;
use kube::runtime::reflector::ObjectRef;

use super::Pass;
use crate::api::artifact_token::ArtifactToken;
use crate::controller::token::secret_index::older;

impl Pass<'_> {
    /// Takes the object from the cache if somebody has changed its spec, or deleted it, since this pass saw it. The answer to a claim
    /// may take long, and what it allows may be forbidden by then. Whether it has changed.
    pub(crate) fn look_at_object(&mut self) -> bool {
        let Some(cached) = self.ctx.objects.get(&ObjectRef::from_obj(&*self.object)) else { return false };
        let (now, before) = (cached.meta(), self.object.meta());
        let version = |version: &Option<String>| version.clone().unwrap_or_default();
        let changed = now.uid == before.uid
            && now.generation != before.generation
            && older(&version(&before.resource_version), &version(&now.resource_version));
        if changed {
            self.overtaken(ArtifactToken::clone(&cached));
        }
        changed
    }
}
