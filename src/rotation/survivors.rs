//! What may still live at the service when an object is let go (P13, P18). One event reports it: nothing here knows of it afterwards.

use std::fmt;

use crate::api::ids::{Nonce, TokenId};
use crate::api::time::Time;
use crate::rotation::hand_over::named;
use crate::rotation::observed::{InFlight, Observed};

/// The longest list in a report, in bytes. A note of an event has room for 1,024, and some words stand around the list.
const MAX_LIST: usize = 700;

/// A token that lives, or may live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survivor {
    /// Its attempt.
    pub attempt: u32,
    /// Its id; `None` for the token of a claim of unknown outcome.
    pub id: Option<TokenId>,
    /// The nonce in its name, where it has a name and nobody knows its id.
    pub nonce: Option<Nonce>,
    /// When it was asked for, if that is known.
    pub claimed: Option<Time>,
    /// As a person finds it in the pages of a service without an API for tokens, where its id says nothing.
    pub by_hand: Option<String>,
}

impl Survivor {
    fn known(attempt: u32, id: &TokenId) -> Self {
        Self { attempt, id: Some(id.clone()), nonce: None, claimed: None, by_hand: None }
    }

    fn unknown(attempt: u32, nonce: Option<Nonce>, claimed: Time) -> Self {
        Self { attempt, id: None, nonce, claimed: Some(claimed), by_hand: None }
    }

    fn handed_over(self, hint: Option<&str>, claimed: Option<Time>) -> Self {
        Self { by_hand: Some(named(self.attempt, hint, claimed)), ..self }
    }
}

/// For people, who must find it at the service.
impl fmt::Display for Survivor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(by_hand) = &self.by_hand {
            return f.write_str(by_hand);
        }
        match &self.id {
            Some(id) => write!(f, "{id} (attempt {})", self.attempt)?,
            None => write!(f, "a token of attempt {}", self.attempt)?,
        }
        if let Some(claimed) = self.claimed {
            write!(f, ", asked for at about {claimed}")?;
        }
        if let Some(nonce) = &self.nonce {
            write!(f, ", with .{}.{nonce} in its name", self.attempt)?;
        }
        Ok(())
    }
}

/// All that may live when the object goes now: what the ledger lists, what this process has in flight, and each claim of unknown
/// outcome for which nobody could look.
pub fn survivors(observed: &Observed) -> Vec<Survivor> {
    let Observed { object, ledger, in_flight, service, .. } = observed;
    let current = ledger.current.iter().map(|current| {
        let known = Survivor::known(current.attempt, &current.id);
        match current.hand_over {
            Some(_) => known.handed_over(current.hint.as_deref(), Some(current.claimed_time)),
            None => known,
        }
    });
    let superseded = ledger.superseded.iter().map(|old| {
        let known = Survivor::known(old.attempt, &old.id);
        if old.handed_over { known.handed_over(old.hint.as_deref(), old.claimed_time) } else { known }
    });
    let mut found: Vec<Survivor> = current.chain(superseded).collect();
    if let InFlight::Value { attempt, id, .. } = in_flight
        && !ledger.knows(id)
    {
        let known = Survivor::known(*attempt, id);
        let by_hand = *id == TokenId::of_hand_over(*attempt);
        found.push(if by_hand { known.handed_over(None, None) } else { known });
    }
    // Where the tokens have names, deletion has revoked whatever the service listed, unless it was told to leave it.
    let searched = object.leave.is_none() && service.listing.is_some();
    if !searched {
        let named = service.seen.is_some_and(|seen| seen.attributable);
        let nonce = |nonce: Nonce| named.then_some(nonce);
        // For a claim in flight nothing was sent yet.
        let open = observed.unresolved_claim();
        found.extend(open.map(|claim| Survivor::unknown(claim.attempt, nonce(claim.nonce), claim.time)));
        let lost = ledger.lost.iter();
        found.extend(lost.map(|lost| Survivor::unknown(lost.attempt, nonce(lost.nonce.clone()), lost.time)));
    }
    let possibly = ledger.possibly_lost.iter();
    found.extend(possibly.map(|lost| Survivor::unknown(lost.attempt, None, lost.claimed_time)));
    found
}

