//! Known attacks on operators like this one, replayed: each test says what does not work here, and names the case in its
//! doc comment.
//!
//! | module | what is tried |
//! |---|---|
//! | `secret_types` | to have the operator make a Secret that Kubernetes fills with a ServiceAccount's token |
//! | `templates` | to have a template read, look up or send something |
//! | `namespaces` | to reach what lies outside of one's namespace |
//! | `origin` | to have the operator's credential sent elsewhere |
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

/// A user of its own for the operator whose requests are looked at.
const WATCHED: &str = "watched-operator";

/// A namespace with nothing in it.
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
