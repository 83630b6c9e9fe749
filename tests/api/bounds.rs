//! Every bound of both schemas, just inside and just outside.
//!
//! The probes come from the schema: the test tries each bound of each field in a base object that has the field. The API server
//! must accept a value inside the bound for at least one base (others may break a rule between fields). It must refuse a value
//! outside the bound, with the path of the field and the words of the bound.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::bases::{full, small, status, with};
use crate::samples::{sample, text};
use crate::schema::{self, Place};
use crate::world::{KINDS, Kind, Verdict, World, check_all, world};

/// A value to try in place of the value in a base object.
struct Probe {
    value: Value,
    /// Words of the refusal; `None` if the value is inside the bound.
    refused: Option<&'static str>,
}

#[tokio::test]
async fn every_bound_of_a_spec_is_kept_by_the_api_server_and_allows_what_lies_just_inside() {
    let world = world().await;
    for kind in KINDS {
        check(&world, kind, "/spec", full(kind)).await;
    }
}

#[tokio::test]
async fn every_bound_of_a_status_is_kept_by_the_api_server_and_allows_what_lies_just_inside() {
    let world = world().await;
    for kind in KINDS {
        world.create(kind, &small(kind)).await;
        check(&world, kind, "/status", vec![with(&small(kind), &json!({"/status": status(kind)}))]).await;
    }
}

async fn check(world: &World, kind: Kind, part: &str, bases: Vec<Value>) {
    let schema = kind.schema();
    let schema = schema.pointer(&format!("/properties{part}")).unwrap();
    for base in &bases {
        attempt(world, kind, part, base).await.accepted();
    }
    let mut places = Vec::new();
    for (number, base) in bases.iter().enumerate() {
        places.extend(schema::places(schema, base, part).into_iter().map(|place| (number, place)));
    }
    let covered: BTreeSet<_> = places.iter().map(|(_, place)| place.path.clone()).collect();
    let missing: Vec<_> = schema::paths(schema, part).into_iter().filter(|path| !covered.contains(path)).collect();
    assert!(missing.is_empty(), "no base object of {} in bases.rs has {missing:?}", kind.name());
    let probes = covered.iter().flat_map(|path| {
        let here: Vec<_> = places.iter().filter(|(_, place)| place.path == *path).collect();
        let probes = probes(&here[0].1).into_iter();
        probes.map(move |probe| (probe, here.clone())).collect::<Vec<_>>()
    });
    check_all(probes, |(probe, places)| {
        let bases = &bases;
        async move { run(world, kind, part, bases, &probe, &places).await }
    })
    .await;
}

async fn run(
    world: &World,
    kind: Kind,
    part: &str,
    bases: &[Value],
    probe: &Probe,
    places: &[&(usize, Place)],
) -> Result<(), String> {
    let mut refusals = Vec::new();
    for (base, place) in places {
        let object = with(&bases[*base], &json!({&place.pointer: probe.value}));
        let verdict = attempt(world, kind, part, &object).await;
        match (probe.refused, verdict) {
            (None, Verdict::Accepted(_)) => return Ok(()),
            (None, Verdict::Refused(message)) => refusals.push(message),
            (Some(words), verdict) => {
                // The refusal has keys of maps and indices in brackets; they are left out here.
                let field = place.path.rsplit('/').find(|name| !matches!(*name, "[]" | "{}")).unwrap();
                let found = verdict.refused_with(&[field, words]).map(drop);
                return found.map_err(|problem| format!("{} = {}: {problem}", place.path, shortened(&probe.value)));
            }
        }
    }
    let path = &places[0].1.path;
    Err(format!("{path} = {}: refused for every base: {}", shortened(&probe.value), refusals.join(" | ")))
}

async fn attempt(world: &World, kind: Kind, part: &str, object: &Value) -> Verdict {
    match part {
        "/spec" => world.try_create(kind, object).await,
        _ => world.try_status(kind, "base", &object["status"]).await,
    }
}

