//! Whether an operator is at work: what its Lease says. A command that waits looks here first, so that nobody waits for nobody.
//!
//! It is a hint for people. The operator itself never compares a time in a Lease with a clock.

use std::time::Duration;

use artifact_token_operator::api::time::Time;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};

use super::cluster::{is_forbidden, server_time};
use super::end::Special;
use super::output::wrapped;

/// How a Lease of the operator is named: the chart puts the name of the release before it, if that is another one.
const LEASE: &str = "artifact-token-operator";
/// Where it usually is: the namespace in which the documents install the chart. The chart lets everybody read it.
const USUAL: &str = "artifact-tokens";
/// The whole look may take so long.
const LOOK: Duration = Duration::from_secs(2);
/// Times of the API server are whole seconds, and the holder's last write may be on its way.
const LATE: Duration = Duration::from_secs(3);

/// Where the Lease is.
#[derive(Debug, clap::Args)]
pub struct Where {
    /// The operator's Lease, if it cannot be found: that you may not list all Leases, or that it has an unusual name.
    #[arg(long, value_name = "NAMESPACE/NAME", env = "ARTIFACT_TOKEN_LEASE", value_parser = lease_name)]
    lease: Option<(String, String)>,
}

/// What is known of the operator.
#[derive(Clone, Debug, PartialEq)]
pub enum Leader {
    /// It is at work; by this name.
    Alive(String),
    /// Nobody holds the Lease, and since when.
    Missing(String),
    /// That cannot be seen, and why.
    Unknown(String),
}

impl Leader {
    /// Goes on if an operator leads, or if that cannot be seen. Otherwise nobody would do what is asked for, and `instead` says what a
    /// person can do.
    ///
    /// # Errors
    /// [`Special::NoLeader`].
    pub fn alive_or(&self, instead: impl FnOnce() -> String) -> anyhow::Result<()> {
        match self {
            Self::Alive(_) | Self::Unknown(_) => Ok(()),
            Self::Missing(why) => Err(Special::NoLeader(format!("{why}. {}", instead())).into()),
        }
    }

    /// The same, and tells if it cannot be seen.
    ///
    /// # Errors
    /// [`Special::NoLeader`].
    pub fn require(&self, instead: impl FnOnce() -> String) -> anyhow::Result<()> {
        if let Self::Unknown(why) = self {
            eprintln!("{}", wrapped(&format!("Warning: {why}."), 2));
        }
        self.alive_or(instead)
    }
}

fn lease_name(text: &str) -> Result<(String, String), &'static str> {
    let parts = text.split_once('/').filter(|(namespace, name)| !namespace.is_empty() && !name.is_empty());
    parts.map(|(namespace, name)| (namespace.to_owned(), name.to_owned())).ok_or("write NAMESPACE/NAME")
}

impl Where {
    /// Looks at the Lease.
    pub async fn look(&self, client: &Client) -> Leader {
        let look = async { tokio::join!(self.leases(client), server_time(client)) };
        match tokio::time::timeout(LOOK, look).await {
            Ok((Ok(leases), Ok(now))) => match &self.lease {
                Some((namespace, name)) if leases.is_empty() => {
                    Leader::Missing(format!("no operator leads: there is no Lease {namespace}/{name}"))
                }
                _ => judge(&leases, now),
            },
            Ok((Err(error), _)) if is_forbidden(&error) => Leader::Unknown(match &self.lease {
                Some((namespace, name)) => {
                    format!(
                        "you may not read the Lease {namespace}/{name}, so it is not known whether an operator runs"
                    )
                }
                None => format!(
                    "you may not list Leases, and not read {USUAL}/{LEASE}, so it is not known whether an operator runs; \
                     name another place with --lease NAMESPACE/NAME"
                ),
            }),
            Ok((Err(error), _)) => Leader::Unknown(format!("the operator's Lease cannot be read: {error}")),
            Ok((_, Err(error))) => Leader::Unknown(format!("{error:#}")),
            Err(_) => Leader::Unknown("the API server does not say in time whether an operator runs".to_owned()),
        }
    }

