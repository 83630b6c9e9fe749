//! Token services: what one is (`declaration`, pure) and how it is asked (`engine`, over HTTP).
//!
//! Data flows `api::token_service -> declaration -> engine`. A declaration is checked once, and then nothing in it can
//! fail; the engine's three kinds of error (`errors::ServiceError`) tell the caller what to do next.

pub mod address;
pub mod declaration;
pub mod engine;
pub mod errors;
pub mod extraction;
mod http;
pub mod limits;
pub mod presets;
pub mod request;
mod resolver;
pub mod template;
