//! What a person is told to do at a service whose tokens only a person can make.

use std::time::Duration;

use kube::ResourceExt;

use crate::api::artifact_token::ArtifactToken;
use crate::api::duration::GoDuration;
use crate::api::parameters::{Lifetime, Parameters};
use crate::controller::registry::ServiceEntry;
use crate::rotation::desired::Instructions;
use crate::secret::hand_over::hand_over_name;
use crate::secret::metadata::HAND_OVER;

const DAY_SECONDS: u64 = 24 * 3600;

/// How to make a token for this object and hand it over, and where to revoke one.
pub(super) fn instructions(
    object: &ArtifactToken,
    service: Option<&ServiceEntry>,
    lifetime: Lifetime,
    parameters: &Parameters,
) -> Instructions {
    let Some(declaration) = service.and_then(|service| service.declaration.as_ref()) else {
        return Instructions::default();
    };
    let page = declaration.page().unwrap_or_default().to_owned();
    if !declaration.is_by_hand() {
        return Instructions { make: String::new(), page };
    }
    let (name, namespace) = (object.name_any(), object.namespace().unwrap_or_default());
    let shown = object.spec.display_name.clone().unwrap_or_else(|| format!("{namespace}/{name}"));
    let prefix = declaration.prefix().map(|prefix| format!("{prefix} ")).unwrap_or_default();
    let mut what = vec![format!("name {prefix}{shown}")];
    let text = |name: &String| parameters.get(name).and_then(|value| value.texts()).unwrap_or_default().join(", ");
    what.extend(parameters.keys().map(|name| format!("{name} {}", text(name))));
    what.push(match lifetime {
        Lifetime::Never => "without an expiry".to_owned(),
        Lifetime::Limited(length) => format!("expiring after {}", in_days(length)),
    });
    let place = if page.is_empty() { "at the service".to_owned() } else { format!("at the service ({page})") };
    let make = format!(
        "make a token {place}: {}. Then hand it over: kubectl artifact-token hand-over {name} -n {namespace}; or a Secret {} with the \
         token under the key token, and the label {HAND_OVER}: {name}",
        what.join(", "),
        hand_over_name(&name)
    );
    Instructions { make, page }
}

/// A lifetime as the pages of services ask for it: in days, or as a date that a person finds from them.
fn in_days(length: Duration) -> String {
    match (length.as_secs() / DAY_SECONDS, length.as_secs() % DAY_SECONDS) {
        (1, 0) => "1 day".to_owned(),
        (days, 0) if days > 0 => format!("{days} days"),
        _ => GoDuration(length).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_of_whole_days_is_told_in_days() {
        let told = |hours: u64| in_days(Duration::from_secs(hours * 3600));
        assert_eq!([told(8760), told(24), told(36), told(12)], ["365 days", "1 day", "36h", "12h"]);
    }
}
