//! A right declaration, and each operation declared wrong: what is told, and that nothing stays.

use serde_json::{Value, json};

use super::{Bench, LIFETIME};

/// The preset's operations, with one value replaced at a JSON pointer below `spec.operations`.
fn wrong(pointer: &str, value: Value) -> impl FnOnce(&mut Value) {
    move |object| {
        let (operation, rest) = pointer.split_once('/').unwrap();
        let mut operations: Value =
            serde_saphyr::from_str(include_str!("../../src/service/presets/Reference.yaml")).unwrap();
        let mut declared = operations["operations"][operation].take();
        *declared.pointer_mut(&format!("/{rest}")).unwrap() = value;
        object["spec"]["operations"] = json!({operation: declared});
    }
}

#[tokio::test]
async fn a_right_declaration_passes_each_step_and_shows_what_was_sent_and_what_came_back() {
    let bench = Bench::start().await;
    let told = bench.check(|_| {}).await;
    let base = bench.service.base_url();
    told.assert(
        0,
        &[
            &format!("\ngenerate\n  > POST {base}/v1/tokens\n"),
            "  > Authorization: Bearer ****\n",
            "check-service\", \"lifetimeSeconds\": 3600, \"scopes\": []}\n",
            "  < status 201 after ",
            r#"{"id": text, "token": text, "name": text, "createdTime": text, "expirationTime": text, "scopes": []}"#,
            "\nverify\n",
            "ok: the service accepts the token\n",
            "\nverify without a token\n",
            "\nverify with a wrong token\n",
            "ok: one of its 1 tokens is this one, id tok_",
            &format!("\nrevoke\n  > DELETE {base}/v1/tokens/tok_"),
            "\nprove\n",
            "ok: the service refuses the token now\n",
            "ok: the list does not have the token any more\n",
            "nothing is left at the service",
        ],
    );
    bench.assert_clean(1, &told).await;
    let row = bench.service.books().await.unwrap().tokens.remove(0);
    assert!(row.name.starts_with("test.") && row.name.ends_with(" check-service"), "{}", row.name);
}

#[tokio::test]
async fn all_pages_of_the_list_are_read_and_shown() {
    let bench = Bench::start().await;
    for name in ["one", "two"] {
        bench.generate(name).await;
    }
    let told = bench.check(wrong("list/request/query/limit", json!("1"))).await;
    let page = |number: u32| format!("  next page: GET {}/v1/tokens?limit=1&page={number}\n", bench.service.base_url());
    told.assert(0, &[&page(2), &page(3), "ok: one of its 3 tokens is this one"]);
    assert_eq!(bench.live().await.len(), 2, "the tokens of others stay");
}

