//! A service's answer to generate, list and verify, as the presets declare it: whatever the bytes are, reading them
//! ends, and what is read keeps its promises.

use std::sync::LazyLock;

use artifact_token_operator::api::time::Time;
use artifact_token_operator::api::token_service::Preset;
use artifact_token_operator::service::extraction::{JsonPath, RowsPath};
use artifact_token_operator::service::presets;
use serde_json::Value;

/// The paths of one preset: of generate's answer, of the rows of a list, and of what a row has.
struct Paths {
    answer: Vec<JsonPath>,
    rows: RowsPath,
    row: Vec<JsonPath>,
}

static PATHS: LazyLock<Vec<Paths>> = LazyLock::new(|| Preset::ALL.iter().copied().filter_map(paths).collect());

/// Those of the answers of a preset; `None` where it generates or lists no tokens.
fn paths(preset: Preset) -> Option<Paths> {
    let operations = presets::operations(preset);
    let (generate, list) = (operations.generate?.response, operations.list?);
    let parse =
        |texts: Vec<Option<String>>| texts.iter().flatten().map(|text| JsonPath::parse(text).unwrap()).collect();
    Some(Paths {
        answer: parse(vec![Some(generate.value), generate.id, generate.expiration_time]),
        rows: RowsPath::parse(&list.items).unwrap(),
        row: parse(vec![
            Some(list.item.id),
            list.item.name,
            list.item.created_time,
            list.item.expiration_time,
            list.item.last_used_time,
        ]),
    })
}

fn read(path: &JsonPath, body: &Value) {
    match path.scalar(body) {
        Ok(text) => assert!(!text.is_empty(), "an empty value is nothing"),
        Err(error) => assert!(error.to_string().contains(path.text())),
    }
    if let Ok(Some(length)) = path.seconds(body) {
        assert!(length.as_secs() < 1_000_000_000, "a time since 1970 is no length");
    }
    if let Ok(Some(time)) = path.time(body) {
        assert!(time.as_millis() > 0, "the zero time is no time");
        let written = serde_json::to_value(time).unwrap();
        assert_eq!(serde_json::from_value::<Time>(written).unwrap(), time, "it comes back from the status");
    }
}

/// Whether the bytes are JSON.
pub fn holds_for(bytes: &[u8]) -> bool {
    let Ok(body) = serde_json::from_slice::<Value>(bytes) else { return false };
    for paths in &*PATHS {
        paths.answer.iter().for_each(|path| read(path, &body));
        for row in paths.rows.rows(&body).unwrap_or_default() {
            paths.row.iter().for_each(|path| read(path, row));
        }
    }
    true
}
