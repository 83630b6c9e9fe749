//! `Retry-After` in every form: the pause is always between its bounds.

use std::time::Duration;

use arbitrary::{Arbitrary as _, Unstructured};
use artifact_token_operator::api::time::Time;
use artifact_token_operator::service::limits::{http_date, retry_after};

/// Whether the bytes are the time of an answer and its header.
pub fn holds_for(bytes: &[u8]) -> bool {
    let input = <(i64, &str)>::arbitrary_take_rest(Unstructured::new(bytes));
    let Ok((answered, header)) = input else { return false };
    let pause = retry_after(Some(header), Time::from_millis(answered));
    assert!((Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&pause), "{pause:?}");
    if let Some(date) = http_date(header) {
        assert_eq!(Time::parse(&format!("{date:?}")), Some(date));
    }
    true
}
