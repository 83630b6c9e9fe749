//! Names of tokens: a display name never changes whose token it is.

#![no_main]

use artifact_token_operator::rotation::identity::{Name, OWN_PART, format, nonce, parse, uid16};
use libfuzzer_sys::fuzz_target;

/// Numbers, and three lines: a listed name, a uid, and a display name.
type Input<'a> = (u32, [u8; 5], u16, &'a str);

fuzz_target!(|input: Input| {
    let (attempt, random, maximum, text) = input;
    let mut lines = text.splitn(3, '\n').chain(["", ""]);
    let [listed, uid, display] = [(); 3].map(|()| lines.next().unwrap_or_default());
    let prefix = "prod-eu1";
    let name = Name { uid16: uid16(uid), attempt: attempt.max(1), nonce: nonce(random) };
    let text = format(prefix, &name, display, usize::from(maximum));
    assert_eq!(parse(prefix, &text), Some(name.clone()), "{text}");
    assert!(text.chars().count() <= usize::from(maximum).max(OWN_PART), "{text}");
    // A name that is read as ours is exactly the name that we write.
    if let Some(read) = parse(prefix, listed) {
        let own = format(prefix, &read, "", usize::MAX);
        assert!(listed == own || listed.starts_with(&(own + " ")), "{listed}");
    }
});
