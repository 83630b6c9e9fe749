//! Counters of what the operator did.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::api::ledger::Current;
use crate::controller::admin::leader_metric::{LeaderMetric, OfLeader};
use crate::controller::admin::object_metrics::ObjectMetrics;
use crate::controller::admin::service_metrics::ServiceMetrics;
use crate::controller::admin::state_metrics::StateMetrics;
use crate::rotation::schedule::Trigger;
use crate::service::client::meter::CallCounts;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Pass {
    controller: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Rotation {
    trigger: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Step {
    step: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Controller {
    controller: &'static str,
}

/// Counters of what the operator did, and gauges of the current state. Labels of counters and histograms are words of a fixed list, never
/// names or ids.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Calls to services: each client counts its own.
    pub(crate) calls: CallCounts,
    passes: Family<Pass, Counter>,
    durations: Family<Controller, Histogram, fn() -> Histogram>,
    rotations: Family<Rotation, Counter>,
    steps: Family<Step, Histogram, fn() -> Histogram>,
    panics: Counter,
    leaks: Histogram,
    /// Gauges of the current state of all objects.
    pub(crate) state_metrics: StateMetrics,
    /// Gauges of the current state of all service objects.
    pub(crate) service_metrics: ServiceMetrics,
    /// Whether this process leads.
    pub(crate) leader: LeaderMetric,
}

/// How an attempt ended: the words of the label.
pub(crate) const VERIFIED: &str = "verified";
pub(crate) const FAILED: &str = "failed";
/// The trigger of an attempt that another process began.
const UNKNOWN: &str = "unknown";
/// The steps of a rotation that take time.
const STEPS: [&str; 3] = ["generate", "update", "verify"];

/// The controllers, and how a pass of theirs ends: the words of the labels.
pub(crate) const TOKENS: &str = "artifacttoken";
pub(crate) const SERVICES: &str = "tokenservice";
pub(crate) const OK: &str = "ok";
pub(crate) const ERROR: &str = "error";

/// Bounds of the histograms of passes and steps, in seconds. A pass may wait for its turn at a service.
const WORK_SECONDS: [f64; 9] = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0];
/// Bounds of the histogram of [`Metrics::leak_answered`], in seconds.
const DEAD_SECONDS: [f64; 8] = [0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0];

impl Default for Metrics {
    /// All counters are there from the beginning, so that a rate is right from the first pass on.
    fn default() -> Self {
        let passes = Family::<Pass, Counter>::default();
        for (controller, result) in [(TOKENS, OK), (TOKENS, ERROR), (SERVICES, OK), (SERVICES, ERROR)] {
            drop(passes.get_or_create(&Pass { controller, result }));
        }
        let durations = Family::<_, _, fn() -> Histogram>::new_with_constructor(work);
        for controller in [TOKENS, SERVICES] {
            drop(durations.get_or_create(&Controller { controller }));
        }
        let rotations = Family::<Rotation, Counter>::default();
        for trigger in Trigger::ALL.map(Trigger::name).into_iter().chain([UNKNOWN]) {
            for result in [VERIFIED, FAILED] {
                drop(rotations.get_or_create(&Rotation { trigger, result }));
            }
        }
        let steps = Family::<_, _, fn() -> Histogram>::new_with_constructor(work);
        STEPS.into_iter().for_each(|step| drop(steps.get_or_create(&Step { step })));
        Self {
            calls: CallCounts::default(),
            passes,
            durations,
            rotations,
            steps,
            panics: Counter::default(),
            leaks: Histogram::new(DEAD_SECONDS),
            state_metrics: StateMetrics::default(),
            service_metrics: ServiceMetrics::default(),
            leader: LeaderMetric::default(),
        }
    }
}

fn work() -> Histogram {
    Histogram::new(WORK_SECONDS)
}

impl Metrics {
    /// Those of an operator that has not begun, with or without series for each object.
    pub fn new(objects: ObjectMetrics) -> Self {
        Self { state_metrics: StateMetrics::new(objects), ..Self::default() }
    }

    /// Counts a pass that ended, and how long it took.
    pub(crate) fn passed(&self, controller: &'static str, result: &'static str, took: Duration) {
        self.passes.get_or_create(&Pass { controller, result }).inc();
        self.durations.get_or_create(&Controller { controller }).observe(took.as_secs_f64());
    }

    /// Counts an attempt that ended, with what wanted it, if this process knows.
    pub(crate) fn attempted(&self, trigger: Option<Trigger>, result: &'static str) {
        let trigger = trigger.map_or(UNKNOWN, Trigger::name);
        self.rotations.get_or_create(&Rotation { trigger, result }).inc();
    }

    /// Records how long the steps of an attempt took whose token was verified now.
    pub(crate) fn took(&self, current: &Current) {
        let Current { claimed_time, issued_time, published_time, verified_time, .. } = current;
        let times = [(claimed_time, issued_time), (issued_time, published_time), (published_time, verified_time)];
        for (step, (from, to)) in STEPS.into_iter().zip(times) {
            self.steps.get_or_create(&Step { step }).observe(to.since(*from).as_secs_f64());
        }
    }

    /// Counts a pass that panicked.
    pub(crate) fn panicked(&self) {
        self.panics.inc();
    }

    /// Records that a leaked token was replaced, and how long consumers held a dead one.
    pub(crate) fn leak_answered(&self, dead: Duration) {
        self.leaks.observe(dead.as_secs_f64());
    }

    /// Registers everything that is scraped.
    pub(super) fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix("artifacttoken");
        registry.register("service_requests", "Calls of token services by operation and outcome", self.calls.family());
        registry.register("reconcile", "Passes by controller and result", self.passes.clone());
        let help = "How long passes took, with their waits for a turn at the service";
        registry.register("reconcile_duration_seconds", help, self.durations.clone());
        let help = "Attempts by what wanted a new token, and by how they ended";
        registry.register("rotations", help, self.rotations.clone());
        let help = "How long the steps of a rotation took, as the ledger has their times";
        registry.register("rotation_step_duration_seconds", help, self.steps.clone());
        let help = "How long the calls of token services took";
        registry.register("service_request_duration_seconds", help, self.calls.durations());
        registry.register("panics", "Passes that panicked", self.panics.clone());
        let help = "How long a Secret held a dead token after a leak";
        registry.register("leak_dead_seconds", help, self.leaks.clone());
        let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The operator's version", version);
        registry.register_collector(Box::new(OfLeader(self.leader.clone(), self.state_metrics.clone())));
        registry.register_collector(Box::new(OfLeader(self.leader.clone(), self.service_metrics.clone())));
        registry.register_collector(Box::new(self.leader.clone()));
        registry
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;

    #[test]
    fn every_metric_stands_in_the_documents_as_it_is_scraped() {
        let metrics = Metrics::default();
        let mut page = String::new();
        encode(&mut page, &metrics.registry()).unwrap();
        let page_of_docs = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/metrics.md"));
        let mut names = Vec::new();
        for line in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
            let (name, type_) = line.split_once(' ').unwrap();
            let suffix = match type_ {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            names.push(format!("`{name}{suffix}`"));
        }
        assert_eq!(names.len(), 31, "{page}");
        let missing: Vec<_> = names.iter().filter(|name| !page_of_docs.contains(*name)).collect();
        assert!(missing.is_empty(), "docs/reference/metrics.md must explain, in backticks: {missing:?}");
    }
}
