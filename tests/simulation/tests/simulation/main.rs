//! The whole controller in a pretended world.
//!
//! `SIMULATION_LIVES=5000` runs so many random lives, `SIMULATION_SEED=17` begins with that seed, `SIMULATION_ONE=17` tells one life;
//! `SIMULATION_ABOUT=Api,Restore` has these kinds of act in each of them. A name
//! that nobody knows is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod agreement;
mod by_hand;
mod campaign;
mod elections;
mod ends;
mod forgeries;
mod late;
mod limits;
mod lives;
mod messages;
mod mutations;
mod neighbours;
mod pages;
mod partial;
mod refusals;
mod replicas;
mod terms;
mod troubles;
mod unwatched;
