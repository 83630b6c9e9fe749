//! Counts the calls of all services, for the metrics.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::heard::{Call, Heard, outcome};
use crate::api::operation::Operation;
use crate::service::errors::ServiceError;

/// The labels of one number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Labels {
    operation: &'static str,
    code: &'static str,
}

/// Calls by operation and outcome. All clones count into the same numbers.
#[derive(Clone, Debug)]
pub struct CallCounts {
    family: Family<Labels, Counter>,
    /// Who else hears of the calls of one service.
    heard: Heard,
}

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
        Self { family: counts, heard: Heard::default() }
    }
}

impl CallCounts {
    /// The counters, for a registry.
    pub fn family(&self) -> Family<Labels, Counter> {
        self.family.clone()
    }

    /// The same numbers for the calls of one service, of which `heard` hears, too.
    #[must_use]
    pub fn heard_by(&self, heard: Heard) -> Self {
        Self { family: self.family.clone(), heard }
    }

    /// Counts a call that ended. A call without a place in the rate limit was not made, and does not count.
    pub(super) fn count<T>(
        &self,
        operation: Operation,
        answer: &Result<T, ServiceError>,
        caller: &str,
        took: Duration,
    ) {
        if let Some(outcome) = outcome(operation, answer, caller) {
            self.heard.note(Call { operation, took, outcome });
        }
        let code = match answer {
            Ok(_) => "ok",
            Err(ServiceError::Refused { .. }) => "refused",
            Err(ServiceError::Retry { .. }) => "retry",
            Err(ServiceError::Unknown { .. }) => "unknown",
            Err(ServiceError::Throttled { .. }) => return,
        };
        self.family.get_or_create(&Labels { operation: operation.name(), code }).inc();
    }
}
