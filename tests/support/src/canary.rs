//! Secret values may stand only in the data of Secrets (S9). This module looks for them where people could read them.

use data_encoding::{BASE64, BASE64URL, Encoding};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams};
use serde::Serialize;
use testbed::http;

use super::World;

/// Shorter values could stand somewhere by chance.
const MIN_LENGTH: usize = 16;
/// Bytes of a text before and after the finding, for the message.
const AROUND: usize = 60;

/// Values to look for, in every form in which they could leak.
#[derive(Clone, Debug, Default)]
pub struct Canary(Vec<Needle>);

#[derive(Clone, Debug)]
struct Needle {
    what: String,
    form: &'static str,
    text: String,
}

impl Canary {
    /// Adds `value` to the search; `what` is its name in messages.
    pub fn add(&mut self, what: &str, value: &str) {
        assert!(value.len() >= MIN_LENGTH, "{what} is too short to be looked for");
        for (form, text) in forms(value) {
            self.0.push(Needle { what: what.to_owned(), form, text });
        }
    }

    /// The values that stand in these texts, each of which has a name.
    pub fn find_in(&self, places: &[(String, String)]) -> Vec<String> {
        places.iter().flat_map(|(place, text)| self.find(place, text)).collect()
    }

    /// The values that stand in `text`, in sentences that do not show them.
    pub fn find(&self, place: &str, text: &str) -> Vec<String> {
        let found = self.0.iter().filter_map(|needle| {
            let at = text.find(&needle.text)?;
            let before: String = text[..at].chars().rev().take(AROUND).collect();
            let before: String = before.chars().rev().collect();
            Some(format!("{place} has {} ({}) behind: {before}", needle.what, needle.form))
        });
        found.collect()
    }
}

/// The value as it is, in base64 of both alphabets at any offset of the encoded text, and percent-encoded.
fn forms(value: &str) -> Vec<(&'static str, String)> {
    let percent = |keep: fn(u8) -> bool| {
        let one = |byte: u8| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
        value.bytes().map(one).collect::<String>()
    };
    let mut forms = vec![
        ("as it is", value.to_owned()),
        ("percent-encoded", percent(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))),
        ("percent-encoded but for letters and digits", percent(|byte| byte.is_ascii_alphanumeric())),
        ("percent-encoded throughout", percent(|_| false)),
        ("percent-encoded throughout", percent(|_| false).to_lowercase()),
    ];
    for offset in 0..3 {
        forms.push(("in base64", shifted(&BASE64, value, offset)));
        forms.push(("in base64url", shifted(&BASE64URL, value, offset)));
    }
    forms
}

/// The characters of the encoding that depend on the value alone, when `offset` other bytes stand before it.
fn shifted(encoding: &Encoding, value: &str, offset: usize) -> String {
    let bytes = [vec![0; offset], value.as_bytes().to_vec()].concat();
    let encoded = encoding.encode(&bytes);
    encoded[(offset * 8).div_ceil(6)..bytes.len() * 8 / 6].to_owned()
}

/// The objects and events that people can read in a world, each with its name, and without the data of Secrets.
pub async fn objects(world: &World) -> Vec<(String, String)> {
    let all = ListParams::default();
    let events: Api<Event> = Api::namespaced(world.client.clone(), &world.namespace);
    let mut secrets: Vec<Secret> = world.secrets().list(&all).await.expect("list Secrets").items;
    secrets.iter_mut().for_each(|secret| secret.data = None);
    vec![
        ("an event".to_owned(), json(&events.list(&all).await.expect("list events").items)),
        ("an ArtifactToken".to_owned(), json(&world.tokens().list(&all).await.expect("list tokens").items)),
        ("a TokenService".to_owned(), json(&world.services().list(&all).await.expect("list services").items)),
        ("a Secret's metadata".to_owned(), json(&secrets)),
    ]
}

/// The page of an operator's metrics.
pub async fn metrics(admin_address: &str) -> String {
    let request = http::client().expect("a client").get(format!("http://{admin_address}/metrics"));
    let (_, page) = http::answer(request).await.unwrap_or_else(|error| panic!("no metrics: {error:#}"));
    assert!(page.contains("artifacttoken_panics_total"), "no page of metrics: {page}");
    page
}

fn json(objects: &impl Serialize) -> String {
    serde_json::to_string(objects).expect("JSON")
}
