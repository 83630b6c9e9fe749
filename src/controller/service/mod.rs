//! Checks and sweeps of the service objects of both kinds.

pub(crate) mod check;
pub(crate) mod controller;
pub(crate) mod load;
pub(crate) mod object;
pub(crate) mod references;
pub(crate) mod sweep;
