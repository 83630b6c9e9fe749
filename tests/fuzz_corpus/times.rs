//! Times and durations: what is read can be written, and is read again as the same.

use std::time::Duration;

use arbitrary::{Arbitrary as _, Unstructured};
use artifact_token_operator::api::duration::GoDuration;
use artifact_token_operator::api::parameters::Lifetime;
use artifact_token_operator::api::time::Time;
use artifact_token_operator::service::extraction::JsonPath;
use serde_json::Value;

/// Whether the bytes are text.
pub fn holds_for(bytes: &[u8]) -> bool {
    let Ok(text) = <&str>::arbitrary_take_rest(Unstructured::new(bytes)) else { return false };
    if let Some(time) = Time::parse(text) {
        assert_eq!(Time::parse(&format!("{time:?}")), Some(time), "{text}");
        assert!(time.plus(Duration::MAX) >= time.minus(Duration::from_millis(1)));
    }
    if let Some(length) = GoDuration::parse(text) {
        assert_eq!(GoDuration::parse(&length.to_string()), Some(length), "{text}");
    }
    if let Some(lifetime) = Lifetime::parse(text) {
        assert_eq!(Lifetime::parse(&lifetime.to_string()), Some(lifetime), "{text}");
    }
    // A service may write its times in other ways, and as numbers.
    for value in [Value::from(text), serde_json::from_str(text).unwrap_or_default()] {
        if let Ok(Some(time)) = JsonPath::parse("$").unwrap().time(&value) {
            assert!(time.as_millis() > 0, "{text}");
            assert_eq!(Time::parse(&format!("{time:?}")), Some(time), "{text}");
        }
    }
    true
}
