//! `Raw`: the token and nothing else.

use super::refusal::Refusal;
use super::values::{Data, Files, Values, file, text};
use crate::api::secret_template::DataEntry;

pub(super) fn render(entry: &DataEntry, values: &Values<'_>) -> Result<Files, Refusal> {
    Ok(file(entry, values.token))
}

pub(super) fn read_back(key: &str, data: &Data) -> Option<String> {
    text(data, key).map(str::to_owned)
}
