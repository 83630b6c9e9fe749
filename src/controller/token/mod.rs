//! Passes over the `ArtifactToken`s.

pub(crate) mod context;
pub(crate) mod controller;
mod instructions;
pub(crate) mod memories;
pub(crate) mod memory;
pub(crate) mod object_writer;
pub(crate) mod observe;
pub(crate) mod offers;
pub(crate) mod pass;
pub(crate) mod perform;
pub(crate) mod reconcile;
pub(crate) mod rereads;
pub(crate) mod secret_index;
pub(crate) mod secret_state;
pub(crate) mod validate;
mod visible_service;
