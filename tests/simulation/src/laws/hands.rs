//! What a person asks for, or did to a Secret, is done soon, where nothing is in the way.

use std::time::Duration;

use serde_json::Value;

use super::hindered::hindered;
use crate::act::Act;
use crate::excuses::SECOND;
use crate::life::Life;
use crate::objects::{name_of, secret_of};
use crate::services::Token;

/// A hand's deed is seen at once, and answered soon: within a new token's way there.
const SOON: Duration = Duration::from_secs(300);

/// L5: a Secret that was deleted or edited is in order again soon. L2: a rotation that was asked for has happened soon.
pub fn of_hands(life: &Life) {
    for (number, (at, act)) in life.facts.done.iter().enumerate() {
        let (Act::EditSecret(index) | Act::DeleteSecret(index) | Act::Rotate(index)) = *act else { continue };
        let unheard = life.facts.unheard.contains(&number);
        if unheard || hindered(life, index, &[number], *at, *at + SOON) || life.around.world.elapsed() < *at + SOON {
            continue;
        }
        let tokens = life.around.services.tokens();
        if let Act::Rotate(_) = act {
            rotated(life, index, *at, &tokens);
        } else {
            repaired(life, index, *at, &tokens);
        }
    }
}

/// P18: what lives when an object is let go is told.
pub fn of_survivors(life: &Life) {
    for (number, uid) in &life.facts.orphaned {
        let (at, act) = life.facts.done[*number];
        let Act::LetGo(index) = act else { continue };
        // The deletion itself is the act after it.
        if hindered(life, index, &[*number, number + 1], at, at + SOON) {
            continue;
        }
        let events = life.around.api_server.events();
        let of = |event: &Value| event["type"] == "Warning" && event["regarding"]["name"] == name_of(index);
        let told: String = events
            .iter()
            .filter(|(told, event)| *told >= at && of(event))
            .map(|(_, event)| event["note"].to_string())
            .collect();
        for token in life.around.services.tokens() {
            let own = token.own_name().filter(|name| name.uid16 == *uid);
            let lives = token.at < at && token.died.is_none_or(|died| died > at + SOON) && token.expires.is_none();
            let Some(name) = own.filter(|_| lives) else { continue };
            let known = token.heard && told.contains(&format!("{} (attempt {})", token.id, name.attempt));
            if !known && !told.contains(&format!("a token of attempt {}", name.attempt)) {
                let how = format!("{} ({}) lives, and its object went without a word: {told}", token.id, token.name);
                life.around.world.broke("P18", how);
            }
        }
    }
}

fn repaired(life: &Life, index: usize, at: Duration, tokens: &[Token]) {
    let held = life.around.api_server.held(index);
    let taken = held.iter().any(|held| held.until.is_some_and(|until| until >= at && until < at + SECOND));
    let ours = |data| tokens.iter().any(|token| token.data() == data && (token.own_name().is_some() || token.by_hand));
    let back = held.iter().any(|held| held.from > at && held.from < at + SOON && ours(held.data.clone()));
    if taken && !back {
        let how = format!("{} was changed by a hand at {at:?}, and is not in order within {SOON:?}", secret_of(index));
        life.around.world.broke("L5", how);
    }
}

fn rotated(life: &Life, index: usize, at: Duration, tokens: &[Token]) {
    let held = life.around.api_server.held(index);
    let before = |data: &Value| held.iter().any(|held| held.from <= at && held.data == *data);
    // What a person hands over may have been made before.
    let is_new = |token: &Token| token.at > at || token.by_hand && !before(&token.data());
    let made = |data| tokens.iter().any(|token| token.data() == data && is_new(token));
    if !held.iter().any(|held| held.from > at && held.from < at + SOON && made(held.data.clone())) {
        let how = format!("a rotation of t{index} was asked for at {at:?}, and has not happened within {SOON:?}");
        life.around.world.broke("L2", how);
    }
}
