//! The works, in the order of a life.

use std::time::Duration;

use anyhow::{Context, Result};
use artifact_token_operator::api::artifact_token::{ArtifactToken, ROTATE_REQUESTED_AT};
use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::reason::Reason;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use support::objects::{artifact_token, token_service};
use support::{World, credential_yaml};
use testbed::control_plane;
use testbed::{Operator, cluster, operator, poll};

use crate::measure::{Cost, Meter, OPERATOR, memory};
use crate::observer::Observer;
use crate::options::{Options, Work};
use crate::raw::{Floor, for_all};
use crate::report::Row;

/// How long an old token lives beside the new one. Its end is part of a rotation.
const OVERLAP: &str = "1s";
/// The objects with which the raw client warms the API server up.
const WARM_UP: usize = 100;
/// Limit for the operator to look at each object after its start, and at each service.
const LOOKED_AT: Duration = Duration::from_secs(300);
/// The `TokenService`s whose memory is measured.
const SERVICES: usize = 1000;
/// Without a request the memory is at rest after this time.
const QUIET: Duration = Duration::from_secs(15);

/// Runs the works that are wanted.
pub async fn run(options: &Options) -> Result<Vec<Row>> {
    let world = World::with("lifecycle", control_plane::Options::default().user(OPERATOR, &["system:masters"])).await;
    let mut rows = Vec::new();
    let mut floor = None;
    if options.wants(Work::Raw) {
        let namespace = cluster::namespace(&world.client, "raw").await?;
        // The first requests to a new API server are slow, and say nothing.
        crate::raw::run(&world.client, &namespace, options.objects.min(WARM_UP), options.services).await?;
        let measured = crate::raw::run(&world.client, &namespace, options.objects, options.services).await?;
        for (part, seconds) in [("issue", measured.issue), ("rotate", measured.rotate), ("delete", measured.delete)] {
            rows.push(row(
                Work::Raw,
                &format!("W0 {part}"),
                options.objects,
                Cost { seconds, ..Cost::default() },
                0,
                None,
            ));
        }
        floor = Some(measured);
    }
    world.apply(&credential_yaml(world.service.admin_key())).await;
    let kubeconfig = world.plane.kubeconfig_for(OPERATOR)?;
    let arguments = operator::Options::new(env!("CARGO_BIN_EXE_artifact-token-operator"), kubeconfig)
        .argument(format!("--default-overlap={OVERLAP}"))
        .variable("RUST_LOG", "warn");
    let mut operator = Operator::start(arguments).await?;
    if options.wants_objects() {
        let mut lives = Lives { world: &world, options, floor, rows: Vec::new() };
        lives.run(&mut operator).await?;
        rows.append(&mut lives.rows);
    }
    if options.wants(Work::Services) {
        rows.push(services_at_rest(&world, &operator).await?);
    }
    Ok(rows)
}

fn row(work: Work, name: &str, objects: usize, cost: Cost, waits: usize, raw: Option<f64>) -> Row {
    Row { work, name: name.to_owned(), objects, cost, waits, raw_rate: raw.map(|seconds| objects as f64 / seconds) }
}

/// The lives of the objects.
struct Lives<'a> {
    world: &'a World,
    options: &'a Options,
    floor: Option<Floor>,
    rows: Vec<Row>,
}

impl Lives<'_> {
    async fn run(&mut self, operator: &mut Operator) -> Result<()> {
        let (world, n) = (self.world, self.options.objects);
        let services = self.options.services;
        make_services(world, services).await?;
        let tokens = world.tokens();
        let mut observer = Observer::start(tokens.clone(), n);

        let meter = Meter::start(world, operator).await?;
        for_all(n, |number| create(&tokens, number, services)).await?;
        observer.until("all have their first token", |seen| seen.resting(1) == n).await?;
        self.note(
            Work::Issue,
            "W1",
            meter.stop(world, operator).await?,
            observer.waits(),
            self.floor.map(|floor| floor.issue),
        );

        let meter = Meter::start(world, operator).await?;
        for_all(n, |number| rotate(&tokens, number)).await?;
        observer.until("all are rotated", |seen| seen.resting(2) == n).await?;
        self.note(
            Work::Rotate,
            "W3a",
            meter.stop(world, operator).await?,
            observer.waits(),
            self.floor.map(|floor| floor.rotate),
        );

        let mut meter = Meter::start(world, operator).await?;
        operator.restart()?;
        meter.restarted();
        operator.ready().await?;
        until_passes(operator, n as u64).await?;
        self.note(Work::Restart, "W5", meter.stop(world, operator).await?, observer.waits(), None);

        let meter = Meter::start(world, operator).await?;
        for_all(n, |number| delete(&tokens, number)).await?;
        observer.until("all are gone", |seen| seen.count() == 0).await?;
        self.note(
            Work::Delete,
            "W4",
            meter.stop(world, operator).await?,
            observer.waits(),
            self.floor.map(|floor| floor.delete),
        );
        let alive = world.service.live().await?.len();
        anyhow::ensure!(alive == 0, "{alive} tokens outlive their objects");
        Ok(())
    }

    fn note(&mut self, work: Work, name: &str, cost: Cost, waits: usize, raw: Option<f64>) {
        if self.options.wants(work) {
            let row = row(work, name, self.options.objects, cost, waits, raw);
            // A run may take long, and may break off.
            eprintln!("{}", row.progress());
            self.rows.push(row);
        }
    }
}

