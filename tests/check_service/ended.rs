//! What the trial leaves behind when an answer gets lost, the service is away, or somebody ends the command: nothing, or what a person must
//! revoke.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use testbed::{Process, Signal};

use super::{Bench, LIFETIME};

/// Long enough for a loaded machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until the command has printed this.
async fn until_seen(process: &mut Process, log: &Path, seen: &str) {
    let look = || {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        async move { if text.contains(seen) { Ok(()) } else { Err(text) } }
    };
    process.wait_until(seen, DEADLINE, look).await.unwrap();
}

#[tokio::test]
async fn a_token_whose_answer_got_lost_is_found_by_its_name_and_revoked() {
    for fault in [
        json!({"kind": "LoseAnswer"}),
        json!({"kind": "CutBody"}),
        json!({"kind": "GarbageBody"}),
        json!({"kind": "Status", "status": 500, "when": "After"}),
        json!({"kind": "LandLate", "milliseconds": 300}),
    ] {
        let bench = Bench::start().await;
        let mut faults = fault.clone();
        faults["operation"] = json!("generate");
        faults["count"] = json!(1);
        bench.service.faults(json!([faults])).await.unwrap();
        let objects = [bench.object(|_| {}), bench.secret()];
        let told = bench.run(bench.command(&objects, &[LIFETIME, "--settle=30s"])).await;
        told.assert(
            1,
            &["ok: one of its 1 tokens is this one", "Nothing is left at the service.", "failed: generate\n"],
        );
        bench.assert_clean(1, &told).await;
    }
}

#[tokio::test]
async fn a_token_that_nobody_can_find_is_told_with_its_name() {
    let bench = Bench::start().await;
    let faults = json!([
        {"operation": "generate", "kind": "LoseAnswer", "count": 1},
        {"operation": "list", "kind": "Status", "status": 500},
    ]);
    bench.service.faults(faults).await.unwrap();
    let told = bench.check(|object| object["spec"]["operations"] = json!({"page": "Settings > Tokens"})).await;
    let name = format!("name:  {}\n", bench.live().await.remove(0).name);
    let where_ = format!("where: the service at {}: Settings > Tokens\n", bench.service.base_url());
    told.assert(1, &["The service may have made a token", "id:    not known", &name, &where_, "a token may be left"]);
}

#[tokio::test]
async fn a_revoke_that_fails_once_is_tried_again() {
    let bench = Bench::start().await;
    let fault = json!({"operation": "revoke", "kind": "Status", "status": 500, "count": 1});
    bench.service.faults(json!([fault])).await.unwrap();
    let told = bench.check(|_| {}).await;
    told.assert(1, &["revoke: status 500", "Nothing is left at the service.", "failed: revoke, prove\n"]);
    bench.assert_clean(1, &told).await;
}

#[tokio::test]
async fn a_service_that_asks_to_wait_is_waited_for() {
    let bench = Bench::start().await;
    let busy =
        |operation| json!({"operation": operation, "kind": "Status", "status": 429, "retryAfter": "1", "count": 1});
    bench.service.faults(json!([busy("generate"), busy("verify"), busy("revoke")])).await.unwrap();
    let told = bench.check(|_| {}).await;
    told.assert(0, &["the service asks to wait: asked again in 1 s"]);
    bench.assert_clean(1, &told).await;
}

#[tokio::test]
async fn a_service_that_takes_a_moment_is_waited_for() {
    let bench = Bench::start().await;
    let url = format!("{}/control/settings", bench.service.control_url());
    let lags = json!({"listLagMilliseconds": 700, "settleMilliseconds": 700, "revokeLagMilliseconds": 700});
    let request = testbed::http::with_json(testbed::http::client().unwrap().put(url), &lags);
    assert_eq!(testbed::http::answer(request).await.unwrap().0, 200);
    let told = bench.run(bench.command(&[bench.object(|_| {}), bench.secret()], &[LIFETIME, "--settle=30s"])).await;
    told.assert(0, &["answers; the last one:", "ok: the service accepts the token"]);
    bench.assert_clean(1, &told).await;
}

