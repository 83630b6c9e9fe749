//! Fixes of the derived schemas: everything that they lack or have too much of, in one place.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::json;

/// `crd` as it is installed.
///
/// * `status` gets the default `{observedGeneration: -1}`: kstatus considers an object without conditions done, and a
///   fresh object is not done.
/// * Optional fields stay nullable, as derived: a null means the same as an absent field, in a server-side apply, too.
///   Enums do not stay nullable: no list of variants makes the API server accept a null, but it drops a null where a
///   field is not nullable (in a server-side apply it reports the mistake). `status` does not stay nullable either,
///   since its default replaces a null.
/// * Integers have a format that the API server knows; it warns about others on every installation.
/// * Descriptions have one line per paragraph: `kubectl explain` wraps lines and keeps the breaks that it finds.
pub fn fix(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) else {
            continue;
        };
        fix_schema(schema);
        if let Some(status) = schema.properties.as_mut().and_then(|properties| properties.get_mut("status")) {
            status.nullable = None;
            status.default = Some(JSON(json!({"observedGeneration": -1})));
        }
    }
    crd
}

/// Fixes `schema` and everything in it; a structural schema nests by properties, items and values only.
fn fix_schema(schema: &mut JSONSchemaProps) {
    if schema.enum_.is_some() {
        schema.nullable = None;
    }
    schema.description = schema.description.as_deref().map(one_line_per_paragraph);
    if schema.format.as_deref() == Some("uint32") {
        schema.format = Some("int64".to_owned());
        schema.maximum = Some(f64::from(u32::MAX));
    }
    schema.properties.iter_mut().flat_map(|properties| properties.values_mut()).for_each(fix_schema);
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        fix_schema(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        fix_schema(values);
    }
}

fn one_line_per_paragraph(description: &str) -> String {
    description.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n")
}
