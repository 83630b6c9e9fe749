//! What a consumer sees that mounts a Secret: a value reaches it up to an overlap after the next one was written (S2).

use std::time::Duration;

use super::hindered::hindered;
use crate::api_server::Held;
use crate::excuses::SECOND;
use crate::life::Life;
use crate::objects::secret_of;
use crate::services::Token;
use crate::world::EPOCH;

/// The shortest lifetime of a token that is always replaced before it expires.
const SHORTEST: Duration = Duration::from_secs(300);

/// No consumer holds a dead token.
pub fn of_consumers(life: &Life) {
    let tokens = life.around.services.tokens();
    for index in 0..life.plan.tokens {
        let all = life.around.api_server.held(index);
        for held in &all {
            let Some(token) = tokens.iter().find(|token| token.data() == held.data) else { continue };
            // One that a person makes may lie about for long before it is taken up.
            let taken_up = all.iter().find(|first| first.data == held.data && token.by_hand).map(|first| first.from);
            let Some(death) = death_of(life, index, token, taken_up.unwrap_or(token.at)) else { continue };
            if !is_excused(life, index, token, held, death) {
                judge(life, index, token, held, death);
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

/// When it ended, since the beginning. An expiry counts where nothing held up the replacement, which is due a third of the life before: of
/// the life that it had left when it began.
fn death_of(life: &Life, index: usize, token: &Token, begun: Duration) -> Option<Duration> {
    let since_epoch = |expires: chrono::DateTime<chrono::Utc>| u64::try_from(expires.timestamp() - EPOCH).ok();
    // What the service said of the end of some nobody could believe.
    let expires = token.expires.filter(|_| !token.unbelieved).and_then(since_epoch).map(Duration::from_secs);
    let overlaps = life.around.world.excuses().overlaps.get(&index).cloned().unwrap_or_default();
    let overlap = overlaps.into_iter().map(|(_, overlap)| overlap).max().unwrap_or_default();
    let in_time = |expires: &Duration| {
        let lived = expires.saturating_sub(begun);
        let due = *expires - lived / 3;
        // One that lives for a shorter time than a replacement and an overlap take cannot be replaced in time; neither can one whose end
        // comes by a clock that nobody here reads.
        lived >= SHORTEST.max(3 * (overlap + life.facts.behind(token.at, *expires)))
            && !hindered(life, index, &[], due, *expires)
    };
    [token.died, expires.filter(in_time)].into_iter().flatten().min()
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
        || facts.ended_by_hand.contains(&token.value)
}
