//! Token services: what one can do (`declaration`, pure), and how the operator calls it (`client`, over HTTP).
//!
//! Data flows `api::token_service -> declaration -> client`. A declaration is checked once, and then nothing in it can
//! fail. The client's kinds of error (`errors::ServiceError`) say what the caller must do next.

pub mod address;
pub mod client;
pub mod declaration;
pub mod errors;
pub mod extraction;
mod http;
mod json;
pub mod limits;
pub mod mask;
pub mod material;
pub mod networks;
pub mod presets;
pub mod request;
mod resolver;
pub mod template;
pub mod transport;
