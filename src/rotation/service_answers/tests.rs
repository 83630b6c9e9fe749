//! What a service said, and what follows for its tokens.
#![allow(clippy::unwrap_used)]

use super::*;

const START: Time = Time::from_millis(1_800_000_000_000);
const WINDOW: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_secs(60);
/// Long after every pause.
const LATER: u64 = 100_000;

fn at(seconds: u64) -> Time {
    START.plus(Duration::from_secs(seconds))
}

/// The answers about tokens of these objects, a second apart: a capital letter is an accepted token.
fn said(answers: &mut Answers, from: u64, objects: &str) {
    for (second, object) in (from..).zip(objects.chars()) {
        let uid = object.to_lowercase().to_string();
        let token = TokenId::new(format!("token-{uid}")).unwrap();
        let said = Said { uid: &uid, token: &token, accepted: object.is_uppercase(), expired: false, at: at(second) };
        answers.take(said, WINDOW);
    }
}

fn awaits(answers: &Answers, uid: &str) -> bool {
    answers.awaits(uid, PAUSE, at(LATER))
}

#[test]
fn most_tokens_are_two_at_least_and_more_than_half() {
    for (objects, refusing) in
        [("a", false), ("aB", false), ("ab", true), ("abCD", false), ("abcCD", false), ("abcD", true)]
    {
        let mut answers = Answers::default();
        said(&mut answers, 0, objects);
        assert_eq!(answers.refusing(), refusing, "{objects}");
    }
}

#[test]
fn an_answer_that_is_ten_minutes_old_counts_no_more_but_a_fault_does_not_end_by_itself() {
    let mut answers = Answers::default();
    said(&mut answers, 0, "ABCDEFG");
    said(&mut answers, 700, "ab");
    assert!(answers.refusing());
    said(&mut answers, 2000, "a");
    assert!(answers.refusing(), "nobody was accepted since");
}

#[test]
fn when_a_refused_token_is_accepted_again_what_was_said_meanwhile_does_not_count() {
    let mut answers = Answers::default();
    said(&mut answers, 0, "abcd");
    assert!(answers.refusing() && !awaits(&answers, "a"));
    said(&mut answers, 100, "B");
    assert!(!answers.refusing());
    assert!(awaits(&answers, "a") && awaits(&answers, "c") && !awaits(&answers, "b"), "all others are asked again");
    assert_eq!(answers.others("a").forgiven, Some(at(100)));
    said(&mut answers, 101, "a");
    assert!(!answers.refusing() && !awaits(&answers, "a"));
}

#[test]
fn another_token_that_is_accepted_says_nothing_of_those_that_are_refused() {
    let mut answers = Answers::default();
    said(&mut answers, 0, "abc");
    // A new token of the object a: a person asked for it.
    let token = TokenId::new("another").unwrap();
    answers.take(Said { uid: "a", token: &token, accepted: true, expired: false, at: at(10) }, WINDOW);
    assert!(answers.refusing(), "two of three");
    answers.take(Said { uid: "b", token: &token, accepted: true, expired: false, at: at(20) }, WINDOW);
    assert!(!answers.refusing());
}

#[test]
fn a_refusal_asks_for_the_tokens_of_others_until_enough_have_answered() {
    let mut answers = Answers::default();
    said(&mut answers, 0, "B");
    assert!(!awaits(&answers, "a"));
    said(&mut answers, 10, "a");
    assert!(
        !awaits(&answers, "a") && awaits(&answers, "b") && awaits(&answers, "c"),
        "b was accepted before, not after"
    );
    assert_eq!(answers.others("a").accepted, Some(at(0)));
    said(&mut answers, 20, "B");
    assert!(!awaits(&answers, "c"), "one is enough");
    assert_eq!(
        answers.others("a"),
        Others { answered: Some(at(20)), accepted: Some(at(20)), forgiven: None, accepts_own: false }
    );
    said(&mut answers, 30, "acdefghijkl");
    assert!(!awaits(&answers, "z"), "a service that refuses everybody is not asked about thousands");
}

#[test]
fn an_object_that_is_gone_does_not_count() {
    let mut answers = Answers::default();
    said(&mut answers, 0, "ab");
    assert!(answers.forget("a", at(5)) && !answers.refusing());
    assert_eq!(answers.others("c").forgiven, Some(at(5)));
}

#[test]
fn a_review_asks_about_each_token_once_and_ends_when_all_are_answered_or_after_ten_minutes() {
    let mut answers = Answers::default();
    said(&mut answers, 0, "AB");
    answers.review("other", at(10));
    assert!(awaits(&answers, "a") && awaits(&answers, "b"));
    said(&mut answers, 11, "A");
    answers.settle(|| 2, WINDOW, at(12));
    assert!(!awaits(&answers, "a") && answers.open_review().is_some());
    answers.review("other", at(13));
    assert!(!awaits(&answers, "a"), "it is the same review");
    said(&mut answers, 14, "B");
    answers.settle(|| 2, WINDOW, at(15));
    assert_eq!(answers.open_review(), None);

    answers.review("third", at(20));
    answers.settle(|| 2, WINDOW, at(600));
    assert_eq!(answers.open_review(), Some(at(20)));
    answers.settle(|| 2, WINDOW, at(620));
    assert_eq!(answers.open_review(), None);
    answers.review("fourth", at(700));
    said(&mut answers, 701, "ab");
    answers.settle(|| 2, WINDOW, at(2000));
    assert_eq!(answers.open_review(), Some(at(700)), "the service refuses most tokens since: that is no end");
}

#[test]
fn answers_that_alternate_ask_about_each_token_once_a_minute_at_most() {
    let mut answers = Answers::default();
    let mut asked = vec![Vec::new(); 10];
    for second in 0..600 {
        for (object, times) in asked.iter_mut().enumerate() {
            let uid = object.to_string();
            let waits = answers.awaits(&uid, PAUSE, at(second));
            if second == 0 || waits {
                let token = TokenId::new(format!("token-{uid}")).unwrap();
                // One of two replicas refuses everybody.
                let accepted = (times.len() + object).is_multiple_of(2);
                answers.take(Said { uid: &uid, token: &token, accepted, expired: false, at: at(second) }, WINDOW);
                times.push(second);
            }
        }
    }
    for times in asked {
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 60), "{times:?}");
    }
}

#[test]
fn while_most_are_refused_those_that_are_accepted_are_told_apart_and_the_memory_stays_small() {
    let mut answers = Answers::default();
    for round in 0..1000 {
        said(&mut answers, round * 100, "abcDE");
    }
    assert!(answers.refusing() && answers.others("d").accepts_own && !answers.others("a").accepts_own);
    assert!(!answers.others("f").accepts_own, "nobody asked about it");
    assert!(answers.order.len() < 40, "{}", answers.order.len());
    answers.review("other", at(200_000));
    assert!(!answers.others("d").accepts_own, "the next token would come from another account");
}

#[test]
fn tokens_that_have_expired_are_refused_by_a_service_that_works() {
    let (mut answers, token) = (Answers::default(), TokenId::new("token".to_owned()).unwrap());
    let mut take = |uid, expired| {
        let said = Said { uid, token: &token, accepted: false, expired, at: at(0) };
        answers.take(said, WINDOW);
        (answers.refusing(), answers.others("else").answered.is_some())
    };
    assert_eq!([take("a", true), take("b", true), take("c", true)], [(false, false); 3]);
    assert_eq!(take("d", false), (false, true), "one is not most");
    assert_eq!(take("e", false), (true, true), "what has expired does not water it down");
    assert_eq!(take("e", true), (false, true));
}
