//! The declarations that come with the operator.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::api::token_service::Preset;
use crate::api::token_service::operations::Operations;

/// How well a preset is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Maturity {
    /// A real server confirms it in the tests.
    Tested,
    /// It follows the service's documents; no server here could confirm it.
    Documented,
}

/// A preset's file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PresetFile {
    /// How well it is confirmed.
    pub maturity: Maturity,
    /// The sources of its facts.
    pub sources: Vec<String>,
    /// The variables that a service object need not set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// The declaration.
    pub operations: Operations,
}

/// Parsed once: each load of a service needs one of them.
static PARSED: LazyLock<BTreeMap<Preset, PresetFile>> = LazyLock::new(|| {
    let parsed = |preset: Preset| serde_saphyr::from_str(preset.file()?).ok();
    Preset::ALL.iter().filter_map(|preset| Some((*preset, parsed(*preset)?))).collect()
});

/// The file of a preset. `Custom` has none, and neither has one that a test would have refused.
pub fn file(preset: Preset) -> Option<&'static PresetFile> {
    PARSED.get(&preset)
}

/// The operations of a preset; none for `Custom`.
pub fn operations(preset: Preset) -> Operations {
    file(preset).map(|file| file.operations.clone()).unwrap_or_default()
}

/// The variables of a service object, over those of its preset.
pub fn variables(preset: Preset, own: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut all = file(preset).map(|file| file.variables.clone()).unwrap_or_default();
    all.extend(own.iter().map(|(name, value)| (name.clone(), value.clone())));
    all
}

/// `preset`, with each part replaced that `overrides` has.
pub fn merge(preset: Operations, overrides: Option<Operations>) -> Operations {
    let Some(overrides) = overrides else { return preset };
    Operations {
        authentication: overrides.authentication.or(preset.authentication),
        naming: overrides.naming.or(preset.naming),
        ids: overrides.ids.or(preset.ids),
        lifetime: overrides.lifetime.or(preset.lifetime),
        parameters: overrides.parameters.or(preset.parameters),
        page: overrides.page.or(preset.page),
        error_message: overrides.error_message.or(preset.error_message),
        generate: overrides.generate.or(preset.generate),
        verify: overrides.verify.or(preset.verify),
        list: overrides.list.or(preset.list),
        revoke: overrides.revoke.or(preset.revoke),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_says_nothing_that_the_schema_does_not_know() {
        for text in Preset::ALL.iter().filter_map(|preset| preset.file()) {
            let written: serde_json::Value = serde_saphyr::from_str(text).unwrap();
            let read: PresetFile = serde_saphyr::from_str(text).unwrap();
            assert_contains(&serde_json::to_value(&read).unwrap(), &written, "");
            assert!(!read.sources.is_empty());
            // A preset can be changed, and living tokens are sent there.
            assert!(read.operations.verify.is_none_or(|verify| verify.base_url.is_none()));
        }
    }

    /// Everything that was written came back, though defaults may have been added.
    fn assert_contains(read: &serde_json::Value, written: &serde_json::Value, path: &str) {
        match written {
            serde_json::Value::Object(fields) => {
                for (name, value) in fields {
                    assert_contains(&read[name], value, &format!("{path}.{name}"));
                }
            }
            value => assert_eq!(read, value, "{path}"),
        }
    }
}
