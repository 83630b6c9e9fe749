//! The exact cost of a token, for 100 tokens: the API server's audit log and the service's own books count it.
//!
//! | step | writes | other | service requests |
//! |---|---|---|---|
//! | first issue | 3: finalizer, Secret, status | 1 dry-run | 2: generate, verify |
//! | rotation | 4: claim, Secret, verified, revoked | 1 dry-run, 1 read | 6: generate, try, verify, ask, revoke, prove |
//! | deletion | 2: Secret, finalizer | 1 read | 3: ask, revoke, prove |
//! | steady, and a restart | 0 | 0 | 0 |
//!
//! And at most one event a cycle. No sweep is due in this time: one would cost a status write a day and token, to tell its last use.
//!
//! An election is counted apart: the leader writes the Lease each 5 s, and a standby asks for nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use artifact_token_operator::api::artifact_token::{ArtifactToken, ROTATE_REQUESTED_AT};
use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::reason::Reason;
use futures::future::join_all;
use kube::api::{ListParams, PostParams};
use support::figures::figure;
use support::{World, attempt, credential_yaml, is_ready, service_yaml, token_yaml};
use testbed::audit::{Entry, Mark};
use testbed::control_plane::Options;
use testbed::{Operator, poll};
use tokio::sync::Mutex;

/// The tests run one after the other: an operator that gets no processor for a while repeats requests.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Tokens in each step.
const N: usize = 100;
/// Limit for all tokens, on a loaded machine.
const DEADLINE: Duration = Duration::from_secs(240);
/// The operator has its own user, so that the audit log tells its requests from the test's.
const OPERATOR: &str = "operator";

/// And so has its standby.
const STANDBY: &str = "standby";
/// An election is watched at rest for so many renewals, and how long these take: one comes each five seconds.
const RENEWALS: usize = 4;
const REST: std::ops::RangeInclusive<Duration> = Duration::from_secs(15)..=Duration::from_secs(21);

/// The Secret with the credential of the service.
const CREDENTIAL: &str = "reference-admin";
/// Reads of it in one step, whatever the number of tokens.
const MAX_CREDENTIAL_READS: usize = 5;

/// Requests per step, all tokens together.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    writes: usize,
    dry_runs: usize,
    reads: usize,
    generate: u64,
    verify: u64,
    list: u64,
    revoke: u64,
}

struct Meter<'a> {
    world: &'a World,
    mark: Mark,
}

impl<'a> Meter<'a> {
    async fn start(world: &'a World) -> Self {
        world.service.reset_calls().await.unwrap();
        Self { world, mark: world.plane.mark().await.unwrap() }
    }

    /// Prints the counts since the start. More than one event a token fails. Reads of the service object's credential are no cost of
    /// a token, because a watch by name repeats what was read before; but more than a few of them fail.
    async fn stop(self, step: &str) -> Counts {
        let entries = self.world.plane.audit_since(self.mark).await.unwrap();
        let mut counts = Counts::default();
        let (mut events, mut credential_reads, mut reads, mut writes) = (0, 0, Vec::new(), BTreeMap::new());
        for entry in entries.iter().filter(|entry| entry.user == OPERATOR) {
            match (entry.verb.as_str(), entry.resource.as_str()) {
                ("watch", _) => {}
                ("create", "events") => events += 1,
                ("get" | "list", "secrets") if entry.name == CREDENTIAL => credential_reads += 1,
                ("get" | "list", _) => {
                    counts.reads += 1;
                    reads.push(format!("{} {}/{}", entry.verb, entry.resource, entry.name));
                }
                _ if entry.dry_run => counts.dry_runs += 1,
                (verb, resource) => {
                    counts.writes += 1;
                    *writes.entry(format!("{verb} {resource}/{}", entry.subresource)).or_insert(0) += 1;
                }
            }
        }
        let calls = self.world.service.books().await.unwrap().calls;
        (counts.generate, counts.verify) = (calls.generate, calls.verify);
        (counts.list, counts.revoke) = (calls.list, calls.revoke);
        let per = |count: usize| count as f64 / N as f64;
        let line = format!(
            "cost of {step:<11} per token: writes {:.2}, dry-runs {:.2}, reads {:.2}, events {:.2}; service: generate {:.2}, \
             verify {:.2}, list {:.2}, revoke {:.2}",
            per(counts.writes),
            per(counts.dry_runs),
            per(counts.reads),
            per(events),
            calls.generate as f64 / N as f64,
            calls.verify as f64 / N as f64,
            calls.list as f64 / N as f64,
            calls.revoke as f64 / N as f64,
        );
        figure(&line);
        println!("reads in {step}: {reads:?}; writes: {writes:?}");
        assert!(credential_reads <= MAX_CREDENTIAL_READS, "{credential_reads} reads of the credential in {step}");
        assert!(events <= N, "{events} events for {N} tokens in {step}");
        counts
    }
}

