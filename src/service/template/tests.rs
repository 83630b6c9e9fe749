#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;

const HOSTILE: &str = "a/b?c#d%\"\n";

fn render(source: &str, encoding: Encoding, values: &serde_json::Value) -> Result<String, RenderError> {
    Template::compile(source, encoding).unwrap().render(values)
}

#[test]
fn a_value_is_encoded_for_its_part_of_the_request() {
    let check = |source: &str, encoding: Encoding, expected: &str| {
        let values = json!({"id": HOSTILE, "n": null, "list": ["x", HOSTILE], "days": 7});
        assert_eq!(render(source, encoding, &values).as_deref(), Ok(expected), "{source}");
    };
    check("/t/{{ id }}/x", Encoding::Path, "/t/a%2Fb%3Fc%23d%25%22%0A/x");
    check("pre {{ id }}", Encoding::Text, "pre a/b?c#d%\"\n");
    check(r#"{"id": {{ id }}}"#, Encoding::Json, r#"{"id": "a/b?c#d%\"\n"}"#);
    check(
        r#"[{{ n }}, {{ list }}, {{ days }}, {{ "a" ~ days }}]"#,
        Encoding::Json,
        r#"[null, ["x","a/b?c#d%\"\n"], 7, "a7"]"#,
    );
    check(r#"{"x": {{ list[0] == "x" }}{% if n %}, "n": {{ n }}{% endif %}}"#, Encoding::Json, r#"{"x": true}"#);
    check(r#"{{ n or [] }}"#, Encoding::Json, "[]");
}

#[test]
fn a_hole_without_a_fitting_value_is_told_apart() {
    let check = |source: &str, encoding: Encoding, values: serde_json::Value, expected: RenderError| {
        assert_eq!(render(source, encoding, &values), Err(expected), "{source}");
    };
    check("{{ n }}", Encoding::Text, json!({"n": null}), RenderError::Absent);
    check("/{{ n }}", Encoding::Path, json!({"n": null}), RenderError::Absent);
    check("/{{ n }}", Encoding::Path, json!({"n": ""}), RenderError::Segment);
    check("/{{ n }}/x", Encoding::Path, json!({"n": ".."}), RenderError::Segment);
    check("{{ n }}", Encoding::Text, json!({"n": ["x"]}), RenderError::List);
    check("{{ m }}", Encoding::Text, json!({"n": 1}), RenderError::Failed);
    check("{{ m }}", Encoding::Json, json!({"n": 1}), RenderError::Failed);
    check(r#"{"n": "{{ n }}"}"#, Encoding::Json, json!({"n": "x"}), RenderError::NotJson);
    check(&"{{ n }}".repeat(9), Encoding::Text, json!({"n": "x".repeat(8000)}), RenderError::TooLong);
}

#[test]
fn a_template_does_nothing_but_fill_holes() {
    let refused = |source: &str| {
        Template::compile(source, Encoding::Text).is_err() || render(source, Encoding::Text, &json!({})).is_err()
    };
    for source in [
        "{{ range(9) }}",
        "{{ 'x' | upper }}",
        "{% for i in [1,2] %}x{% endfor %}",
        "{%- set x = 1 %}",
        "{% include 'template' %}",
        "{% macro f() %}{% endmacro %}",
        "{{ 'x' * 999999999 }}",
        "{{ unclosed",
        "{{ debug() }}",
        "{{ name.__class__ }}",
    ] {
        assert!(refused(source), "{source}");
    }
}

#[test]
fn the_holes_are_known_by_their_full_names() {
    let template = Template::compile(
        "{{ name }} {{ credentials.a }} {% if parameters.b == 'x' %}{{ variables.c }}{% endif %}",
        Encoding::Text,
    );
    let holes: Vec<_> = template.unwrap().holes().iter().cloned().collect();
    assert_eq!(holes, ["credentials.a", "name", "parameters.b", "variables.c"]);
    let dynamic = Template::compile("{{ credentials[name] }}{{ variables['x'] }}", Encoding::Text).unwrap();
    assert_eq!(dynamic.holes().iter().cloned().collect::<Vec<_>>(), ["credentials", "name", "variables"]);
}

#[test]
fn equal_templates_are_one_as_long_as_somebody_has_it() {
    let source = "only in this test {{ value }}";
    let compile = |encoding| Template::compile(source, encoding).unwrap();
    let (first, second) = (compile(Encoding::Text), compile(Encoding::Text));
    assert!(Arc::ptr_eq(&first.0, &second.0));
    assert!(!Arc::ptr_eq(&first.0, &compile(Encoding::Json).0), "another encoding is another template");
    drop((first, second));
    let key = (Encoding::Text, source.to_owned());
    assert!(IN_USE.lock().unwrap().known(&key).is_none());
    let mut many = InUse { most: 100, ..InUse::default() };
    for number in 0..1000 {
        let compiled = Arc::new(Compiled::new(&number.to_string(), Encoding::Text).unwrap());
        many.keep((Encoding::Text, number.to_string()), compiled);
    }
    assert!(many.templates.len() <= 101, "{}", many.templates.len());
}
