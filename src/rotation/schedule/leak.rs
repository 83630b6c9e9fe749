//! In which order the leaked tokens of a service are answered.

use std::time::Duration;

use crate::api::time::Time;

/// When the turn of an object comes in the answer to a leak at its service: each of the `older` tokens takes `calls` of the
/// `per_minute` that the rate limit allows before it, a quarter of a minute's calls at once.
pub fn leak_turn(older: u32, calls: u32, per_minute: u32, now: Time) -> Time {
    let per_minute = per_minute.max(1);
    let ahead = older.saturating_add(1).saturating_sub(per_minute / 4 / calls);
    now.plus((Duration::from_secs(60) * calls / per_minute).saturating_mul(ahead))
}