/// The memory of `TokenService`s that nothing happens to.
async fn services_at_rest(world: &World, operator: &Operator) -> Result<Row> {
    let (before, _) = memory(operator.pid())?;
    make_services(world, SERVICES).await?;
    tokio::time::sleep(QUIET).await;
    let (resident_kib, peak_kib) = memory(operator.pid())?;
    let each = resident_kib.saturating_sub(before) as f64 / SERVICES as f64;
    println!("{SERVICES} TokenServices at rest: {each:.1} KiB each");
    Ok(row(Work::Services, "services", SERVICES, Cost { resident_kib, peak_kib, ..Cost::default() }, 0, None))
}

/// Creates the services, and waits until the operator has found them ready.
async fn make_services(world: &World, count: usize) -> Result<()> {
    let api = world.services();
    let url = world.service.base_url();
    for_all(count, |number| {
        let (api, url) = (&api, &url);
        async move {
            let text = token_service(&service(number), url, |spec| {
                spec["connection"]["timeout"] = json!("30s");
            });
            if api.get_opt(&service(number)).await?.is_none() {
                api.create(&PostParams::default(), &serde_json::from_str(&text)?).await?;
            }
            Ok(())
        }
    })
    .await?;
    let look = || async {
        let all = api.list(&ListParams::default()).await.map_err(|error| error.to_string())?.items;
        let ready = |status: &artifact_token_operator::api::token_service::TokenServiceStatus| {
            let mut conditions = status.conditions.iter();
            conditions.any(|found| found.type_ == ConditionType::Ready && found.reason == Reason::CredentialsAccepted)
        };
        let ready = all.iter().filter(|service| service.status.as_ref().is_some_and(ready)).count();
        if ready == all.len() { Ok(()) } else { Err(format!("{ready} of {}", all.len())) }
    };
    poll("every service is ready", LOOKED_AT, look).await
}

pub fn name(number: usize) -> String {
    format!("token-{number:05}")
}

fn service(number: usize) -> String {
    format!("service-{number:04}")
}

pub async fn create(tokens: &Api<ArtifactToken>, number: usize, services: usize) -> Result<()> {
    let text = artifact_token(&name(number), |spec| spec["serviceRef"]["name"] = json!(service(number % services)));
    tokens.create(&PostParams::default(), &serde_json::from_str(&text)?).await.context("create an object")?;
    Ok(())
}

pub async fn rotate(tokens: &Api<ArtifactToken>, number: usize) -> Result<()> {
    let patch: Value = json!({"metadata": {"annotations": {ROTATE_REQUESTED_AT: "1"}}});
    tokens.patch(&name(number), &PatchParams::default(), &Patch::Merge(patch)).await.context("ask for a rotation")?;
    Ok(())
}

pub async fn delete(tokens: &Api<ArtifactToken>, number: usize) -> Result<()> {
    tokens.delete(&name(number), &DeleteParams::default()).await.context("delete an object")?;
    Ok(())
}

/// Waits until so many passes over tokens have ended, as the operator's own metric counts them.
async fn until_passes(operator: &Operator, least: u64) -> Result<()> {
    let look = || async {
        let url = format!("http://{}/metrics", operator.admin_address());
        let request = testbed::http::client().map_err(|error| error.to_string())?.get(url);
        let (_, page) = testbed::http::answer(request).await.map_err(|error| error.to_string())?;
        let ours =
            |line: &&str| line.starts_with("artifacttoken_reconcile_total{") && line.contains("\"artifacttoken\"");
        let passes: u64 =
            page.lines().filter(ours).filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum();
        if passes >= least { Ok(()) } else { Err(format!("{passes} of {least} passes")) }
    };
    poll("every object was looked at", LOOKED_AT, look).await
}
