//! Checks and sweeps of the service objects of both kinds.

mod ask;
pub(crate) mod check;
pub(crate) mod controller;
pub(crate) mod load;
pub(crate) mod object;
pub(crate) mod references;
mod release;
mod status;
pub(crate) mod sweep;
