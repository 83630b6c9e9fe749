//! What must hold: meanwhile (`calls`, `consumers`, `hands`, `leaders`, `records`), soon after all works again (`settled`), after some quiet hours and
//! in the end (`rest`), and what it may cost (`costs`).
//!
//! Numbers are those of `docs/protocol.md`; laws that only the simulation has carry a word.

mod bans;
mod calls;
mod consumers;
mod costs;
mod hands;
mod hindered;
mod leaders;
mod records;
mod rest;
mod settled;

pub use calls::{
    object_of_call, of_bearer, of_call, of_content, of_ended, of_made, of_sent, of_write, strangers, with_name,
};
pub use consumers::of_consumers;
pub use costs::{Most, STORM, most, of_costs, of_watches};
pub use hands::{of_hands, of_survivors};
pub use leaders::of_leaders;
pub use records::of_records;
pub use rest::{of_rest, of_the_end};
pub use settled::Unsettled;
