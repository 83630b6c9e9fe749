//! Times and durations: everything that can be read can be written, and reads back as the same value.

#![no_main]

use std::time::Duration;

use artifact_token_operator::api::duration::GoDuration;
use artifact_token_operator::api::parameters::Lifetime;
use artifact_token_operator::api::time::Time;
use artifact_token_operator::service::extraction::JsonPath;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|text: &str| {
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
});
