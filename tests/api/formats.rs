//! Every format, as its shape says: the API server requires the fields that the format needs, and refuses the fields that it
//! would not use.

use artifact_token_operator::api::secret_template::{Format, Registry, Username};
use serde_json::{Value, json};

use crate::bases::{small, with};
use crate::world::{Kind, check_all, world};

/// An entry, and the beginning of the message that refuses it; `None` if the API server accepts it.
type Case = (Value, Option<&'static str>);

#[tokio::test]
async fn every_format_has_the_fields_that_its_shape_says_and_no_other() {
    let world = world().await;
    let cases: Vec<Case> = Format::ALL.into_iter().flat_map(cases).collect();
    check_all(&cases, |(entry, refused)| {
        let world = &world;
        async move {
            // The Secret needs an entry that the operator can read back. With this one, only `entry` decides.
            let data = json!({"/spec/secret/data": [{"key": "beside", "format": "Raw"}, entry]});
            let verdict = world.try_create(Kind::ArtifactToken, &with(&small(Kind::ArtifactToken), &data)).await;
            let judged = match refused {
                Some(words) => verdict.refused_with(&[words]).map(drop),
                None => verdict.result().map(drop),
            };
            judged.map_err(|problem| format!("{entry}: {problem}"))
        }
    })
    .await;
}

/// The smallest and the largest valid entry of the format, and each step beyond them.
fn cases(format: Format) -> Vec<Case> {
    let shape = format.shape();
    let least = least(format);
    let mut cases = vec![(least.clone(), None)];
    let mut one = |field: &str, value: Value, refused| cases.push((with_field(&least, field, value), refused));
    let (user, host) = (json!("payments"), json!("https://npm.example/"));
    match shape.username {
        Username::Refused => one("username", user.clone(), Some("remove username")),
        Username::Optional => one("username", user.clone(), None),
        Username::Required => one("username", Value::Null, Some("set username")),
        Username::WithBasic => {
            one("username", user.clone(), Some("remove username"));
            one("auth", json!("Basic"), Some("set username"));
            cases.push((with_field(&with_field(&least, "auth", json!("Basic")), "username", user), None));
        }
    }
    let mut one = |field: &str, value: Value, refused| cases.push((with_field(&least, field, value), refused));
    match shape.registry {
        Registry::Refused => one("registry", host, Some("remove registry")),
        Registry::Optional => one("registry", host, None),
        Registry::Required => {
            one("registry", Value::Null, Some("set registry"));
            one("registry", json!("npm.example"), None);
        }
        Registry::Url => {
            one("registry", Value::Null, Some("set registry"));
            one("registry", json!("npm.example"), Some("start registry with https://"));
        }
    }
    let npm = (!shape.npm).then_some("remove scopes and auth");
    one("scopes", json!(["@payments"]), npm);
    one("auth", json!("Bearer"), npm);
    one("template", if shape.template { Value::Null } else { json!("x") }, Some("set template"));
    cases
}

/// An entry with only the fields that its format needs.
fn least(format: Format) -> Value {
    let shape = format.shape();
    let mut entry = json!({"key": shape.keys.map_or("file", |keys| keys.token), "format": format});
    if shape.username == Username::Required {
        entry["username"] = json!("payments");
    }
    if matches!(shape.registry, Registry::Required | Registry::Url) {
        entry["registry"] = json!("https://npm.example/");
    }
    if shape.template {
        entry["template"] = json!("{{ token }}");
    }
    entry
}

/// `entry` with another value in one field; null removes the field.
fn with_field(entry: &Value, field: &str, value: Value) -> Value {
    with(entry, &json!({format!("/{field}"): value}))
}