/// The values to try for each bound of `place`.
fn probes(place: &Place) -> Vec<Probe> {
    let mut probes = Vec::new();
    let schema = &place.schema;
    text_probes(place, &mut probes);
    number_probes(schema, &mut probes);
    if let Some(variants) = schema["enum"].as_array() {
        probes.extend(variants.iter().map(|variant| Probe { value: variant.clone(), refused: None }));
        probes.push(outside("NoSuchVariant", "Unsupported value"));
    }
    if schema["type"] == "array" {
        list_probes(schema, &place.value, &mut probes);
    }
    if let Some(most) = bound(schema, "maxProperties") {
        let entry = place.value.as_object().unwrap().values().next().unwrap();
        let map = |count: usize| (0..count).map(|n| (format!("k{n}"), entry.clone())).collect::<Map<_, _>>();
        probes.extend([inside(map(most)), outside(map(most + 1), "must have at most")]);
    }
    probes
}

fn text_probes(place: &Place, probes: &mut Vec<Probe>) {
    let (path, schema) = (&place.path, &place.schema);
    let pattern = schema["pattern"].as_str();
    if let Some(most) = bound(schema, "maxLength") {
        probes.extend([inside(text(path, pattern, most)), outside("a".repeat(most + 1), "may not be more than")]);
    }
    if let Some(least) = bound(schema, "minLength") {
        probes.extend([inside(text(path, pattern, least)), outside("a".repeat(least - 1), "should be at least")]);
    }
    if let Some(pattern) = pattern {
        probes.extend(sample(pattern).wrong.iter().map(|wrong| outside(*wrong, "should match")));
    }
}

fn number_probes(schema: &Value, probes: &mut Vec<Probe>) {
    let number = |name: &str| schema[name].as_f64().map(|number| number as i64);
    if let Some(least) = number("minimum") {
        probes.extend([inside(least), outside(least - 1, "should be greater than or equal to")]);
    }
    if let Some(most) = number("maximum") {
        probes.extend([inside(most), outside(most + 1, "should be less than or equal to")]);
    }
}

fn list_probes(schema: &Value, value: &Value, probes: &mut Vec<Probe>) {
    let first = &value[0];
    let most = bound(schema, "maxItems").unwrap();
    // If the items of a list differ by an enum, the list cannot have more items than the enum has variants.
    let key = schema["x-kubernetes-list-map-keys"][0].as_str();
    let differing = key.map_or(&schema["items"], |key| &schema["items"]["properties"][key]);
    let variants = differing["enum"].as_array().map_or(most, |variants| most.min(variants.len()));
    let list = |count: usize| (0..count).map(|number| item(schema, first, number)).collect::<Vec<_>>();
    probes.extend([inside(list(variants)), outside(list(most + 1), "must have at most")]);
    if let Some(least) = bound(schema, "minItems") {
        probes.extend([inside(list(least)), outside(list(least - 1), "should have at least")]);
    }
}

/// An item like `first`. If the items must differ, it differs from those of other numbers.
fn item(list: &Value, first: &Value, number: usize) -> Value {
    let key = list["x-kubernetes-list-map-keys"][0].as_str();
    match (key, first) {
        (Some(key), _) => {
            let mut item = first.clone();
            item[key] = scalar(&list["items"]["properties"][key], &first[key], number);
            item
        }
        (None, Value::Object(_)) => first.clone(),
        (None, _) => scalar(&list["items"], first, number),
    }
}

fn scalar(schema: &Value, first: &Value, number: usize) -> Value {
    match (&schema["enum"], first) {
        (Value::Array(variants), _) => variants[number % variants.len()].clone(),
        (_, Value::Number(first)) => json!(first.as_i64().unwrap() + i64::try_from(number).unwrap()),
        // Short, so that a long list of short texts is possible, too.
        _ => json!(format!("{}{number}", text("", schema["pattern"].as_str(), 3))),
    }
}

fn bound(schema: &Value, name: &str) -> Option<usize> {
    schema[name].as_u64().and_then(|bound| usize::try_from(bound).ok())
}

fn inside(value: impl Into<Value>) -> Probe {
    Probe { value: value.into(), refused: None }
}

fn outside(value: impl Into<Value>, words: &'static str) -> Probe {
    Probe { value: value.into(), refused: Some(words) }
}

fn shortened(value: &Value) -> String {
    value.to_string().chars().take(60).collect()
}
