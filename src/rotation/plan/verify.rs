//! Whether the service still accepts the token in the Secret. A refusal is not yet a death (P6, P20).

use std::time::Duration;

use crate::api::ids::TokenId;
use crate::api::ledger::Current;
use crate::api::time::Time;
use crate::rotation::observed::{Facts, Observed, Verdict};
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::schedule::{expired, verification_due};

/// So many refusals by one process are needed, the first one included.
const AGAIN: u32 = 2;

/// So many refusals are needed where nothing but the token itself can say that it is dead.
const ALONE: u32 = 3;

/// Answers that say nothing for less than this may be a hiccup. The service is asked again meanwhile.
const UNCLEAR_FOR: Duration = Duration::from_secs(5);

pub(super) fn verify(view: &View) -> Option<Step> {
    let observed = view.observed;
    let Observed { ledger, service, facts, .. } = observed;
    let current = ledger.current.as_ref().filter(|current| current.rejected_time.is_none())?;
    if !observed.holds_current() || !service.same_place() {
        return None;
    }
    if let Some(step) = unclear(view, current) {
        return Some(step);
    }
    let forget = || current.refused_time.map(|_| Step::ForgetRefusal);
    match facts.verdict {
        _ if !view.desired.probe => return forget(),
        // It may have been published without asking.
        Some(Verdict::Accepted) => return forget().or_else(|| (!current.probed).then_some(Step::RecordProbed)),
        Some(Verdict::Refused) => return refused(view, current),
        None => {}
    }
    let due = verification_due(view.desired, current, facts)?;
    if (!view.now.reached(due) && !facts.doubtful) || view.paused(facts.pauses.verify) {
        return None;
    }
    // The list is asked for before the token, so that the refusal is the newer of the two.
    let lists = needs_list(view, current) && service.listing.is_none() && !view.paused(facts.pauses.sweep);
    Some(if lists { Step::Sweep } else { view.after_read(Step::Verify) })
}

/// The first refusal is only recorded. A later one is a death if something else says so.
fn refused(view: &View, current: &Current) -> Option<Step> {
    let Some(since) = refused_since(view, current) else { return Some(Step::RecordRefusal) };
    // The first answer after a restart is no second one: what was said before may have been said to everybody.
    let again = view.observed.facts.refusals >= AGAIN;
    // One that has expired is refused for that, and is replaced for that.
    let lives = !expired(current, view.now.time());
    (again && lives && view.observed.service.trusted() && is_settled(view, since) && is_confirmed(view, current, since))
        .then_some(Step::Reject)
}

/// Since when the refusals of this token count. Those from a time in which the service refused most tokens do not. A time that lies ahead
/// was stamped before the clock was set back, and is recorded anew.
fn refused_since(view: &View, current: &Current) -> Option<Time> {
    let forgiven = view.observed.service.others.forgiven;
    let stamped = current.refused_time.filter(|refused| view.now.reached(*refused));
    stamped.map(|refused| forgiven.map_or(refused, |forgiven| forgiven.max(refused)))
}

fn is_settled(view: &View, since: Time) -> bool {
    view.now.is_over(since.plus(view.desired.timings.refusal_settle))
}

/// Whether anything but its own refusals says that the token is dead: the service accepted another one meanwhile, or a complete list
/// has another one of ours and lacks this one. Where nothing else ever speaks, enough of its own refusals do.
fn is_confirmed(view: &View, current: &Current, since: Time) -> bool {
    let Observed { service, facts, .. } = view.observed;
    let alone = service.others.answered.is_none_or(|answered| answered < since) && !contradicted(view, current);
    let long = view.now.is_over(since.plus(view.desired.timings.refusal_window()));
    accepts_others(view, since) || is_unlisted(view, current) || (alone && long && facts.refusals >= ALONE)
}

fn accepts_others(view: &View, since: Time) -> bool {
    view.observed.service.others.accepted.is_some_and(|accepted| accepted >= since)
}

fn is_unlisted(view: &View, current: &Current) -> bool {
    let service = &view.observed.service;
    listable(view, current)
        && service.listing.is_some()
        && service.lists_others
        && !service.own_rows().any(|row| row.id == current.id)
}

/// Whether the list, where there can be one, has the token or did not come: it does not confirm what the token's own refusals say.
fn contradicted(view: &View, current: &Current) -> bool {
    let service = &view.observed.service;
    let listed = |id: &TokenId| service.own_rows().any(|row| row.id == *id);
    listable(view, current) && (service.listing.is_none() || listed(&current.id))
}

/// Whether the list can show this token. Nobody knows under which id it has one that was handed over.
fn listable(view: &View, current: &Current) -> bool {
    view.observed.service.attributable() && current.hand_over.is_none()
}

/// Whether only the list can confirm what the next refusal says.
fn needs_list(view: &View, current: &Current) -> bool {
    let service = &view.observed.service;
    let since = refused_since(view, current).filter(|since| is_settled(view, *since));
    listable(view, current) && service.trusted() && since.is_some_and(|since| !accepts_others(view, since))
}

/// Answers that the declaration does not name are recorded once they last, so that people read of them, whatever process looks, and so
/// that the service is asked until it says something.
fn unclear(view: &View, current: &Current) -> Option<Step> {
    let Facts { unclear, verdict, .. } = &view.observed.facts;
    match (&current.unclear, unclear) {
        (Some(_), _) if verdict.is_some() || !view.desired.probe => Some(Step::RecordUnclear(None)),
        (None, Some(unclear))
            if verdict.is_none() && view.desired.probe && view.now.reached(unclear.since_time.plus(UNCLEAR_FOR)) =>
        {
            Some(Step::RecordUnclear(Some(unclear.clone())))
        }
        (Some(_) | None, _) => None,
    }
}