/// The control plane of all tests here.
fn options() -> Options {
    Options::default().user(OPERATOR, &["system:masters"]).user(STANDBY, &["system:masters"])
}

/// What a start costs is none of a token's: the list of all objects, and the first status of the service, which can be seen before
/// they stand in the audit log.
async fn until_begun(world: &World) {
    let look = || async {
        let entries = world.plane.audit().await.map_err(|error| format!("{error:#}"))?;
        let has = |verb: &str, resource: &str| {
            let mut own = entries.iter().filter(|entry| entry.user == OPERATOR);
            own.any(|entry| entry.verb == verb && entry.resource == resource)
        };
        let (watches, tells) = (has("watch", "artifacttokens"), has("update", "tokenservices"));
        if watches && tells {
            Ok(())
        } else {
            Err(format!("watches the objects: {watches}, tells of the service: {tells}"))
        }
    };
    poll("the operator has begun", DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_life_of_a_hundred_tokens_costs_what_the_table_says() {
    let _alone = ALONE.lock().await;
    let world = World::with("costs", options()).await;
    world.apply(&credential_yaml(world.service.admin_key())).await;
    world.apply(&service_yaml("reference", &world.service.base_url())).await;
    let kubeconfig = world.plane.kubeconfig_for(OPERATOR).unwrap();
    let mut operator = Operator::start(world.operator_options_as(kubeconfig)).await.unwrap();
    world.until_service("reference", ConditionType::Ready, Reason::CredentialsAccepted).await;
    until_begun(&world).await;
    let n = N as u64;

    let meter = Meter::start(&world).await;
    for_all(|i| create(&world, i)).await;
    until_all(&world, "all are Ready", |token| is_ready(token) && attempt(token) == 1).await;
    let issue = Counts { writes: 3 * N, dry_runs: N, generate: n, verify: n, ..Counts::default() };
    assert_eq!(meter.stop("first issue").await, issue);

    let meter = Meter::start(&world).await;
    for_all(|i| rotate(&world, i)).await;
    until_all(&world, "all are rotated", |token| attempt(token) == 2 && at_rest(token)).await;
    let (writes, reads) = (4 * N, N);
    let rotation = Counts { writes, dry_runs: N, reads, generate: n, verify: 4 * n, list: 0, revoke: n };
    assert_eq!(meter.stop("rotation").await, rotation);

    let meter = Meter::start(&world).await;
    let before = passes(&operator).await;
    for_all(|i| label(&world, i)).await;
    until_passes(&operator, before + n).await;
    assert_eq!(meter.stop("steady").await, Counts::default());

    let meter = Meter::start(&world).await;
    operator.restart().unwrap();
    operator.ready().await.unwrap();
    until_passes(&operator, n).await;
    let restart = meter.stop("restart").await;
    assert_eq!((restart.writes, restart.dry_runs), (0, 0), "{restart:?}");
    assert_eq!((restart.generate, restart.verify, restart.list, restart.revoke), (0, 0, 0, 0), "{restart:?}");

    let meter = Meter::start(&world).await;
    for_all(|i| delete(&world, i)).await;
    until_none(&world).await;
    let deletion = Counts { writes: 2 * N, reads: N, verify: 2 * n, revoke: n, ..Counts::default() };
    assert_eq!(meter.stop("deletion").await, deletion);
    assert!(world.service.live().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_election_costs_the_leader_a_write_each_five_seconds_and_a_standby_nothing() {
    let _alone = ALONE.lock().await;
    let world = World::with("election", options()).await;
    world.apply(&credential_yaml(world.service.admin_key())).await;
    world.apply(&service_yaml("reference", &world.service.base_url())).await;
    let start = |user: &'static str| {
        let options = world.operator_options_as(world.plane.kubeconfig_for(user).unwrap());
        let namespace = format!("--operator-namespace={}", world.namespace);
        Operator::start(options.argument("--leader-election=on").argument(namespace))
    };
    let _leader = start(OPERATOR).await.unwrap();
    world.apply(&token_yaml("ci")).await;
    world.until_ready("ci").await;
    let _standby = start(STANDBY).await.unwrap();
    until_followed(&world).await;
    let (mark, begun) = (world.plane.mark().await.unwrap(), Instant::now());
    let asked = || async {
        let entries = world.plane.audit_since(mark).await.map_err(|error| format!("{error:#}"))?;
        let of = |user: &str| -> Vec<String> {
            let own = entries.iter().filter(|entry| entry.user == user && entry.namespace == world.namespace);
            own.map(|entry| format!("{} {}/{}", entry.verb, entry.resource, entry.name)).collect()
        };
        let (leader, standby) = (of(OPERATOR), of(STANDBY));
        let renewals = leader.iter().filter(|request| *request == "update leases/artifact-token-operator").count();
        if renewals >= RENEWALS { Ok((leader, standby, renewals)) } else { Err(format!("{leader:?}")) }
    };
    let (leader, standby, renewals) = poll("the Lease is renewed", DEADLINE, asked).await.unwrap();
    let took = begun.elapsed();
    figure(&format!(
        "cost of an election at rest in {:.1} s: leader {renewals} writes of the Lease and {} other requests, standby {} requests",
        took.as_secs_f64(),
        leader.len() - renewals,
        standby.len()
    ));
    assert!(REST.contains(&took) && leader.len() == renewals, "in {took:?}: {leader:?}");
    assert!(standby.is_empty(), "{standby:?}");
}

/// A standby reads the credential at its start, and once more when its watch of it begins.
async fn until_followed(world: &World) {
    let look = || async {
        let entries = world.plane.audit().await.map_err(|error| format!("{error:#}"))?;
        let own = || entries.iter().filter(|entry| entry.user == STANDBY);
        let reads = own().filter(|entry| entry.verb == "get" && entry.name == CREDENTIAL).count();
        let watches = |of: fn(&Entry) -> bool| own().any(|entry| entry.verb == "watch" && of(entry));
        let watched = watches(|entry| entry.resource == "tokenservices") && watches(|entry| entry.name == CREDENTIAL);
        if reads >= 2 && watched { Ok(()) } else { Err(format!("{reads} reads of the credential, watched: {watched}")) }
    };
    poll("the standby has all caches", DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"));
}

fn name(i: usize) -> String {
    format!("token-{i:03}")
}

async fn for_all<F: Future<Output = ()>>(act: impl Fn(usize) -> F) {
    join_all((0..N).map(act)).await;
}

async fn create(world: &World, i: usize) {
    let token = serde_saphyr::from_str(&token_yaml(&name(i))).unwrap();
    world.tokens().create(&PostParams::default(), &token).await.unwrap();
}

async fn rotate(world: &World, i: usize) {
    world.annotate(&name(i), ROTATE_REQUESTED_AT, "1").await;
}

async fn label(world: &World, i: usize) {
    world.patch(&name(i), serde_json::json!({"metadata": {"labels": {"team": "ci"}}})).await;
}

async fn delete(world: &World, i: usize) {
    world.delete(&name(i)).await;
}

/// No token is superseded any more.
fn at_rest(token: &ArtifactToken) -> bool {
    token.status.as_ref().is_some_and(|status| status.ledger.superseded.is_empty())
}

async fn until_all(world: &World, what: &str, check: impl Fn(&ArtifactToken) -> bool) {
    let look = || async {
        let tokens = world.tokens().list(&ListParams::default()).await.map_err(|error| error.to_string())?.items;
        let left: Vec<_> = tokens.iter().filter(|token| !check(token)).collect();
        match left.first() {
            None if tokens.len() == N => Ok(()),
            first => {
                Err(format!("{} of {} are not, the first: {:#?}", left.len(), tokens.len(), first.map(|t| &t.status)))
            }
        }
    };
    poll(what, DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"));
}

async fn until_none(world: &World) {
    let look = || async {
        let tokens = world.tokens().list(&ListParams::default()).await.map_err(|error| error.to_string())?.items;
        if tokens.is_empty() {
            Ok(())
        } else {
            Err(format!("{} left, the first: {:#?}", tokens.len(), tokens[0].status))
        }
    };
    poll("all are gone", DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"));
}

/// Finished passes over tokens, as the operator's own metric counts them.
async fn passes(operator: &Operator) -> u64 {
    let url = format!("http://{}/metrics", operator.admin_address());
    let page = testbed::http::client().unwrap().get(url).send().await.unwrap().text().await.unwrap();
    let ours = |line: &&str| line.starts_with("artifacttoken_reconcile_total{") && line.contains("\"artifacttoken\"");
    page.lines().filter(ours).filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

async fn until_passes(operator: &Operator, least: u64) {
    let look = || async {
        let ended = passes(operator).await;
        if ended >= least { Ok(()) } else { Err(format!("{ended} of {least} passes")) }
    };
    poll("every object was looked at", DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"));
}
