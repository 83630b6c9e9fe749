//! What a consumer sees that mounts a Secret: a value reaches it up to an overlap after the next one was written (S2).

use std::time::Duration;

use crate::act::Act;
use crate::api_server::Held;
use crate::excuses::SECOND;
use crate::life::Life;
use crate::objects::{NAMESPACE, secret_of};
use crate::services::Token;
use crate::world::EPOCH;

/// What a hand did to a Secret is seen at once, and corrected soon: within a new token's way there.
const SOON: Duration = Duration::from_secs(300);

/// L5: a Secret that was deleted or edited once is in order again soon, if nothing else happens.
pub fn of_hands(life: &Life) {
    let calm =
        |act: &Act| matches!(act, Act::Create(_) | Act::EditSecret(_) | Act::DeleteSecret(_) | Act::CopySecret(_));
    let acts = &life.plan.acts;
    if !life.plan.faults.is_empty() || !acts.iter().all(|(_, act)| calm(act)) {
        return;
    }
    for (at, act) in acts {
        let (Act::EditSecret(index) | Act::DeleteSecret(index)) = *act else { continue };
        let same = |other: &Act| matches!(other, Act::EditSecret(of) | Act::DeleteSecret(of) if *of == index);
        if acts.iter().filter(|(_, other)| same(other)).count() > 1 {
            continue;
        }
        let (at, held) = (Duration::from_secs((*at).into()), life.around.api_server.held(NAMESPACE, &secret_of(index)));
        let ours = life.around.services.with(|books| books.tokens.iter().map(Token::data).collect::<Vec<_>>());
        let taken = held.iter().any(|held| held.until.is_some_and(|until| until >= at && until < at + SECOND));
        let back = held.iter().any(|held| held.from > at && held.from < at + SOON && ours.contains(&held.data));
        if taken && !back {
            let how =
                format!("{} was changed by a hand at {at:?}, and is not in order within {SOON:?}", secret_of(index));
            life.around.world.broke("L5", how);
        }
    }
}

/// No consumer holds a dead token.
pub fn of_consumers(life: &Life) {
    let tokens = life.around.services.with(|books| books.tokens.clone());
    let expiry_counts = !life.plan.acts.iter().any(|(_, act)| holds_up(*act)) && life.plan.faults.is_empty();
    for index in 0..life.plan.tokens {
        for held in life.around.api_server.held(NAMESPACE, &secret_of(index)) {
            let Some(token) = tokens.iter().find(|token| token.data() == held.data) else { continue };
            let Some(death) = death_of(token, expiry_counts) else { continue };
            if !is_excused(life, index, token, &held, death) {
                judge(life, index, token, &held, death);
            }
        }
    }
}

fn judge(life: &Life, index: usize, token: &Token, held: &Held, death: Duration) {
    let until = held.until.unwrap_or_else(|| life.around.world.elapsed());
    let overlap = life.around.world.excuses().overlap(&life.around.api_server, index, token, until);
    if death + SECOND < until + overlap {
        let (id, secret) = (&token.id, secret_of(index));
        let how = format!(
            "{id} is dead since {death:?}, {secret} holds it until {until:?}, and consumers {overlap:?} longer"
        );
        life.around.world.broke("consumer", how);
    }
}

/// When it ended, since the beginning.
fn death_of(token: &Token, expiry_counts: bool) -> Option<Duration> {
    let expires = token.expires.filter(|_| expiry_counts).map(|expires| expires.timestamp() - EPOCH);
    let expires = expires.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
    [token.died, expires].into_iter().flatten().min()
}

/// A leak, a deletion, a person who ended it, a hand that put it back into the Secret.
fn is_excused(life: &Life, index: usize, token: &Token, held: &Held, death: Duration) -> bool {
    let (facts, server) = (&life.facts, &life.around.api_server);
    let gone = |uid: &str| facts.gone.at(uid, death) || facts.let_go.contains(uid);
    let excuses = life.around.world.excuses();
    // Only for as long as it stays there this time.
    let put_back = excuses.put_back_until(token, held.from + SECOND).is_some_and(|at| at + SECOND >= held.from);
    let expired = token.died.is_none_or(|died| died > death);
    // Near the end of a life nobody is there any more to hold anything.
    let after_all = expired && death > facts.judged;
    token.own_name().is_some_and(|name| gone(&name.uid16))
        || put_back
        || after_all
        || excuses.struck.contains(&token.value)
        || excuses.leaked(server, index, token, death)
        || facts.ended_by_hand.contains(&token.id)
}

/// Whether a replacement may be late for it: what fails, stands still, or is in the way.
fn holds_up(act: Act) -> bool {
    !matches!(
        act,
        Act::Create(_)
            | Act::Rotate(_)
            | Act::Reconcile(_)
            | Act::Delete(_)
            | Act::DeleteAll
            | Act::EditScopes(_)
            | Act::EditOverlap(..)
            | Act::EditInterval(..)
            | Act::EditLifetime(..)
            | Act::DeleteSecret(_)
            | Act::EditSecret(_)
            | Act::CopySecret(_)
            | Act::CopyAbroad(_)
            | Act::TouchCredential
            | Act::Stranger
            | Act::Kill
            | Act::Second(_)
            | Act::BreakWatches
            | Act::Compact
            | Act::Lag(..)
    )
}
