#![allow(clippy::unwrap_used)]

use super::*;

const LIST: Operation = Operation::List;

fn at(seconds: u64) -> Time {
    Time::from_millis(1_800_000_000_000).plus(Duration::from_secs(seconds))
}

/// A failure that takes no time.
fn fails(health: &mut Health, operation: Operation, second: u64) {
    let what = format!("{}: status 500", operation.name());
    health.hear(operation, Outcome::Failed(what), at(second), at(second));
}

fn is_lost(health: &mut Health, operation: Operation, began: u64, ended: u64) {
    let what = format!("{}: no connection", operation.name());
    health.hear(operation, Outcome::Unanswered(what), at(began), at(ended));
}

fn works(health: &mut Health, operation: Operation, second: u64) {
    health.hear(operation, Outcome::Worked, at(second), at(second));
}

fn ready(status: ConditionStatus, reason: Reason, message: &str, since: u64) -> Condition {
    Condition {
        type_: ConditionType::Ready,
        status,
        reason,
        message: message.to_owned(),
        observed_generation: Some(1),
        last_transition_time: at(since),
    }
}

#[test]
fn one_failure_is_no_trouble_and_leads_to_one_question_after_a_moment() {
    let mut health = Health::default();
    assert_eq!((health.ask_at(at(0)), health.trouble(at(0))), (None, None));
    fails(&mut health, LIST, 0);
    assert_eq!(health.ask_at(at(40)), Some(at(15)));
    assert_eq!(health.trouble(at(60)), None);
    works(&mut health, LIST, 10);
    assert_eq!((health.ask_at(at(10)), health.changes_at(at(10))), (None, None));
}

#[test]
fn a_list_that_keeps_failing_is_told_within_a_minute_and_over_when_it_works() {
    let mut health = Health::default();
    fails(&mut health, LIST, 0);
    fails(&mut health, LIST, 2);
    assert_eq!(health.trouble(at(14)), None, "one hiccup of a few seconds");
    assert_eq!(health.changes_at(at(2)), Some(at(15)));
    let halt = health.trouble(at(15)).unwrap().halt();
    let said = "list: status 500. The service object is Ready again once list works; tokens are issued meanwhile";
    assert_eq!((halt.reason, halt.message.as_str(), halt.stalled), (Reason::OperationFailing, said, false));
    works(&mut health, LIST, 100);
    assert_eq!(health.trouble(at(100)), None);
}

#[test]
fn a_service_that_hangs_is_asked_as_soon_as_the_first_call_timed_out() {
    let mut health = Health::default();
    is_lost(&mut health, Operation::Generate, 0, 30);
    assert_eq!(health.ask_at(at(40)), Some(at(15)), "the call itself lasted longer than that");
    health.asked(at(30));
    assert_eq!(health.ask_at(at(40)), Some(at(90)), "then it is quiet for a while");
    health.asked(at(90));
    assert_eq!(health.ask_at(at(40)), Some(at(210)), "and for longer");
}

#[test]
fn what_failed_while_the_service_was_down_is_not_told_once_it_is_back() {
    let mut health = Health::default();
    for second in 0..10 {
        is_lost(&mut health, Operation::Generate, second * 5, second * 5);
    }
    works(&mut health, Operation::Verify, 60);
    assert_eq!((health.trouble(at(61)), health.ask_at(at(61))), (None, None), "nothing says that it does not work");
    is_lost(&mut health, Operation::Generate, 100, 160);
    assert!(health.trouble(at(160)).is_some(), "it fails although the service is there");
}

#[test]
fn a_verification_that_fails_leads_to_a_question_and_is_no_trouble_by_itself() {
    let mut health = Health::default();
    for second in [0, 20, 40] {
        fails(&mut health, Operation::Verify, second);
    }
    assert_eq!((health.ask_at(at(60)), health.trouble(at(60))), (Some(at(15)), None));
    for second in [0, 20, 40] {
        fails(&mut health, Operation::Revoke, second);
    }
    works(&mut health, Operation::Verify, 50);
    assert_eq!(health.ask_at(at(60)), None, "a check does not revoke");
    assert!(health.trouble(at(60)).is_some());
}

