//! Steps that read and write the Secret.

pub(in crate::controller::token) mod access;
pub(in crate::controller::token) mod preflight;
pub(super) mod publish;
pub(super) mod repair;
mod written;
