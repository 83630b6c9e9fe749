//! In which order the operator revokes and replaces the leaked tokens of a service.

use std::time::Duration;

use crate::api::time::Time;

/// When an object has its turn after a leak at its service. Each of the `older` tokens goes first and takes `calls` of the
/// `per_minute` calls that the rate limit allows; a quarter of a minute's calls may go at once.
pub fn leak_turn(older: u32, calls: u32, per_minute: u32, now: Time) -> Time {
    let per_minute = per_minute.max(1);
    let ahead = older.saturating_add(1).saturating_sub(per_minute / 4 / calls);
    now.plus((Duration::from_secs(60) * calls / per_minute).saturating_mul(ahead))
}