#[tokio::test]
async fn each_operation_that_is_declared_wrong_is_told_with_its_field_and_the_token_is_revoked() {
    for (pointer, value, made, wanted) in [
        (
            "generate/request/path",
            json!("/v1/tokn"),
            0,
            vec!["FAILED: generate: the service does not know this address", "failed: generate"],
        ),
        (
            "generate/request/json",
            json!(r#"{"nam": {{ name }}, "lifetimeSeconds": {{ lifetimeSeconds }}}"#),
            0,
            vec!["unknown field `nam`", "spec.operations.generate.request"],
        ),
        (
            "generate/success",
            json!([200]),
            1,
            vec![
                "status 201 is not one of spec.operations.generate.success",
                "not tried: no value of a token is known",
                "ok: one of its 1 tokens is this one",
            ],
        ),
        (
            "generate/response/value",
            json!("$.tokn"),
            1,
            vec!["correct spec.operations.generate.response.value", "ok: the list does not have the token any more"],
        ),
        (
            "generate/response/id",
            json!("$.nope"),
            1,
            vec!["correct spec.operations.generate.response.id", "ok: the list does not have the token any more"],
        ),
        (
            "generate/response/id",
            json!("$.name"),
            1,
            vec![
                "let spec.operations.list.item.id and spec.operations.generate.response.id be the id that revoke takes",
                "ok: the service refuses the token now",
            ],
        ),
        (
            "generate/response/value",
            json!("$.createdTime"),
            1,
            vec![
                "look whether spec.operations.generate.response.value is the token",
                "ok: the list does not have the token any more",
            ],
        ),
        (
            "verify/request/path",
            json!("/v1/open"),
            1,
            vec![
                "\nverify without a token",
                "so it proves nothing",
                "failed: verify without a token, verify with a wrong token\n",
            ],
        ),
        (
            "verify/request/path",
            json!("/v1/whoam"),
            1,
            vec![
                "declare it in spec.operations.verify",
                "failed: verify, verify without a token, verify with a wrong token\n",
            ],
        ),
        (
            "verify/request/headers/Authorization",
            json!("Token {{ token }}"),
            1,
            vec!["how spec.operations.verify.request sends it", "failed: verify\n"],
        ),
        (
            "list/request/path",
            json!("/v1/lst"),
            1,
            vec!["check spec.baseURL and spec.operations.list.request", "failed: list\n"],
        ),
        ("list/items", json!("$.rows[*]"), 1, vec!["correct spec.operations.list.items", "failed: list\n"]),
        (
            "list/items",
            json!("$.items[?@.scopes=='none']"),
            1,
            vec!["has 0 tokens, and not this one: look at spec.operations.list.items", "failed: list\n"],
        ),
        ("list/item/id", json!("$.name"), 1, vec!["the id that revoke takes", "failed: list\n"]),
        (
            "list/item/name",
            json!("$.createdTime"),
            1,
            vec!["under another name", "spec.operations.list.item.name", "failed: list\n"],
        ),
        ("list/item/name", json!("$.nope"), 1, vec!["under another name", "failed: list\n"]),
    ] {
        let bench = Bench::start().await;
        let told = bench.check(wrong(pointer, value)).await;
        told.assert(1, &wanted);
        assert!(told.text.contains("Nothing is left at the service."), "{pointer}:\n{}", told.text);
        bench.assert_clean(made, &told).await;
    }
}

#[tokio::test]
async fn a_revoke_that_does_not_revoke_is_told_with_the_token_that_stays() {
    let revoke = |request: Value, success: Value| json!({"request": request, "success": success});
    let get = json!({"method": "GET", "path": "/v1/tokens/{{ id }}"});
    let elsewhere = json!({"method": "DELETE", "path": "/v1/tokn/{{ id }}"});
    for (declared, wanted) in [
        (
            revoke(get, json!([200])),
            "the service still accepts the token 1 s after the revoke: look at spec.operations.revoke.request",
        ),
        (
            revoke(elsewhere, json!([204])),
            "the service says that there is no such token, and there was one a moment ago",
        ),
    ] {
        let bench = Bench::start().await;
        let told = bench.check(|object| object["spec"]["operations"] = json!({"revoke": declared})).await;
        let row = bench.live().await.remove(0);
        let (id, name) = (format!("id:    {}\n", row.id), format!("name:  {}\n", row.name));
        let place = format!("where: the service at {}\n", bench.service.base_url());
        let told_of = [wanted, "the list still has the token", "Revoke it by hand:", &id, &name, &place];
        told.assert(1, &told_of);
        assert!(told.text.ends_with("Error: a token may be left at the service\n"), "{}", told.text);
    }
}

#[tokio::test]
async fn no_token_is_made_where_one_more_could_end_another() {
    let bench = Bench::start().await;
    bench.generate("in use").await;
    let told = bench.check(|object| object["spec"]["limits"]["maximumLiveTokens"] = json!(1)).await;
    told.assert(
        1,
        &["FAILED: not sent: the list has 1 tokens, and spec.limits.maximumLiveTokens is 1", "failed: generate\n"],
    );
    let unread = |object: &mut Value| {
        wrong("list/request/path", json!("/v1/lst"))(object);
        object["spec"]["limits"]["maximumLiveTokens"] = json!(9);
    };
    bench.check(unread).await.assert(1, &["not sent: the list cannot be read", "failed: generate, list\n"]);
    assert_eq!(bench.service.books().await.unwrap().tokens.len(), 1);
}

#[tokio::test]
async fn no_token_is_made_that_nobody_could_revoke() {
    let bench = Bench::start().await;
    let told = bench
        .check(|object| {
            let file = include_str!("../../src/service/presets/Reference.yaml");
            let mut preset: Value = serde_saphyr::from_str(file).unwrap();
            preset["operations"].as_object_mut().unwrap().remove("revoke");
            object["spec"]["preset"] = json!("Custom");
            object["spec"]["operations"] = preset["operations"].take();
        })
        .await;
    told.assert(
        0,
        &[
            "not tried: the declaration has no spec.operations.revoke, so the token would stay",
            "All that was tried works.\n",
        ],
    );
    bench.assert_clean(0, &told).await;
}

#[tokio::test]
async fn no_revoke_goes_to_an_id_that_was_another_tokens_before() {
    let bench = Bench::start().await;
    bench.generate("another").await;
    let other = bench.live().await.remove(0).id;
    let told = bench
        .check(|object| {
            wrong("generate/response/id", json!("$.scopes[0]"))(object);
            let operations = &mut object["spec"]["operations"];
            operations["naming"] = json!({"unsupported": true});
            operations["generate"]["request"]["json"] = json!(
                r#"{"name": "fixed", "lifetimeSeconds": {{ lifetimeSeconds }}, "scopes": {{ parameters.scopes }}}"#
            );
            object["spec"]["defaults"] = json!({"parameters": {"scopes": [other.clone()]}});
        })
        .await;
    told.assert(
        1,
        &[
            "the list had the id",
            "so it is another token's: look at spec.operations.generate.response.id",
            "a token may be left",
        ],
    );
    assert!(bench.live().await.iter().any(|row| row.id == other), "the token of somebody else lives");
}

#[tokio::test]
async fn a_service_where_people_make_tokens_is_asked_about_a_token_of_theirs_alone() {
    let bench = Bench::start().await;
    let value = bench.generate("by hand").await;
    let object = bench.object(|object| {
        let operations = json!({"page": "Settings > Tokens", "verify": {
            "request": {"method": "GET", "path": "/v1/whoami", "headers": {"Authorization": "Bearer {{ token }}"}},
            "accepted": {"statuses": [200]}, "refused": {"statuses": [401]},
        }});
        object["spec"]["preset"] = json!("Custom");
        object["spec"]["credentials"] = json!({});
        object["spec"]["operations"] = operations;
    });
    let none = bench.run(bench.command(std::slice::from_ref(&object), &[])).await;
    none.assert(
        0,
        &[
            "not tried: a person makes the tokens of this service (Settings > Tokens): verify one with --token-file",
            "ok: the service refuses it",
        ],
    );
    let file = bench.write("token", &format!("{value}\n"));
    let with = format!("--token-file={}", file.display());
    let told = bench.run(bench.command(std::slice::from_ref(&object), &[&with])).await;
    told.assert(
        0,
        &[
            "not tried: --token-file has the token",
            "ok: the service accepts the token",
            "not tried: the declaration has no spec.operations.list",
        ],
    );
    assert_eq!(bench.live().await.len(), 1, "the token is not of the trial");
    let wrong = bench.write("wrong", "no-token-of-the-service");
    let with = format!("--token-file={}", wrong.display());
    let told = bench.run(bench.command(&[object], &[&with, LIFETIME])).await;
    told.assert(1, &["the service refuses the token: look whether it is a valid one", "failed: verify\n"]);
}
