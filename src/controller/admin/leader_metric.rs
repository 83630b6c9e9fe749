//! Whether this process leads, as a gauge. Each scrape asks anew, so that it ends when the leadership does.

use std::fmt;
use std::sync::{Arc, OnceLock};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::controller::leadership::Leadership;

/// Whether this process leads. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct LeaderMetric(Arc<OnceLock<Leadership>>);

impl LeaderMetric {
    /// Names the leadership that each later scrape asks about. Only the first one counts: a process has one.
    pub(crate) fn ask(&self, leadership: Leadership) {
        let _ = self.0.set(leadership);
    }

    fn is_standby(&self) -> bool {
        self.0.get().is_some_and(|leadership| !leadership.is_leading())
    }
}

/// Numbers that only the process tells that leads. Else each replica would tell them, and a sum would count everything twice.
#[derive(Debug)]
pub(super) struct OfLeader<C>(pub LeaderMetric, pub C);

impl<C: Collector> Collector for OfLeader<C> {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        if self.0.is_standby() { Ok(()) } else { self.1.encode(encoder) }
    }
}

impl Collector for LeaderMetric {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let leads = self.0.get().is_some_and(Leadership::is_leading);
        let help = "Whether this process leads, and so keeps tokens: 1 or 0";
        ConstGauge::new(i64::from(leads)).encode(encoder.encode_descriptor("leader", help, None, MetricType::Gauge)?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;
    use tokio::time::Instant;

    use super::*;
    use crate::controller::admin::metrics::Metrics;

    #[tokio::test(start_paused = true)]
    async fn a_standby_tells_nothing_of_the_objects_and_the_leader_does() {
        let (metrics, leadership) = (Metrics::default(), Leadership::standby());
        metrics.leader.ask(leadership.clone());
        let page = || {
            let (mut page, registry): (String, Registry) = (String::new(), metrics.registry());
            encode(&mut page, &registry).unwrap();
            page
        };
        let told = |page: &str| {
            ["artifacttoken_revocations_owed 0", "# TYPE artifacttoken_orphaned_tokens"].map(|line| page.contains(line))
        };
        assert_eq!(told(&page()), [false; 2]);
        assert!(page().contains("artifacttoken_leader 0"));
        leadership.lead_until(Some(Instant::now() + Duration::from_secs(10)));
        assert_eq!(told(&page()), [true; 2]);
        assert!(page().contains("artifacttoken_leader 1"));
    }
}
