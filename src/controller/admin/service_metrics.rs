//! The state of the service objects as gauges, counted anew at each scrape. The series of a service object vanish with it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::api::condition::{ConditionStatus, ConditionType};
use crate::api::token_service::TokenServiceStatus;
use crate::controller::registry::Key;

/// What a service object says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub key: Key,
    pub suspended: bool,
    pub status: Option<TokenServiceStatus>,
}

/// Shows the service objects of one kind and scope as they are now.
type Look = Box<dyn Fn() -> Vec<Told> + Send + Sync>;

/// The service objects that the operator watches. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct ServiceMetrics(Arc<Mutex<Vec<Look>>>);

impl fmt::Debug for ServiceMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceMetrics")
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    service_kind: &'static str,
    namespace: String,
    service_name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReadyLabels {
    #[prometheus(flatten)]
    service: Labels,
    condition: &'static str,
    reason: String,
}

impl ServiceMetrics {
    /// Adds service objects that each later scrape looks at.
    pub(crate) fn include(&self, look: impl Fn() -> Vec<Told> + Send + Sync + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(look));
    }

    fn told(&self) -> Vec<(Labels, Told)> {
        let looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = looks.iter().flat_map(|look| look());
        all.map(|told| (labels(&told.key), told)).collect()
    }
}

fn labels(key: &Key) -> Labels {
    let namespace = key.namespace.clone().unwrap_or_default();
    Labels { service_kind: key.kind().name(), namespace, service_name: key.name.clone() }
}

impl Collector for ServiceMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let told = self.told();
        ready(&mut encoder, &told)?;
        let help =
            "Tokens at the service under the operator's name that belong to no object, as its last sweep found them";
        let mut family = encoder.encode_descriptor("orphaned_tokens", help, None, MetricType::Gauge)?;
        for (labels, told) in &told {
            let swept = told.status.as_ref().and_then(|status| status.last_sweep.as_ref());
            if let Some(orphaned) = swept.and_then(|swept| swept.orphaned) {
                ConstGauge::new(i64::from(orphaned)).encode(family.encode_family(labels)?)?;
            }
        }
        let help = "Whether spec.suspend of the service object is true";
        let mut family = encoder.encode_descriptor("service_suspended", help, None, MetricType::Gauge)?;
        for (labels, told) in &told {
            ConstGauge::new(i64::from(told.suspended)).encode(family.encode_family(labels)?)?;
        }
        Ok(())
    }
}

/// What `Ready` of each service object says: one series, which is 1.
fn ready(encoder: &mut DescriptorEncoder<'_>, told: &[(Labels, Told)]) -> fmt::Result {
    let help = "1 for the status and reason that the condition Ready of the service object has";
    let mut family = encoder.encode_descriptor("service_ready_status", help, None, MetricType::Gauge)?;
    for (service, told) in told {
        let mut conditions = told.status.iter().flat_map(|status| &status.conditions);
        let ready = conditions.find(|condition| condition.type_ == ConditionType::Ready);
        let condition = ready.map_or(ConditionStatus::Unknown, |ready| ready.status).name();
        let reason = ready.map(|ready| ready.reason.to_string()).unwrap_or_default();
        let labels = ReadyLabels { service: service.clone(), condition, reason };
        ConstGauge::new(1_i64).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