#[tokio::test]
async fn who_ends_the_command_leaves_no_token_behind() {
    // The answer to generate is waited for, the others are not.
    for (signal, operation, seen, milliseconds) in [
        (Signal::Interrupt, "verify", "\nverify\n", 25_000),
        (Signal::Terminate, "list", "\nlist\n", 25_000),
        (Signal::Interrupt, "generate", "\ngenerate\n  > POST", 8_000),
    ] {
        let bench = Bench::start().await;
        // Before the trial the list is read once.
        let skip = u64::from(operation == "list");
        let slow =
            json!({"operation": operation, "kind": "Latency", "milliseconds": milliseconds, "count": 1, "skip": skip});
        bench.service.faults(json!([slow])).await.unwrap();
        let command = bench.command(&[bench.object(|_| {}), bench.secret()], &[LIFETIME]);
        let log = bench.folder.path().join("log");
        let mut process = Process::start("check-service", &command, &log).unwrap();
        until_seen(&mut process, &log, seen).await;
        let status = process.stop(signal, DEADLINE).await.unwrap();
        let text = process.log();
        bench.assert_no_value(&text);
        assert_eq!(status.code(), Some(1), "{text}");
        assert!(text.contains("ended early; nothing is left at the service"), "{operation}: {text}");
        let tokens = bench.service.books().await.unwrap().tokens;
        assert!(tokens.len() == 1 && bench.live().await.is_empty(), "{operation}: {tokens:#?}\n{text}");
    }
}

#[tokio::test]
async fn where_ids_are_given_again_no_second_revoke_goes_to_an_id_that_may_be_anothers() {
    for (ids, revokes) in [("Reused", 1), ("Unique", 2)] {
        let bench = Bench::start().await;
        // The first revoke works, and neither its answer nor what would prove it arrives.
        let faults = json!([
            {"operation": "revoke", "kind": "LoseAnswer", "count": 1},
            {"operation": "verify", "kind": "Status", "status": 500, "skip": 3, "count": 1},
            {"operation": "list", "kind": "Status", "status": 500, "skip": 2, "count": 1},
        ]);
        bench.service.faults(faults).await.unwrap();
        let told = bench.check(|object| object["spec"]["operations"] = json!({"ids": ids})).await;
        told.assert(1, &["ok: the service refuses the token now", "failed: revoke, prove\n"]);
        bench.assert_clean(1, &told).await;
        assert_eq!(bench.service.books().await.unwrap().calls.revoke, revokes, "{ids}: {}", told.text);
    }
}

#[tokio::test]
async fn who_ends_it_before_generate_is_sent_makes_no_token() {
    let bench = Bench::start().await;
    let busy = json!({"operation": "generate", "kind": "Status", "status": 429, "retryAfter": "60", "count": 1});
    bench.service.faults(json!([busy])).await.unwrap();
    let command = bench.command(&[bench.object(|_| {}), bench.secret()], &[LIFETIME]);
    let log = bench.folder.path().join("log");
    let mut process = Process::start("check-service", &command, &log).unwrap();
    until_seen(&mut process, &log, "the service asks to wait: asked again in 60 s").await;
    let status = process.stop(Signal::Interrupt, DEADLINE / 2).await.unwrap();
    assert_eq!(status.code(), Some(1), "{}", process.log());
    assert!(process.log().contains("ended early; nothing is left"), "{}", process.log());
    assert!(bench.service.books().await.unwrap().tokens.is_empty());
}

#[tokio::test]
async fn who_ends_it_twice_is_told_what_stays_and_the_next_trial_tells_it_again() {
    let bench = Bench::start().await;
    let slow = json!({"operation": "verify", "kind": "Latency", "milliseconds": 25_000, "count": 1});
    let fails = json!({"operation": "revoke", "kind": "Status", "status": 500, "count": 1});
    bench.service.faults(json!([slow, fails])).await.unwrap();
    let command = bench.command(&[bench.object(|_| {}), bench.secret()], &[LIFETIME, "--settle=60s"]);
    let log = bench.folder.path().join("log");
    let mut process = Process::start("check-service", &command, &log).unwrap();
    until_seen(&mut process, &log, "\nverify\n").await;
    process.signal(Signal::Interrupt).unwrap();
    // The revoke has failed, and the token is still accepted.
    until_seen(&mut process, &log, "\nprove\n").await;
    let status = process.stop(Signal::Interrupt, DEADLINE).await.unwrap();
    let text = process.log();
    bench.assert_no_value(&text);
    let row = bench.live().await.remove(0);
    assert_eq!(status.code(), Some(1), "{text}");
    assert!(text.contains("Revoke it by hand:") && text.contains(&format!("id:    {}", row.id)), "{text}");
    let own = row.name.split(' ').next().unwrap();
    bench.check(|_| {}).await.assert(0, &[&format!("The token {own} is of another trial: revoke it by hand")]);
}

#[tokio::test]
async fn without_a_connection_each_step_says_so_once() {
    let bench = Bench::start().await;
    let told = bench.check(|object| object["spec"]["baseURL"] = json!("http://127.0.0.1:1")).await;
    told.assert(1, &["nothing listens there", "not tried: there is no connection to the service", "failed: generate"]);
    bench.assert_clean(0, &told).await;
}
