//! Every request that the API server answered, from its audit log.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// What the API server records: every request once it is answered, without bodies.
pub(crate) const POLICY: &str =
    "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n";

/// One request. A watch counts when it begins; its end adds no entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The user: the impersonated one if there is one.
    pub user: String,
    /// The Kubernetes verb: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// The API group; empty for the core one.
    pub group: String,
    /// The resource in the plural; empty for paths outside the resources, such as `/version`.
    pub resource: String,
    /// The subresource, such as `status`; empty for the object itself.
    pub subresource: String,
    /// The namespace; empty for cluster-wide requests.
    pub namespace: String,
    /// The object's name; empty for lists and watches of many.
    pub name: String,
    /// The HTTP status of the answer.
    pub code: u16,
    /// Whether the request asked to change nothing (`dryRun=All`).
    pub dry_run: bool,
    /// The client's `User-Agent`.
    pub user_agent: String,
    /// The path and query.
    pub request_uri: String,
}

/// A position in the audit log; later answers stand behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(u64);

impl Mark {
    /// The beginning of the log.
    pub const START: Self = Self(0);
}

/// Reads the complete entries behind `from`, oldest first, and returns the position where they end.
pub(crate) fn read(log: &Path, from: Mark) -> Result<(Vec<Entry>, Mark)> {
    let mut file = File::open(log).with_context(|| format!("open {}", log.display()))?;
    file.seek(SeekFrom::Start(from.0)).context("seek in the audit log")?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).context("read the audit log")?;
    // The server may still be writing the last line.
    let complete = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut events: Vec<Event> = Vec::new();
    for line in bytes[..complete].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let event: Event = serde_json::from_slice(line).context("parse a line of the audit log")?;
        // A watch that begins has an event, and another one when it ends.
        if event.stage == "ResponseComplete" && event.verb == "watch" {
            end_watch(&mut events, event);
        } else {
            events.push(event);
        }
    }
    let end = Mark(from.0 + u64::try_from(complete).context("measure the audit log")?);
    Ok((events.into_iter().map(Entry::from).collect(), end))
}

/// Replaces the beginning of a watch by its end. A refused watch has only an end.
fn end_watch(events: &mut Vec<Event>, end: Event) {
    match events.iter_mut().find(|event| event.audit_id == end.audit_id) {
        Some(begin) => *begin = end,
        // It began before the mark, and was counted there.
        None if end.response_status.code == 200 => {}
        None => events.push(end),
    }
}

/// An event of `audit.k8s.io/v1`.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(rename = "auditID")]
    audit_id: String,
    stage: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    verb: String,
    user: User,
    impersonated_user: Option<User>,
    #[serde(default)]
    user_agent: String,
    #[serde(default)]
    object_ref: Reference,
    #[serde(default)]
    response_status: Status,
}

#[derive(Clone, Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Reference {
    #[serde(rename = "apiGroup")]
    group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Status {
    code: u16,
}

impl From<Event> for Entry {
    fn from(event: Event) -> Self {
        let query = event.request_uri.split_once('?').map_or("", |(_, query)| query);
        let dry_run = query.split('&').any(|pair| pair.starts_with("dryRun="));
        Self {
            user: event.impersonated_user.unwrap_or(event.user).username,
            verb: event.verb,
            group: event.object_ref.group,
            resource: event.object_ref.resource,
            subresource: event.object_ref.subresource,
            namespace: event.object_ref.namespace,
            name: event.object_ref.name,
            code: event.response_status.code,
            dry_run,
            user_agent: event.user_agent,
            request_uri: event.request_uri,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::RunFolder;

    fn line(id: &str, stage: &str, verb: &str, uri: &str) -> String {
        format!(
            r#"{{"auditID":"{id}","stage":"{stage}","requestURI":"{uri}","verb":"{verb}","user":{{"username":"u"}}}}"#
        )
    }

    #[test]
    fn one_request_is_one_entry_and_half_a_line_is_left_for_later() {
        let folder = RunFolder::create("audit").unwrap();
        let log = folder.file("audit.log");
        let mut text = line("1", "ResponseStarted", "watch", "/api/v1/secrets?watch=true");
        text = format!("{text}\n{}\n", line("2", "ResponseComplete", "patch", "/api/v1/x?dryRun=All&force=true"));
        text = format!("{text}{}\n", line("1", "ResponseComplete", "watch", "/api/v1/secrets?watch=true"));
        std::fs::write(&log, format!("{text}{{\"half")).unwrap();
        let (entries, end) = read(&log, Mark::START).unwrap();
        let seen: Vec<_> = entries.iter().map(|entry| (entry.verb.as_str(), entry.dry_run)).collect();
        assert_eq!(seen, [("watch", false), ("patch", true)]);
        assert_eq!(end, Mark(text.len() as u64));
        assert_eq!(read(&log, end).unwrap().0, []);
    }
}
