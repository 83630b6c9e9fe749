//! The shipped program under every single fault. A scenario is a script that runs against the real API server and the reference
//! service. For every call of the script, further scenarios kill the operator before the call, kill it after the call, lose the
//! answer, or deliver the call twice: with one operator, and with a second one beside it. In yet other scenarios, the operator
//! sleeps past every deadline while another one acts. Another script has a service that can only *verify*, where a person makes, hands over
//! and revokes each token.
//!
//! | module | what it has |
//! |---|---|
//! | `script` | the steps of a scenario, and when each is settled |
//! | `person` | what the person does whose tokens no API makes |
//! | `regressions` | faults that the fault matrix found, one test each |
//! | `scenario` | a namespace with its service, proxy, operators, recorder and consumer |
//! | `supervisor` | restarts an operator that was killed |
//! | `recorder` | every version of the Secret, every value, and every revoke with what the Secret held at that time |
//! | `invariants` | what must hold at the end |
//! | `fault_matrix` | the plans, and several scenarios side by side |
//! | `choice` | which plans a run has |
//! | `summary` | the counts over all scenarios |
//!
//! A fifth of the plans is run, the first one; with `CRASH_PARTS=3`, another one, as `.ci/run` has the commit choose it; with
//! `CRASH_PARTS=0,1` those two; with `CRASH_ALL=1` all of them; with `CRASH_PLANS=word`, those whose names have that word.
//! `CRASH_SCENARIOS` sets how many scenarios run side by side.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::explicit_write, missing_docs)]

mod choice;
mod fault_matrix;
mod invariants;
mod person;
mod recorder;
mod regressions;
mod scenario;
mod script;
mod summary;
mod supervisor;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use scenario::Hands;
use support::canary::Canary;

#[tokio::test(flavor = "multi_thread")]
async fn no_kill_no_lost_answer_and_no_call_that_arrives_twice_at_any_call_hurts() {
    fault_matrix::single_faults(Hands::Operator).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_at_any_call_loses_a_token_that_was_handed_over() {
    fault_matrix::single_faults(Hands::Person).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_sleeps_past_every_deadline_at_any_call_is_harmless_beside_another_one() {
    fault_matrix::sleepers(Hands::Operator).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_sleeps_while_tokens_are_handed_over_is_harmless_beside_another_one() {
    fault_matrix::sleepers(Hands::Person).await;
}

#[test]
fn a_planted_value_is_found_in_every_form() {
    let value = "ref_cp9-Zkq_Wm3xTtB7";
    let mut canary = Canary::default();
    canary.add("the value", value);
    let found = |text: &str| canary.find("a log", text);
    assert!(found("nothing of it: ref_cp9-Zkq").is_empty());
    let plant = |text: String, form: &str| {
        let found = found(&format!("line before\nsome=\"{text}\" more"));
        assert!(found.iter().any(|what| what.contains(form)), "{form}: {text} gave {found:?}");
        assert!(found.iter().all(|what| !what.contains(value)), "a finding does not leak: {found:?}");
    };
    plant(value.to_owned(), "as it is");
    for before in ["", "a", "ab", "abc", "user:"] {
        plant(BASE64.encode(format!("{before}{value}").as_bytes()), "in base64");
        plant(BASE64.encode(format!("{before}{value}after").as_bytes()), "in base64");
        plant(BASE64URL_NOPAD.encode(format!("{before}{value}?>").as_bytes()), "in base64url");
    }
    plant("ref%5Fcp9%2DZkq%5FWm3xTtB7".to_owned(), "percent-encoded");
    let throughout = |byte: u8| format!("%{byte:02x}");
    plant(value.bytes().map(throughout).collect(), "percent-encoded throughout");
    let mut other = Canary::default();
    other.add("a key", "a+key/with=signs");
    assert!(!other.find("a log", "x=a%2Bkey%2Fwith%3Dsigns").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_revoked_is_not_found_again_in_the_list_of_the_same_pass() {
    regressions::revoked_in_the_pass_that_listed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_generate_that_arrived_twice_is_found_and_revoked() {
    regressions::generated_twice().await;
}
