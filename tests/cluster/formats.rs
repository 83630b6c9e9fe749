//! The content of the Secret, as the tools of its consumers read it.

use data_encoding::BASE64;
use serde_json::{Value, json};

use support::World;
use support::acts::ledger;

#[tokio::test(flavor = "multi_thread")]
async fn each_format_holds_the_token_in_the_words_of_its_tool() {
    let world = World::quick("formats").await;
    let _operator = world.operator().await;
    world.create("files", |spec| {
        spec["secret"]["data"] = json!([
            {"key": "token", "format": "Raw"},
            {"key": ".npmrc", "format": "Npmrc", "registry": "https://npm.example/", "scopes": ["@payments"]},
            {
                "key": "seal.toml", "format": "Template", "username": "payments", "registry": "https://npm.example/",
                "template": "key = {{ token | toml }}\nuser = {{ username | toml }}\nid = {{ id | toml }}\nhost = {{ host | toml }}\n",
            },
        ]);
    })
    .await;
    world.create("pull", |spec| {
        spec["secret"]["type"] = json!("kubernetes.io/dockerconfigjson");
        let entry = json!({"key": ".dockerconfigjson", "format": "DockerConfigJson", "registry": "oci.example:5000", "username": "ci"});
        spec["secret"]["data"] = json!([entry]);
    })
    .await;
    world
        .create("basic", |spec| {
            spec["secret"]["type"] = json!("kubernetes.io/basic-auth");
            spec["secret"]["data"] = json!([{"key": "password", "format": "BasicAuth", "username": "ci"}]);
        })
        .await;

    let token = world.until_ready("files").await;
    let value = world.value("files-secret", "token").await;
    assert!(world.accepts(&value).await);
    let npmrc = world.value("files-secret", ".npmrc").await;
    assert!(npmrc.contains("@payments:registry=https://npm.example/"), "{npmrc}");
    assert!(npmrc.contains(&format!("//npm.example/:_authToken={value}")), "{npmrc}");
    let id = ledger(&token).current.unwrap().id;
    let toml = world.value("files-secret", "seal.toml").await;
    assert_eq!(toml, format!("key = \"{value}\"\nuser = \"payments\"\nid = \"{id}\"\nhost = \"npm.example\"\n"));

    world.until_ready("pull").await;
    let secret = world.secret("pull-secret").await.unwrap();
    assert_eq!(secret.type_.as_deref(), Some("kubernetes.io/dockerconfigjson"));
    let config: Value = serde_json::from_str(&world.value("pull-secret", ".dockerconfigjson").await).unwrap();
    let auth = BASE64.decode(config["auths"]["oci.example:5000"]["auth"].as_str().unwrap().as_bytes()).unwrap();
    let auth = String::from_utf8(auth).unwrap();
    assert!(world.accepts(auth.strip_prefix("ci:").unwrap()).await);

    world.until_ready("basic").await;
    let secret = world.secret("basic-secret").await.unwrap();
    assert_eq!(secret.type_.as_deref(), Some("kubernetes.io/basic-auth"));
    assert_eq!(world.value("basic-secret", "username").await, "ci");
    assert!(world.accepts(&world.value("basic-secret", "password").await).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typed_secret_that_was_deleted_comes_back_with_its_type() {
    let world = World::quick("typed").await;
    let _operator = world.operator().await;
    world.create("pull", |spec| {
        spec["secret"]["type"] = json!("kubernetes.io/dockerconfigjson");
        let entry = json!({"key": ".dockerconfigjson", "format": "DockerConfigJson", "registry": "oci.example", "username": "ci"});
        spec["secret"]["data"] = json!([entry]);
    })
    .await;
    world.until_ready("pull").await;
    world.delete_secret("pull-secret").await;
    world.until_attempt("pull", 2).await;
    let secret = world.secret("pull-secret").await.unwrap();
    assert_eq!(secret.type_.as_deref(), Some("kubernetes.io/dockerconfigjson"));
    world.until_live("one token lives", |live| live.len() == 1).await;
    assert_eq!(world.count().await, 2);
}