    async fn leases(&self, client: &Client) -> kube::Result<Vec<Lease>> {
        if let Some((namespace, name)) = &self.lease {
            let api: Api<Lease> = Api::namespaced(client.clone(), namespace);
            return Ok(api.get_opt(name).await?.into_iter().collect());
        }
        let api: Api<Lease> = Api::all(client.clone());
        let mut leases = match api.list(&ListParams::default()).await {
            Err(error) if is_forbidden(&error) => {
                let api: Api<Lease> = Api::namespaced(client.clone(), USUAL);
                return api.get_opt(LEASE).await.map(|lease| lease.into_iter().collect());
            }
            listed => listed?.items,
        };
        leases.retain(|lease| lease.name_any().ends_with(LEASE));
        Ok(leases)
    }
}

/// What these Leases say at this time, by the API server's clock. Several operators may keep different namespaces.
fn judge(leases: &[Lease], now: Time) -> Leader {
    let mut missing = None;
    for lease in leases {
        let spec = lease.spec.clone().unwrap_or_default();
        let place = format!("{}/{}", lease.namespace().unwrap_or_default(), lease.name_any());
        let written = written(lease);
        let holder = spec.holder_identity.unwrap_or_default();
        let length = Duration::from_secs(u64::try_from(spec.lease_duration_seconds.unwrap_or_default()).unwrap_or(0));
        if !holder.is_empty() && written.is_some_and(|written| now.since(written) <= length + LATE) {
            return Leader::Alive(holder);
        }
        let since = written.map(|time| format!(" since {time}")).unwrap_or_default();
        missing.get_or_insert(format!("no operator leads: nobody has held the Lease {place}{since}"));
    }
    let unseen =
        "there is no Lease of an operator, so it is not known whether one runs: without leader election it has none";
    missing.map_or_else(|| Leader::Unknown(unseen.to_owned()), Leader::Missing)
}

/// When the Lease was last written, by the API server's clock where it says so. The holder's own clock may be wrong.
fn written(lease: &Lease) -> Option<Time> {
    let fields = lease.metadata.managed_fields.iter().flatten();
    let seen = fields.filter_map(|entry| entry.time.as_ref()).map(Time::from).max();
    let renewed = lease.spec.as_ref().and_then(|spec| spec.renew_time.as_ref());
    seen.or_else(|| renewed.map(|time| Time::from_millis(time.0.as_millisecond())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn lease(spec: Value, written: Option<&str>) -> Lease {
        let fields = written.map(|time| json!([{"manager": "artifact-token-operator", "time": time}]));
        serde_json::from_value(json!({
            "metadata": {"name": "prod-artifact-token-operator", "namespace": "tokens", "managedFields": fields}, "spec": spec,
        }))
        .unwrap()
    }

    fn at(time: &str) -> Time {
        Time::parse(time).unwrap()
    }

    #[test]
    fn a_holder_is_alive_by_the_api_servers_clock_whatever_its_own_says() {
        let spec =
            json!({"holderIdentity": "pod-1", "leaseDurationSeconds": 15, "renewTime": "2020-01-01T00:00:00.000000Z"});
        let lease = [lease(spec, Some("2026-12-01T08:00:00Z"))];
        assert_eq!(judge(&lease, at("2026-12-01T08:00:18Z")), Leader::Alive("pod-1".to_owned()));
        let missing = "no operator leads: nobody has held the Lease tokens/prod-artifact-token-operator since 2026-12-01T08:00:00Z";
        assert_eq!(judge(&lease, at("2026-12-01T08:00:19Z")), Leader::Missing(missing.to_owned()));
    }

    #[test]
    fn a_released_lease_has_no_holder_and_another_operator_may_have_one() {
        let released = lease(json!({"holderIdentity": "", "leaseDurationSeconds": 1}), Some("2026-12-01T08:00:00Z"));
        let held = lease(json!({"holderIdentity": "pod-2", "leaseDurationSeconds": 15}), Some("2026-12-01T08:00:00Z"));
        let now = at("2026-12-01T08:00:01Z");
        assert!(matches!(judge(std::slice::from_ref(&released), now), Leader::Missing(_)));
        assert_eq!(judge(&[released, held], now), Leader::Alive("pod-2".to_owned()));
    }

    #[test]
    fn without_a_lease_nothing_is_known() {
        assert!(matches!(judge(&[], at("2026-12-01T08:00:00Z")), Leader::Unknown(_)));
    }
}