/// The list for people. What has no room in it is counted.
pub fn listed(survivors: &[Survivor]) -> String {
    let mut text = String::new();
    for (index, survivor) in survivors.iter().enumerate() {
        let next = survivor.to_string();
        if index > 0 && text.len() + next.len() > MAX_LIST {
            return format!("{text}; and {} more, which its status listed", survivors.len() - index);
        }
        text = if index == 0 { next } else { format!("{text}; {next}") };
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::api::ids::samples::{id, nonce};
    use crate::api::ledger::{Claim, Ledger, Lost, PossiblyLost};
    use crate::rotation::observed::{Leave, Object, Service, ServiceSeen};

    fn at(seconds: i64) -> Time {
        Time::from_millis(1_800_000_000_000 + 1000 * seconds)
    }

    /// An object with an open claim 4, a lost one and a possibly lost one.
    fn observed(attributable: bool, leave: Option<Leave>, searched: bool) -> Observed {
        let claim = Claim {
            attempt: 4,
            nonce: nonce("n4"),
            time: at(0),
            request_digest: String::new(),
            request: None,
            hand_over: None,
            outcome: None,
        };
        Observed {
            object: Object { deleting: true, finalizer: true, leave, ..Object::default() },
            ledger: Ledger {
                claim: Some(claim),
                lost: vec![Lost { attempt: 3, nonce: nonce("n3"), time: at(-9) }],
                possibly_lost: vec![PossiblyLost { attempt: 2, claimed_time: at(-99) }],
                ..Ledger::default()
            },
            service: Service {
                seen: Some(ServiceSeen { attributable, same_origin: true, trusted: true, by_hand: false }),
                listing: searched.then(Vec::new),
                ..Service::default()
            },
            ..Observed::default()
        }
    }

    fn attempts(observed: &Observed) -> Vec<u32> {
        survivors(observed).iter().map(|survivor| survivor.attempt).collect()
    }

    #[test]
    fn claims_of_unknown_outcome_survive_where_nobody_could_look_for_their_tokens() {
        assert_eq!(attempts(&observed(false, None, false)), [4, 3, 2]);
        assert_eq!(attempts(&observed(true, None, true)), [2]);
        for leave in [Leave::Orphan, Leave::Skip] {
            assert_eq!(attempts(&observed(true, Some(leave), true)), [4, 3, 2]);
        }
    }

    #[test]
    fn what_is_in_flight_survives_only_where_generate_was_sent() {
        let deadline = at(60);
        let mut observed = observed(true, Some(Leave::Orphan), false);
        observed.in_flight = InFlight::Claim { attempt: 4, deadline };
        assert_eq!(attempts(&observed), [3, 2]);
        let (attempt, id, issued, trial, expected, sent) = (4, id("t4"), at(1), None, Vec::new(), false);
        observed.in_flight = InFlight::Value { attempt, id, deadline, issued, trial, expected, sent };
        assert_eq!(attempts(&observed), [4, 3, 2]);
        assert!(
            listed(&survivors(&observed)).starts_with("t4 (attempt 4); a token of attempt 3, asked for at about 20")
        );
    }

    #[test]
    fn what_a_person_made_is_named_as_the_person_finds_it() {
        let found = |hint, claimed| Survivor::known(3, &id("hand-over-3")).handed_over(hint, claimed).to_string();
        let claimed = Some(at(0));
        assert_eq!(found(Some("****nTcg"), claimed), format!("the token ****nTcg of attempt 3, handed over {}", at(0)));
        assert_eq!(found(None, None), "the token of attempt 3");
    }

    #[test]
    fn a_list_is_short_and_counts_the_rest() {
        let token = |attempt: u32| Survivor::known(attempt, &id("i".repeat(60)));
        let text = listed(&(0..32).map(token).collect::<Vec<_>>());
        assert!(text.len() < MAX_LIST + 60, "{text}");
        assert!(text.ends_with("and 23 more, which its status listed"), "{text}");
        assert_eq!(listed(&[token(7)]), format!("{} (attempt 7)", "i".repeat(60)));
    }
}
