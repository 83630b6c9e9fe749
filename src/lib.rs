//! artifact-token-operator.
pub mod api;
pub mod controller;
pub mod rotation;
pub mod secret;
pub mod service;
pub mod telemetry;
