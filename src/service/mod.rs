//! Token services: what one is (`declaration`, pure) and how it is asked (`client`, over HTTP).
//!
//! Data flows `api::token_service -> declaration -> client`. A declaration is checked once, and then nothing in it can
//! fail; the client's kinds of error (`errors::ServiceError`) tell the caller what to do next.

pub mod address;
pub mod client;
pub mod declaration;
pub mod errors;
pub mod extraction;
mod http;
pub mod limits;
pub mod presets;
pub mod request;
mod resolver;
pub mod template;
