//! What the derived schemas lack or have too much of, mended in one place.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::json;

/// `crd` as it is installed.
///
/// * `status` gets the default `{observedGeneration: -1}`: kstatus takes an object without conditions for done, and a
///   fresh one is not.
/// * Optional fields stay nullable, as derived: a null is as good as nothing, in a server-side apply, too. Enums do not:
///   no list of variants makes the API server take a null, but it drops a null where a field is not nullable (in a
///   server-side apply it says what is wrong). `status` neither, since its default stands for a null.
/// * Integers have a format that the API server knows; it warns about others on every installation.
/// * Descriptions are one line a paragraph: `kubectl explain` wraps lines and keeps the breaks that it finds.
pub fn mend(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) else {
            continue;
        };
        mend_schema(schema);
        if let Some(status) = schema.properties.as_mut().and_then(|properties| properties.get_mut("status")) {
            status.nullable = None;
            status.default = Some(JSON(json!({"observedGeneration": -1})));
        }
    }
    crd
}

/// Mends `schema` and everything in it; a structural schema nests by properties, items and values only.
fn mend_schema(schema: &mut JSONSchemaProps) {
    if schema.enum_.is_some() {
        schema.nullable = None;
    }
    schema.description = schema.description.as_deref().map(one_line_a_paragraph);
    if schema.format.as_deref() == Some("uint32") {
        schema.format = Some("int64".to_owned());
        schema.maximum = Some(f64::from(u32::MAX));
    }
    schema.properties.iter_mut().flat_map(|properties| properties.values_mut()).for_each(mend_schema);
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        mend_schema(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        mend_schema(values);
    }
}

fn one_line_a_paragraph(description: &str) -> String {
    description.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n")
}
