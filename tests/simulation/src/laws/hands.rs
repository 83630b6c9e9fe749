//! What a person asks for, or did to a Secret, is done soon, where nothing is in the way.

use std::time::Duration;

use super::hindered::hindered;
use crate::act::Act;
use crate::excuses::SECOND;
use crate::life::Life;
use crate::objects::{NAMESPACE, secret_of};
use crate::services::Token;

/// A hand's deed is seen at once, and answered soon: within a new token's way there.
const SOON: Duration = Duration::from_secs(300);

/// L5: a Secret that was deleted or edited is in order again soon. L2: a rotation that was asked for has happened soon.
pub fn of_hands(life: &Life) {
    for (number, (at, act)) in life.facts.done.iter().enumerate() {
        let (Act::EditSecret(index) | Act::DeleteSecret(index) | Act::Rotate(index)) = *act else { continue };
        if hindered(life, index, Some(number), *at, *at + SOON) || life.around.world.elapsed() < *at + SOON {
            continue;
        }
        let tokens = life.around.services.with(|books| books.tokens.clone());
        if let Act::Rotate(_) = act {
            rotated(life, index, *at, &tokens);
        } else {
            repaired(life, index, *at, &tokens);
        }
    }
}

fn repaired(life: &Life, index: usize, at: Duration, tokens: &[Token]) {
    let held = life.around.api_server.held(NAMESPACE, &secret_of(index));
    let taken = held.iter().any(|held| held.until.is_some_and(|until| until >= at && until < at + SECOND));
    let ours = |data| tokens.iter().any(|token| token.data() == data && token.own_name().is_some());
    let back = held.iter().any(|held| held.from > at && held.from < at + SOON && ours(held.data.clone()));
    if taken && !back {
        let how = format!("{} was changed by a hand at {at:?}, and is not in order within {SOON:?}", secret_of(index));
        life.around.world.broke("L5", how);
    }
}

fn rotated(life: &Life, index: usize, at: Duration, tokens: &[Token]) {
    let held = life.around.api_server.held(NAMESPACE, &secret_of(index));
    let made = |data| tokens.iter().any(|token| token.data() == data && token.at > at);
    if !held.iter().any(|held| held.from > at && held.from < at + SOON && made(held.data.clone())) {
        let how = format!("a rotation of t{index} was asked for at {at:?}, and has not happened within {SOON:?}");
        life.around.world.broke("L2", how);
    }
}
