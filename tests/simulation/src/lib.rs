//! The whole shipped controller on a virtual clock, against an API server and token services in the same process.
//!
//! | module | what it has |
//! |---|---|
//! | [`determinism`] | everything random in a thread follows from a seed |
//! | [`world`] | the virtual clock, the record of what happened, and what becomes of calls ([`fate`]) |
//! | [`api_server`] | as much of an API server as the operator can tell from a real one |
//! | [`objects`], [`layout`] | what people write, and in which namespaces at which services |
//! | [`services`] | truthful token services, and what can be wrong with them |
//! | [`process`] | one operator, which can be killed |
//! | [`act`], [`plan`] | what people, machines and services do in a life; a plan is all of a life that is not the product |
//! | [`life`], [`laws`] | runs a plan; what must hold meanwhile, after some quiet hours, and in the end |
//! | [`excuses`] | what a law must know before it blames the product |
//! | [`overlaid`] | adversities that come together, each of which ends only its own doing |
//! | [`shrink`] | the smallest plan that breaks the same law |
//! | [`mutation`] | the product with one rule broken, as its world sees it |

// A simulation that cannot go on is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod act;
pub mod api_server;
pub mod determinism;
pub mod excuses;
pub mod fate;
pub mod laws;
pub mod layout;
pub mod life;
pub mod mutation;
pub mod objects;
pub mod overlaid;
pub mod plan;
pub mod process;
pub mod services;
pub mod shrink;
pub mod world;
