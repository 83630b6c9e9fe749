//! Names of tokens: a display name never changes whose token it is.

use arbitrary::{Arbitrary as _, Unstructured};
use artifact_token_operator::api::ids::MAX_ATTEMPT;
use artifact_token_operator::rotation::identity::{Name, OWN_PART, format, nonce, parse, uid16};

/// Numbers, and three lines: a listed name, a uid, and a display name.
type Input<'a> = (u32, [u8; 5], u16, &'a str);

/// Whether the bytes are such an input.
pub fn holds_for(bytes: &[u8]) -> bool {
    let input = Input::arbitrary_take_rest(Unstructured::new(bytes));
    let Ok((attempt, random, maximum, text)) = input else { return false };
    let mut lines = text.splitn(3, '\n').chain(["", ""]);
    let [listed, uid, display] = [(); 3].map(|()| lines.next().unwrap_or_default());
    let prefix = "prod-eu1";
    let name = Name { uid16: uid16(uid), attempt, nonce: nonce(random) };
    let text = format(prefix, &name, display, usize::from(maximum));
    // No attempt outside these bounds is claimed, so none is believed.
    let ours = (1..=MAX_ATTEMPT).contains(&attempt).then_some(name);
    assert_eq!(parse(prefix, &text), ours, "{text}");
    assert!(text.chars().count() <= usize::from(maximum).max(OWN_PART), "{text}");
    // What is read as ours is written so, to the letter.
    if let Some(read) = parse(prefix, listed) {
        let own = format(prefix, &read, "", usize::MAX);
        assert!(listed == own || listed.starts_with(&(own + " ")), "{listed}");
    }
    true
}
