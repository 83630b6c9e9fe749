//! Counts the calls of all services, for the metrics.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use super::heard::{Call, Heard, outcome};
use crate::api::operation::Operation;
use crate::service::errors::ServiceError;
use crate::service::limits::Caller;

/// The labels of one number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Labels {
    operation: &'static str,
    code: &'static str,
}

/// The labels of one histogram.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DurationLabels {
    operation: &'static str,
}

/// Bounds of the histograms, in seconds: no call may take longer than five minutes.
const SECONDS: [f64; 8] = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 300.0];

/// Calls by operation and outcome, and how long they took. All clones count into the same numbers.
#[derive(Clone, Debug)]
pub struct CallCounts {
    family: Family<Labels, Counter>,
    durations: Durations,
    /// Who else hears of the calls of one service.
    heard: Heard,
    /// That service, as logs name it.
    service: String,
}

type Durations = Family<DurationLabels, Histogram, fn() -> Histogram>;

/// The outcomes of a call.
const CODES: [&str; 4] = ["ok", "refused", "retry", "unknown"];

/// All numbers exist from the beginning, so that a rate is right from the first call on.
impl Default for CallCounts {
    fn default() -> Self {
        let counts = Family::default();
        for operation in Operation::ALL {
            for code in CODES {
                drop(counts.get_or_create(&Labels { operation: operation.name(), code }));
            }
        }
        let durations = Durations::new_with_constructor(|| Histogram::new(SECONDS));
        for operation in Operation::ALL {
            drop(durations.get_or_create(&DurationLabels { operation: operation.name() }));
        }
        Self { family: counts, durations, heard: Heard::default(), service: String::new() }
    }
}

impl CallCounts {
    /// The counters, for a registry.
    pub fn family(&self) -> Family<Labels, Counter> {
        self.family.clone()
    }

    /// The histograms, for a registry.
    pub fn durations(&self) -> Durations {
        self.durations.clone()
    }

    /// The same numbers for the calls of one service, which logs name like this, and of which `heard` hears, too.
    #[must_use]
    pub fn heard_by(&self, heard: Heard, service: String) -> Self {
        Self { family: self.family.clone(), durations: self.durations.clone(), heard, service }
    }

    /// Counts a call that ended, and logs it. A call without a place in the rate limit was not made, and does not count.
    pub(super) fn count<T>(
        &self,
        operation: Operation,
        answer: &Result<T, ServiceError>,
        caller: &Caller,
        took: Duration,
    ) {
        if let Some(outcome) = outcome(operation, answer, &caller.id) {
            self.heard.note(Call { operation, took, outcome });
        }
        let code = match answer {
            Ok(_) => "ok",
            Err(ServiceError::Refused { .. }) => "refused",
            Err(ServiceError::Retry { .. }) => "retry",
            Err(ServiceError::Unknown { .. }) => "unknown",
            Err(ServiceError::Throttled { .. }) => return,
        };
        let (act, object, service, seconds) = (operation.name(), &caller.shown, &self.service, took.as_secs_f64());
        match answer {
            Ok(_) => tracing::info!(act, object, service, result = code, seconds, "called the service"),
            // An error never has a value in it.
            Err(error) => {
                tracing::info!(act, object, service, result = code, seconds, why = %error, "called the service")
            }
        }
        self.family.get_or_create(&Labels { operation: operation.name(), code }).inc();
        self.durations.get_or_create(&DurationLabels { operation: operation.name() }).observe(took.as_secs_f64());
    }
}
