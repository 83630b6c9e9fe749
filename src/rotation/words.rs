//! Sentences that events have in common. Pure.

use crate::api::ledger::Current;

/// The life of a token until it was current.
pub fn life_of(current: &Current) -> String {
    let asked = if current.probed { format!("verified {}", current.verified_time) } else { "not probed".to_owned() };
    format!(
        "attempt {}: claimed {}, generated {}, Secret updated {}, {asked}",
        current.attempt, current.claimed_time, current.issued_time, current.published_time
    )
}

/// What an attempt that was given up as too late ran out of time for.
pub fn too_late(generated: bool, hindrance: Option<&str>) -> String {
    let what = if generated { "it could not be published in time" } else { "no token could be asked for in time" };
    hindrance.map_or_else(|| what.to_owned(), |why| format!("{what}: {why}"))
}

/// Why a fresh token counts as refused. A narrow token is refused by a verify request that lies outside of what it may do.
pub fn refused(when: &str, status: Option<u16>) -> String {
    let status = status.map(|status| format!(" (status {status})")).unwrap_or_default();
    format!(
        "the service did not accept it {when}{status}. Is the request of spec.operations.verify within what such a token may do, by its \
         parameters?"
    )
}

/// That the current token is dead, and who brings the next one.
pub fn rejected(by_hand: bool) -> String {
    let next = if by_hand { "a person must make a new one" } else { "a new one is generated" };
    format!("the current token is dead: the service refused it more than once, and not others; {next}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_too_late_is_told_with_what_stood_in_the_way() {
        assert_eq!(too_late(true, None), "it could not be published in time");
        let down = "no connection";
        assert_eq!(too_late(false, Some(down)), "no token could be asked for in time: no connection");
    }

    #[test]
    fn a_refusal_is_told_with_its_status_and_where_to_look() {
        let told = refused("after it was published", Some(403));
        assert!(told.contains("(status 403)") && told.contains("spec.operations.verify"), "{told}");
        assert!(!refused("", None).contains("status"));
    }
}
