use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

fn schema<T: schemars::JsonSchema>() -> Value {
    let schema = schemars::generate::SchemaSettings::openapi3().into_generator().into_root_schema_for::<T>();
    serde_json::to_value(schema).unwrap()
}

/// The text of the rule of `schema` whose message begins like this.
fn rule(schema: &Value, message: &str) -> String {
    let rules = schema["x-kubernetes-validations"].as_array().unwrap();
    let found: Vec<_> =
        rules.iter().filter(|rule| rule["message"].as_str().unwrap_or_default().starts_with(message)).collect();
    assert_eq!(found.len(), 1, "{message}");
    found[0]["rule"].as_str().unwrap().to_owned()
}

fn named(text: &str, format: Format) -> bool {
    text.contains(&format!("'{format}'"))
}

#[test]
fn every_word_of_the_enum_is_one_of_all_formats() {
    let words = serde_json::to_value(schemars::schema_for!(Format)).unwrap();
    let words: BTreeSet<String> =
        words["oneOf"].as_array().unwrap().iter().map(|word| word["const"].as_str().unwrap().to_owned()).collect();
    let all: BTreeSet<String> = Format::ALL.iter().map(Format::to_string).collect();
    assert_eq!(all, words, "complete Format::ALL");
    assert_eq!(all.len(), Format::ALL.len(), "each once");
}

#[test]
fn every_format_stands_in_the_rules_that_its_shape_asks_for_and_in_no_other() {
    let (secret, entry) = (schema::<SecretTemplate>(), schema::<DataEntry>());
    for format in Format::ALL {
        let shape = format.shape();
        let check = |schema: &Value, message: &str, expected: bool| {
            assert_eq!(named(&rule(schema, message), format), expected, "{format}: {message}");
        };
        check(&secret, "add an entry of format", shape.readable);
        check(&entry, "set template", shape.template);
        check(&entry, "set username", matches!(shape.username, Username::Required | Username::WithBasic));
        check(&entry, "remove username", shape.username != Username::Refused);
        check(&entry, "set registry", matches!(shape.registry, Registry::Required | Registry::Url));
        check(&entry, "remove registry", shape.registry != Registry::Refused);
        check(&entry, "start registry", shape.registry == Registry::Url);
        check(&entry, "remove scopes and auth", shape.npm);
    }
}

#[test]
fn every_format_is_explained_where_users_look() {
    let entry = schema::<DataEntry>();
    let text = |schema: &Value, pointer: &str| schema.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    let formats = text(&entry, "/properties/format/description");
    let readable = text(&schema::<SecretTemplate>(), "/properties/data/description");
    for format in Format::ALL {
        assert!(formats.contains(&format!("`{format}`:")), "describe {format} at DataEntry::format");
        let named = readable.replace('\n', " ").contains(&format.to_string());
        assert_eq!(named, format.shape().readable, "{format} at SecretTemplate::data");
    }
}
