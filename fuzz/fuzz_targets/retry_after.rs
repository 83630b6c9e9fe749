//! `Retry-After` in every form: the pause is always between its bounds.

#![no_main]

use std::time::Duration;

use artifact_token_operator::api::time::Time;
use artifact_token_operator::service::limits::{http_date, retry_after};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (i64, &str)| {
    let (answered, header) = input;
    let pause = retry_after(Some(header), Time::from_millis(answered));
    assert!((Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&pause), "{pause:?}");
    if let Some(date) = http_date(header) {
        assert_eq!(Time::parse(&format!("{date:?}")), Some(date));
    }
});
