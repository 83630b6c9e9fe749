//! What a person is told to do at a service whose tokens only a person can make.

use kube::ResourceExt;

use crate::api::artifact_token::ArtifactToken;
use crate::api::parameters::{Lifetime, Parameters};
use crate::controller::registry::ServiceEntry;
use crate::rotation::desired::Instructions;
use crate::secret::hand_over::hand_over_name;
use crate::secret::metadata::HAND_OVER;

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
        Lifetime::Limited(_) => format!("expiring after {lifetime}"),
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
