//! The token that a trial asks for.

use anyhow::anyhow;
use artifact_token_operator::api::ids::Nonce;
use artifact_token_operator::api::parameters::{Lifetime, ParameterValue, Parameters};
use artifact_token_operator::api::time::Time;
use artifact_token_operator::rotation::identity::{self, NONCE_BYTES, Name};
use artifact_token_operator::service::client::answers::GenerateRequest;
use artifact_token_operator::service::declaration::Declaration;

use super::manifest::Manifest;
use super::{Arguments, Usage};

/// No Kubernetes object has this text as its uid, so the token of a trial is nobody's.
pub(super) const IDENTITY: &str = "kubectl artifact-token check-service";
/// What comes after the operator's own part of the token's name.
const DISPLAY_NAME: &str = "check-service";

/// The trial's token: an identity that no object has, so that no object takes it for its own, and a sweep takes it for an orphan.
pub(super) fn wanted(
    manifest: &Manifest,
    declaration: &Declaration,
    arguments: &Arguments,
) -> anyhow::Result<GenerateRequest> {
    let defaults = manifest.spec.defaults.as_ref();
    let lifetime = match &arguments.lifetime {
        Some(text) => Lifetime::parse(text).ok_or_else(|| {
            Usage("--lifetime: write Never or a duration such as 720h (there are no days)".to_owned())
        })?,
        None => defaults.and_then(|defaults| defaults.lifetime).unwrap_or(Lifetime::Never),
    };
    declaration.check_lifetime(lifetime).map_err(|why| Usage(format!("--lifetime: {why}")))?;
    let parameters = parameters(&arguments.parameters)?;
    let parameters = declaration.check_parameters(&parameters).map_err(|why| Usage(format!("--parameter: {why}")))?;
    let own = Name { uid16: identity::uid16(IDENTITY), attempt: 1, nonce: random_nonce()? };
    let (prefix, shown) = (declaration.prefix().unwrap_or_default(), declaration.display_part(DISPLAY_NAME));
    let name = declaration.maximum_name_length().map(|most| identity::format(prefix, &own, shown, most));
    let now = Time::from(chrono::Utc::now());
    Ok(GenerateRequest { name, display_name: Some(DISPLAY_NAME.to_owned()), lifetime, parameters, now, claimed: now })
}

fn random_nonce() -> anyhow::Result<Nonce> {
    let mut random = [0; NONCE_BYTES];
    getrandom::fill(&mut random).map_err(|_| anyhow!("the system has no random bytes"))?;
    Ok(identity::nonce(random))
}

/// The parameters of the command line. One that is given twice is a list.
fn parameters(pairs: &[String]) -> Result<Parameters, Usage> {
    let mut parameters = Parameters::new();
    for pair in pairs {
        let (name, value) = pair.split_once('=').ok_or_else(|| Usage("--parameter: write NAME=VALUE".to_owned()))?;
        let value = match serde_json::from_str::<Vec<String>>(value) {
            Ok(list) => ParameterValue::List(list),
            Err(_) => ParameterValue::Text(value.to_owned()),
        };
        let texts = |value: &ParameterValue| value.texts().unwrap_or_default().to_vec();
        let both = match parameters.remove(name) {
            Some(before) => ParameterValue::List([texts(&before), texts(&value)].concat()),
            None => value,
        };
        parameters.insert(name.to_owned(), both);
    }
    Ok(parameters)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use artifact_token_operator::rotation::service_sweep::{NamedToken, sort};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_sweep_takes_the_token_of_a_trial_for_one_without_an_object() {
        let own = Name { uid16: identity::uid16(IDENTITY), attempt: 1, nonce: random_nonce().unwrap() };
        let name = identity::format("prod", &own, DISPLAY_NAME, 255);
        assert_eq!(identity::parse("prod", &name), Some(own));
        let row = NamedToken { id: None, name };
        // The uid of an object, whose own tokens stay what they are.
        let owners = [("6a1f0c1e-0000-4000-8000-000000000000".to_owned(), Default::default())].into();
        let found = sort("prod", [row.clone()], &owners, true, Time::from_millis(0));
        assert_eq!((found.ownerless, found.suspects.len()), (Some(vec![row]), 0));
    }

    #[test]
    fn parameters_are_texts_or_lists() {
        let read = |pairs: &[&str]| {
            let pairs: Vec<String> = pairs.iter().map(|pair| (*pair).to_owned()).collect();
            parameters(&pairs).map(|read| json!(read)).map_err(|error| error.to_string())
        };
        assert_eq!(read(&["role=Admin=1", "empty="]), Ok(json!({"role": "Admin=1", "empty": ""})));
        assert_eq!(read(&[r#"scopes=["a","b"]"#, "scopes=c"]), Ok(json!({"scopes": ["a", "b", "c"]})));
        assert_eq!(read(&["scopes=[a]"]), Ok(json!({"scopes": "[a]"})));
        assert!(read(&["role"]).unwrap_err().contains("NAME=VALUE"));
    }
}
