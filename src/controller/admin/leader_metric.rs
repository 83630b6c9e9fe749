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
}

impl Collector for LeaderMetric {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let leads = self.0.get().is_some_and(Leadership::is_leading);
        let help = "Whether this process leads, and so keeps tokens: 1 or 0";
        ConstGauge::new(i64::from(leads)).encode(encoder.encode_descriptor("leader", help, None, MetricType::Gauge)?)
    }
}