#[test]
fn what_fails_for_one_token_counts_once_it_fails_for_another_and_worked_for_none() {
    let fails_for = |health: &mut Health, caller: &str, second: u64| {
        let heard = Outcome::FailedFor { caller: caller.to_owned(), what: "revoke: status 403".to_owned() };
        health.hear(Operation::Revoke, heard, at(second), at(second));
    };
    let mut health = Health::default();
    for second in [0, 20, 40] {
        fails_for(&mut health, "a", second);
    }
    assert_eq!(health.trouble(at(60)), None, "it may be its own fault");
    fails_for(&mut health, "b", 60);
    assert!(health.trouble(at(60)).is_some());
    fails_for(&mut health, "b", 80);
    assert!(health.trouble(at(80)).is_some());
    works(&mut health, Operation::Revoke, 90);
    fails_for(&mut health, "a", 100);
    fails_for(&mut health, "a", 120);
    assert_eq!(health.trouble(at(130)), None);
}

#[test]
fn a_trouble_that_nothing_shows_any_more_is_forgotten() {
    let mut health = Health::default();
    fails(&mut health, Operation::Revoke, 0);
    fails(&mut health, Operation::Revoke, 20);
    assert_eq!(health.changes_at(at(20)), Some(at(20 + 75 * 60)));
    assert!(health.trouble(at(3600)).is_some());
    assert_eq!(health.trouble(at(20 + 75 * 60)), None);
}

#[test]
fn an_operation_that_the_service_does_not_have_is_no_trouble_whoever_tells_it() {
    let mut health = Health::default();
    fails(&mut health, LIST, 0);
    fails(&mut health, LIST, 20);
    let halt = health.trouble(at(20)).unwrap().halt();
    let told = [ready(ConditionStatus::False, halt.reason, &halt.message, 20)];
    for _ in 0..2 {
        health.read(&told, at(30));
        health.forget_all_but(|operation| operation != LIST);
        assert_eq!((health.trouble(at(30)), health.ask_at(at(30))), (None, None));
    }
}

#[test]
fn a_process_takes_over_what_another_one_tells_unless_it_saw_it_work_since() {
    let mut first = Health::default();
    fails(&mut first, LIST, 0);
    fails(&mut first, LIST, 20);
    let halt = first.trouble(at(20)).unwrap().halt();
    let told = [ready(ConditionStatus::False, halt.reason, &halt.message, 20)];
    let mut second = Health::default();
    second.read(&told, at(30));
    assert_eq!(second.trouble(at(30)), first.trouble(at(30)), "so both tell the same");
    works(&mut second, LIST, 40);
    second.read(&told, at(41));
    assert_eq!(second.trouble(at(41)), None);
    first.read(&[ready(ConditionStatus::True, Reason::CredentialsAccepted, "", 41)], at(42));
    assert_eq!(first.trouble(at(42)), None, "somebody saw it work");
    fails(&mut first, LIST, 50);
    first.read(&[ready(ConditionStatus::True, Reason::CredentialsAccepted, "", 41)], at(51));
    assert_eq!(first.ask_at(at(51)), Some(at(65)));
    let mut late = Health::default();
    late.read(&told, at(20 + 75 * 60));
    assert_eq!(late.trouble(at(20 + 75 * 60)), None);
}

#[test]
fn a_definite_no_is_asked_for_again_within_two_minutes() {
    let pauses: Vec<u64> = (1..=6).map(|count| asked_again_after(true, count).as_secs()).collect();
    assert_eq!(pauses, [15, 30, 60, 120, 120, 120]);
    assert_eq!(asked_again_after(false, 9), NOT_READY_LOOK);
}
