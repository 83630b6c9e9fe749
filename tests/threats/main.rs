//! Known attacks on operators like this one, replayed. Each test is named after the attack that fails here, and its doc comment names
//! the case.
//!
//! | module | what the attacker tries |
//! |---|---|
//! | `secret_types` | to make the operator create a Secret that Kubernetes fills with a ServiceAccount's token |
//! | `templates` | to make a template read, look up or send something |
//! | `namespaces` | to reach objects in another namespace |
//! | `origin` | to make the operator send its credential elsewhere |
//! | `leaks` | to read secrets in events, conditions and logs |

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[allow(dead_code)]
mod leaks;
mod namespaces;
mod origin;
mod secret_types;
mod templates;

use support::{World, credential_yaml};
use testbed::control_plane::Options;

/// The operator has its own user, so that the audit log tells its requests from the test's.
const WATCHED: &str = "watched-operator";

/// An empty namespace.
async fn bare(prefix: &str) -> World {
    World::with(prefix, Options::default().user(WATCHED, &["system:masters"])).await
}

/// The same with the credential and the service object `reference`.
async fn quick(prefix: &str) -> World {
    let world = bare(prefix).await;
    world.apply(&credential_yaml(world.service.admin_key())).await;
    world.serve(|_| {}).await;
    world
}
