#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::rate_limit::{LONG_STAY, MAX_INSIDE};
use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

const LEAK: u8 = 0;
const SOON: u8 = 1;
const DUE: u8 = 2;
const REST: u8 = 3;

fn caller(id: impl Into<String>, namespace: &str, class: u8) -> Caller {
    Caller { id: id.into(), shown: String::new(), namespace: namespace.to_owned(), class }
}

/// Comes back as it is told, until it has its turn, and uses its places. Returns when that was.
async fn turn(limit: RateLimit, caller: Caller, calls: u32) -> Instant {
    loop {
        match limit.enter(&caller, calls, Duration::ZERO).await {
            Ok(mut places) => {
                while places.use_one() {}
                return Instant::now();
            }
            Err(wait) => tokio::time::sleep(wait).await,
        }
    }
}

/// When each of so many callers has its turn, in milliseconds from now.
async fn turns(limit: &RateLimit, callers: u32) -> Vec<u128> {
    let begin = Instant::now();
    let mut all = JoinSet::new();
    for number in 0..callers {
        all.spawn(turn(limit.clone(), caller(number.to_string(), "", REST), 1));
    }
    let mut turns: Vec<_> = all.join_all().await.iter().map(|turn| (*turn - begin).as_millis()).collect();
    turns.sort_unstable();
    turns
}

