//! When our finalizer was added to an object (P1). The patch that adds it is also a claim, so this is the time of that claim.
//!
//! Nothing else records it: until the first status write the patch is the only trace of that claim. The API server notes the
//! time of every write in `managedFields`. These fill two thirds of an object in memory, so only that one time is kept.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};

use crate::api::FINALIZER;
use crate::api::time::Time;

/// Drops the managed fields of an object, except the time of the write that added our finalizer.
pub(crate) fn strip_managed_fields(meta: &mut ObjectMeta) {
    let time =
        meta.managed_fields.iter().flatten().find(|entry| sets_finalizer(entry)).and_then(|entry| entry.time.clone());
    meta.managed_fields = time.map(|time| {
        let manager = Some(FINALIZER.to_owned());
        vec![ManagedFieldsEntry { manager, time: Some(time), ..ManagedFieldsEntry::default() }]
    });
}

/// The time that [`strip_managed_fields`] kept; without it, the time when the object was created, which is not later.
pub(crate) fn of(meta: &ObjectMeta) -> Option<Time> {
    let kept = meta.managed_fields.iter().flatten().find(|entry| sets_finalizer(entry));
    let time = kept.and_then(|entry| entry.time.as_ref()).or(meta.creation_timestamp.as_ref())?;
    Some(Time::from_millis(time.0.as_millisecond()))
}

fn sets_finalizer(entry: &ManagedFieldsEntry) -> bool {
    let fields = entry.fields_v1.as_ref().and_then(|fields| fields.0.get("f:metadata")?.get("f:finalizers"));
    entry.manager.as_deref() == Some(FINALIZER)
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
    fn without_it_the_object_counts_from_its_creation() {
        let mut without = meta(serde_json::json!({".": {}, "v:\"example.com/other\"": {}}));
        strip_managed_fields(&mut without);
        assert_eq!(without.managed_fields, None);
        assert_eq!(of(&without), Time::parse("2026-01-01T00:00:00Z"));
    }
}
