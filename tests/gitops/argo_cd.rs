//! Health and actions of Argo CD, which runs them in a Lua interpreter without a standard library but for `os.date`.

use mlua::{Lua, LuaOptions, LuaSerdeExt as _, StdLib};
use serde_json::{Value, json};

use crate::documented;
use crate::situations::{services, tokens};

/// Runs a script on an object, as Argo CD does.
fn run(script: &str, object: &Value) -> Value {
    let lua = Lua::new_with(
        StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::OS | StdLib::PACKAGE,
        LuaOptions::default(),
    );
    let lua = lua.unwrap();
    lua.globals().set("obj", lua.to_value(object).unwrap()).unwrap();
    let answer: mlua::Value = lua.load(script).eval().unwrap_or_else(|error| panic!("{error}\n{object:#}"));
    lua.from_value(answer).unwrap()
}

fn data(key: &str) -> String {
    let map = documented("ConfigMap", "argocd-cm");
    map["data"][format!("resource.customizations.{key}")].as_str().unwrap_or_else(|| panic!("no {key}")).to_owned()
}

#[test]
fn argo_cd_shows_the_health_of_each_situation() {
    let of_services = || services().into_iter();
    for (kind, situations) in [
        ("ArtifactToken", tokens()),
        ("TokenService", of_services().collect()),
        ("ClusterTokenService", of_services().collect()),
    ] {
        let script = data(&format!("health.artifact-token.dev_{kind}"));
        for situation in situations {
            let health = run(&script, &situation.object);
            assert_eq!(health["status"], situation.argo_cd, "{kind}, {}: {health}", situation.name);
            assert!(health["message"].is_string(), "{kind}, {}: {health}", situation.name);
        }
    }
}

#[test]
fn the_message_is_that_of_the_condition_that_asks_for_something() {
    let script = data("health.artifact-token.dev_ArtifactToken");
    let check = |name: &str, message: &str| {
        let situation = tokens().into_iter().find(|situation| situation.name == name).unwrap();
        assert_eq!(run(&script, &situation.object)["message"], message, "{name}");
    };
    check("ready", "says Ready");
    check("a hand-over is due soon", "says HandOverDue");
    check("stalled with a token", "says Stalled");
}

#[test]
fn the_actions_of_argo_cd_do_what_they_say() {
    let actions: Value = serde_saphyr::from_str(&data("actions.artifact-token.dev_ArtifactToken")).unwrap();
    let script = |name: &str| {
        let definitions = actions["definitions"].as_array().unwrap();
        let found = definitions.iter().find(|action| action["name"] == name).unwrap_or_else(|| panic!("no {name}"));
        found["action.lua"].as_str().unwrap().to_owned()
    };
    let object =
        |suspend: bool| json!({"metadata": {"name": "ci", "labels": {"a": "b"}}, "spec": {"suspend": suspend}});
    let disabled = |suspend| {
        let found = run(actions["discovery.lua"].as_str().unwrap(), &object(suspend));
        ["rotate", "suspend", "resume"].map(|name| found[name]["disabled"].as_bool().unwrap())
    };
    assert_eq!((disabled(false), disabled(true)), ([false, false, true], [true, true, false]));
    assert_eq!(run(&script("suspend"), &object(false)), object(true));
    assert_eq!(run(&script("resume"), &object(true)), object(false));
    let mut rotated = run(&script("rotate"), &object(false));
    let annotations = rotated["metadata"]["annotations"].take();
    let asked = annotations[artifact_token_operator::api::artifact_token::ROTATE_REQUESTED_AT].as_str().unwrap();
    assert!(chrono::DateTime::parse_from_rfc3339(asked).is_ok(), "{asked}");
    rotated["metadata"].as_object_mut().unwrap().remove("annotations");
    assert_eq!(rotated, object(false), "and nothing else");
}