#[tokio::test(start_paused = true)]
async fn no_minute_has_more_calls_than_allowed_and_the_limit_is_used() {
    for allowed in [1, 2, 5, 60, 600] {
        let sent = turns(&RateLimit::new(allowed), allowed * 3).await;
        for (index, first) in sent.iter().enumerate() {
            let within = sent[index..].iter().take_while(|other| *other - first < 59_999).count();
            assert!(within <= allowed as usize, "{allowed}: {within} from {first}");
        }
        assert!(sent.last().unwrap() <= &240_000, "{allowed}: {sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_the_bound_fails_at_once_and_keeps_the_place() {
    let limit = RateLimit::new(1);
    let (first, second) = (caller("first", "", REST), caller("second", "", REST));
    turn(limit.clone(), caller("before", "", REST), 2).await;
    let seconds = Duration::from_secs;
    assert_eq!(limit.enter(&first, 1, seconds(10)).await.unwrap_err(), seconds(120));
    assert_eq!(limit.enter(&second, 1, seconds(10)).await.unwrap_err(), seconds(180));
    assert_eq!(limit.enter(&first, 1, seconds(10)).await.unwrap_err(), seconds(120));
    tokio::time::advance(seconds(120)).await;
    assert_eq!(limit.enter(&second, 1, seconds(10)).await.unwrap_err(), seconds(60), "the first is expected now");
    assert!(limit.enter(&first, 1, Duration::ZERO).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_does_not_come_back_holds_up_nobody() {
    let limit = RateLimit::new(60);
    let quiet = caller("quiet", "", REST);
    turn(limit.clone(), caller("all of them", "", REST), 15).await;
    let told = limit.enter(&quiet, 3, Duration::ZERO).await.unwrap_err();
    let begin = Instant::now();
    let next = turn(limit, caller("next", "", REST), 1).await;
    assert!(next - begin <= told + Duration::from_secs(4), "{:?} after {told:?}", next - begin);
}

#[tokio::test(start_paused = true)]
async fn the_order_is_leaks_then_revokes_then_replacements_then_all_else() {
    let limit = RateLimit::new(4);
    let begin = turn(limit.clone(), caller("before", "", REST), 4).await;
    let mut all = JoinSet::new();
    for (name, class) in [("rest", REST), ("due", DUE), ("revoke", SOON), ("leak", LEAK)] {
        let limit = limit.clone();
        all.spawn(async move { (turn(limit, caller(name, "", class), 2).await - begin, name) });
    }
    let order: BTreeMap<_, _> = all.join_all().await.into_iter().collect();
    assert_eq!(order.values().copied().collect::<Vec<_>>(), ["leak", "revoke", "due", "rest"], "{order:?}");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_first_tokens_of_one_namespace_delay_another_one_by_less_than_a_minute() {
    let limit = RateLimit::new(60);
    let mut crowd = JoinSet::new();
    for number in 0..1000 {
        crowd.spawn(turn(limit.clone(), caller(format!("new {number}"), "crowd", REST), 3));
    }
    tokio::time::sleep(Duration::from_secs(300)).await;
    for (name, class) in [("a replacement", DUE), ("a first token", REST)] {
        let begin = Instant::now();
        let waited = turn(limit.clone(), caller(name, "other", class), 3).await - begin;
        assert!(waited < Duration::from_secs(60), "{name} waited for {waited:?}");
    }
    let begin = Instant::now();
    let last = crowd.join_all().await.into_iter().max().unwrap();
    assert!(last - begin < HOUR, "the crowd takes as long as the limit says: {:?}", last - begin);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_much_longer_than_an_hour_beside_an_endless_crowd_of_more_urgent_calls() {
    let limit = RateLimit::new(6);
    let mut crowd = JoinSet::new();
    for number in 0..30 {
        let limit = limit.clone();
        crowd.spawn(async move {
            loop {
                turn(limit.clone(), caller(format!("due {number}"), "crowd", DUE), 3).await;
            }
        });
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    let begin = Instant::now();
    let waited = turn(limit, caller("rest", "other", REST), 3).await - begin;
    assert!(waited < HOUR, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn sixteen_are_inside_at_a_time_and_a_leak_is_answered_beside_them() {
    let limit = RateLimit::new(6000);
    let mut inside = Vec::new();
    for number in 0..MAX_INSIDE {
        inside.push(limit.enter(&caller(number.to_string(), "", REST), 1, Duration::ZERO).await.unwrap());
    }
    let next = caller("next", "", REST);
    let soon = limit.enter(&next, 1, Duration::ZERO).await.unwrap_err();
    assert!(soon < LONG_STAY, "{soon:?}");
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(limit.enter(&next, 1, Duration::ZERO).await.unwrap_err(), LONG_STAY, "those inside stay for long");
    assert!(limit.enter(&caller("leak", "", LEAK), 1, Duration::ZERO).await.is_ok());
    assert!(inside[0].next(&limit).await.is_ok() && inside[0].next(&limit).await.is_ok(), "who is inside goes on");
    inside.pop();
    assert!(limit.enter(&next, 1, Duration::ZERO).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_steps_out_makes_room_and_keeps_its_places() {
    let limit = RateLimit::new(4);
    let mut inside = Vec::new();
    for number in 0..MAX_INSIDE {
        inside.push(limit.enter(&caller(number.to_string(), "", REST), 1, DAY).await.unwrap());
    }
    let next = caller("next", "", SOON);
    tokio::time::advance(DAY).await;
    assert!(limit.enter(&next, 1, Duration::ZERO).await.is_err());
    inside[0].step_out();
    assert!(limit.enter(&next, 1, Duration::ZERO).await.is_ok());
    assert!(inside[0].use_one() && !inside[0].use_one());
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_list_leaves_room_for_others() {
    let limit = RateLimit::new(6000);
    let mut looking = Vec::new();
    for number in 0..MAX_INSIDE {
        match limit.enter(&caller(number.to_string(), "", REST), 0, Duration::ZERO).await {
            Ok(places) => looking.push(places),
            Err(_) => assert!(number >= MAX_INSIDE / 2, "{number}"),
        }
    }
    assert_eq!(looking.len(), MAX_INSIDE / 2);
    assert!(limit.enter(&caller("revoke", "", SOON), 2, Duration::ZERO).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_used_goes_back_unless_it_is_old() {
    let limit = RateLimit::new(4);
    let unused = limit.enter(&caller("unused", "", REST), 1, Duration::ZERO).await.unwrap();
    assert!(limit.enter(&caller("other", "", REST), 1, Duration::ZERO).await.is_err());
    drop(unused);
    let mut old = limit.enter(&caller("other", "", REST), 1, Duration::ZERO).await.unwrap();
    tokio::time::advance(DAY).await;
    assert!(old.use_one());
    let old = limit.enter(&caller("old", "", REST), 1, Duration::ZERO).await.unwrap();
    tokio::time::advance(Duration::from_secs(14)).await;
    assert!(limit.enter(&caller("other", "", REST), 1, Duration::ZERO).await.is_err());
    tokio::time::advance(DAY).await;
    drop(old);
    assert!(limit.enter(&caller("one", "", REST), 1, Duration::ZERO).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn room_is_promised_once_for_each_free_place_whatever_a_list_shows_yet() {
    let limit = RateLimit::new(6000);
    let mut places = Vec::new();
    let kept = limit.promises_kept();
    for number in 0..5 {
        let mut own = limit.enter(&caller(number.to_string(), "", REST), 1, Duration::ZERO).await.unwrap();
        assert_eq!(own.promise_room(1, kept, 3), number < 2, "{number}");
        places.push(own);
    }
    // The first ends with a token. A list that was begun before may lack it, and one that is begun now has it.
    places.remove(0);
    let own = places.last_mut().unwrap();
    assert!(!own.promise_room(1, kept, 3));
    assert!(!own.promise_room(2, limit.promises_kept(), 3));
    assert!(own.promise_room(1, limit.promises_kept(), 3), "it was revoked meanwhile");
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_for_all_clones_and_the_longest_counts() {
    let limit = RateLimit::new(6000);
    limit.pause(Duration::from_secs(30));
    limit.pause(Duration::from_secs(3));
    assert_eq!(limit.clone().paused(), Some(Duration::from_secs(30)));
    assert_eq!(RateLimit::new(6000).paused(), None);
    let one = caller("one", "", LEAK);
    assert_eq!(limit.clone().enter(&one, 1, Duration::ZERO).await.unwrap_err(), Duration::from_secs(30));
    tokio::time::advance(Duration::from_secs(30)).await;
    assert!(limit.enter(&one, 1, Duration::ZERO).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn another_limit_holds_from_then_on_for_those_who_wait_too() {
    let (limit, waits) = (RateLimit::new(6), caller("waits", "", REST));
    turn(limit.clone(), caller("before", "", REST), 6).await;
    let told = limit.enter(&waits, 3, Duration::ZERO).await.unwrap_err();
    limit.allow(600);
    let sooner = limit.enter(&waits, 3, Duration::ZERO).await.err().unwrap_or_default();
    assert!(sooner < told / 20, "{sooner:?} after {told:?}");
    limit.allow(6);
    let again = limit.enter(&caller("another", "", REST), 3, Duration::ZERO).await.unwrap_err();
    assert!(again > sooner, "{again:?} after {sooner:?}");
}

#[tokio::test(start_paused = true)]
async fn however_many_services_hang_one_that_answers_finds_room() {
    for services in [1, 16, 100] {
        let room = Room::default();
        let hanging: Vec<_> = (0..services).map(|_| RateLimit::within(room.clone(), 6000)).collect();
        let mut inside = Vec::new();
        for number in 0..services * MAX_INSIDE {
            let limit = &hanging[number % services];
            inside.extend(limit.enter(&caller(number.to_string(), "", REST), 0, Duration::ZERO).await);
            inside.extend(limit.enter(&caller(format!("{number} sends"), "", REST), 1, Duration::ZERO).await);
        }
        let answers = RateLimit::within(room.clone(), 6000);
        let mut served = Vec::new();
        while let Ok(places) = answers.enter(&caller(served.len().to_string(), "", REST), 1, Duration::ZERO).await {
            served.push(places);
        }
        println!("{services} services hang, with {} passes: another one has {}", inside.len(), served.len());
        assert!(inside.len() + served.len() <= usize::from(PASSES), "{}", inside.len());
        assert!(served.len() >= if services == 100 { 1 } else { MAX_INSIDE / 2 }, "{}", served.len());
        inside.clear();
        served.clear();
        assert_eq!(room.share(), 32, "all room is given back");
    }
}
