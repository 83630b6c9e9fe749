//! What others changed while a pass is under way, or before it: people in the object, another process in the Secret that keeps values.

use kube::Resource;
use kube::runtime::reflector::ObjectRef;

use super::Pass;
use crate::api::artifact_token::ArtifactToken;
use crate::controller::token::secret_index::older;
use crate::controller::token::validate::Validated;
use crate::rotation::observed::Companion;

impl Pass<'_> {
    /// Records which values are kept, as a live read or a write of that Secret shows it.
    pub(crate) fn companion_was_read(&mut self, companion: Companion) {
        self.memory.by_hand.companion = Some(companion);
        self.companion_live = true;
    }

    /// Takes the object from the cache if somebody has changed its spec, or begun its deletion, since this pass saw it. The answer to a
    /// claim may take long, and what it allows may be forbidden by then. Whether it has changed.
    pub(crate) fn look_at_object(&mut self) -> bool {
        // In a store that was restored a higher version may be an earlier object.
        if self.memory().stale.is_some() {
            return false;
        }
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

    /// Records that somebody else wrote the object: another process recorded a fact, or a person changed the spec. Reads from
    /// before that must not justify anything.
    pub(crate) fn overtaken(&mut self, mut object: ArtifactToken) {
        if object.meta().deletion_timestamp.is_some() && object.meta().uid == self.object.meta().uid {
            // The revokes of a deletion stand in no other version.
            object.status.get_or_insert_default().ledger.learn_deaths(self.ledger());
        }
        let other_spec = object.meta().generation != self.object.meta().generation;
        self.note_object(object);
        self.secret.live = false;
        self.preflight = false;
        self.verdict = None;
        if self.listing.take().is_some() {
            // The result of the list is not recorded, and a claim must not be taken without it.
            self.memory.swept = None;
        }
        if other_spec {
            self.validated = Validated::of(&self.object, self.service.as_deref(), &self.ctx.shared.settings);
            self.memory.secret = None;
        }
    }
}
