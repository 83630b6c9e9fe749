//! When our finalizer was added to an object (P1). The patch that adds it is also a claim, so this is the time of that claim.
//!
//! Nothing else records it: until the first status write the patch is the only trace of that claim. The API server notes the
//! time of every write in `managedFields`. These fill two thirds of an object in memory, so only that one time is kept.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};

use crate::api::time::Time;
use crate::api::{FIELD_MANAGER, FINALIZER};

/// Marks the kept time of a finalizer that somebody else put there.
const BY_OTHERS: &str = "/others";

/// Drops the managed fields of an object, except the time of the write that added our finalizer.
pub(crate) fn strip_managed_fields(meta: &mut ObjectMeta) {
    let kept = setter(meta).and_then(|entry| Some((entry.time.clone()?, is_ours(entry))));
    meta.managed_fields = kept.map(|(time, ours)| {
        let manager = Some(if ours { FINALIZER.to_owned() } else { format!("{FINALIZER}{BY_OTHERS}") });
        vec![ManagedFieldsEntry { manager, time: Some(time), ..ManagedFieldsEntry::default() }]
    });
}

/// The time that [`strip_managed_fields`] kept; without it, the time when the object was created, which is not later.
pub(crate) fn of(meta: &ObjectMeta) -> Option<Time> {
    let time = setter(meta).and_then(|entry| entry.time.as_ref()).or(meta.creation_timestamp.as_ref())?;
    Some(Time::from(time))
}

/// Whether somebody else put our finalizer there, so that it says nothing of a claim. Without any trace it counts as ours.
pub(crate) fn is_by_others(meta: &ObjectMeta) -> bool {
    setter(meta).is_some_and(|entry| !is_ours(entry))
}

/// The entry of who put our finalizer there: the operator, if it did.
fn setter(meta: &ObjectMeta) -> Option<&ManagedFieldsEntry> {
    let setters = meta.managed_fields.iter().flatten().filter(|entry| sets_finalizer(entry));
    setters.min_by_key(|entry| !is_ours(entry))
}

fn is_ours(entry: &ManagedFieldsEntry) -> bool {
    matches!(entry.manager.as_deref(), Some(FIELD_MANAGER | FINALIZER))
}

fn sets_finalizer(entry: &ManagedFieldsEntry) -> bool {
    let fields = entry.fields_v1.as_ref().and_then(|fields| fields.0.get("f:metadata")?.get("f:finalizers"));
    entry.manager.as_deref().is_some_and(|manager| manager.starts_with(FINALIZER))
        || fields.is_some_and(|set| set.get(format!("v:\"{FINALIZER}\"")).is_some())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn meta(finalizers: serde_json::Value) -> ObjectMeta {
        serde_json::from_value(serde_json::json!({
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "managedFields": [
                {"manager": "kubectl", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {}}},
                {"manager": "operator", "time": "2026-01-02T00:00:00Z", "fieldsV1": {"f:metadata": {"f:finalizers": finalizers}}},
            ],
        }))
        .unwrap()
    }

    #[test]
    fn the_time_of_the_patch_that_put_the_finalizer_there_survives_the_stripping() {
        let mut with = meta(serde_json::json!({".": {}, "v:\"artifact-token.dev/revoke\"": {}}));
        for _ in 0..2 {
            strip_managed_fields(&mut with);
            assert_eq!(of(&with), Time::parse("2026-01-02T00:00:00Z"));
        }
        assert_eq!(with.managed_fields.unwrap().len(), 1);
    }

    #[test]
    fn who_put_it_there_survives_the_stripping_too_and_the_operator_comes_first() {
        let ours = serde_json::json!({".": {}, "v:\"artifact-token.dev/revoke\"": {}});
        let mut by_hand = meta(ours.clone());
        let mut by_both = meta(ours);
        let fields = by_both.managed_fields.as_mut().unwrap();
        fields.push(ManagedFieldsEntry { manager: Some(FIELD_MANAGER.to_owned()), ..fields[1].clone() });
        for _ in 0..3 {
            assert!(is_by_others(&by_hand) && !is_by_others(&by_both));
            strip_managed_fields(&mut by_hand);
            strip_managed_fields(&mut by_both);
        }
        assert!(!is_by_others(&ObjectMeta::default()));
    }

    #[test]
    fn without_it_the_object_counts_from_its_creation() {
        let mut without = meta(serde_json::json!({".": {}, "v:\"example.com/other\"": {}}));
        strip_managed_fields(&mut without);
        assert_eq!(without.managed_fields, None);
        assert_eq!(of(&without), Time::parse("2026-01-01T00:00:00Z"));
    }
}
