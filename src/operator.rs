//! The operator as a program starts it: everything else of the Kubernetes side is private.

pub use crate::controller::admin::health::Health;
pub use crate::controller::admin::metrics::Metrics;
pub use crate::controller::admin::object_metrics::ObjectMetrics;
pub use crate::controller::admin::serve;
pub use crate::controller::error::StartError;
pub use crate::controller::run::run;
pub use crate::controller::settings::{Election, Settings};
pub use crate::controller::uninstall_check::{LeftTokens, left_tokens};
pub use crate::controller::worker::Shutdown;
pub use crate::controller::world::World;
