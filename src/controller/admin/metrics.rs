//! Counters of what the operator did.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::controller::admin::state_metrics::StateMetrics;
use crate::service::client::meter::CallCounts;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Pass {
    controller: &'static str,
    result: &'static str,
}

/// Counters of what the operator did, and gauges of the current state. Labels are words of a fixed list, never names or ids.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Calls to services: each client counts its own.
    pub(crate) calls: CallCounts,
    passes: Family<Pass, Counter>,
    rotations: Counter,
    panics: Counter,
    leaks: Histogram,
    /// Gauges of the current state of all objects.
    pub(crate) state_metrics: StateMetrics,
}

/// The controllers, and how a pass of theirs ends: the words of the labels.
pub(crate) const TOKENS: &str = "artifacttoken";
pub(crate) const SERVICES: &str = "tokenservice";
pub(crate) const OK: &str = "ok";
pub(crate) const ERROR: &str = "error";

/// Bounds of the histogram of [`Metrics::leak_answered`], in seconds.
const DEAD_SECONDS: [f64; 8] = [0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0];

impl Default for Metrics {
    /// All counters are there from the beginning, so that a rate is right from the first pass on.
    fn default() -> Self {
        let passes = Family::<Pass, Counter>::default();
        for (controller, result) in [(TOKENS, OK), (TOKENS, ERROR), (SERVICES, OK), (SERVICES, ERROR)] {
            drop(passes.get_or_create(&Pass { controller, result }));
        }
        Self {
            calls: CallCounts::default(),
            passes,
            rotations: Counter::default(),
            panics: Counter::default(),
            leaks: Histogram::new(DEAD_SECONDS),
            state_metrics: StateMetrics::default(),
        }
    }
}

impl Metrics {
    /// Counts a pass that ended.
    pub(crate) fn passed(&self, controller: &'static str, result: &'static str) {
        self.passes.get_or_create(&Pass { controller, result }).inc();
    }

    /// Counts a token that was verified and recorded.
    pub(crate) fn rotated(&self) {
        self.rotations.inc();
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
        registry.register("rotations", "Tokens that were verified and recorded", self.rotations.clone());
        registry.register("panics", "Passes that panicked", self.panics.clone());
        let help = "How long a Secret held a dead token after a leak";
        registry.register("leak_dead_seconds", help, self.leaks.clone());
        let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The operator's version", version);
        registry.register_collector(Box::new(self.state_metrics.clone()));
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
        assert_eq!(names.len(), 13, "{page}");
        let missing: Vec<_> = names.iter().filter(|name| !page_of_docs.contains(*name)).collect();
        assert!(missing.is_empty(), "docs/reference/metrics.md must explain, in backticks: {missing:?}");
    }
}
