mod two;

use k8s_openapi::jiff::Timestamp;

use super::*;

const ME: &str = "me";

fn seconds(seconds: u64) -> Moment {
    Duration::from_secs(seconds)
}

fn time(second: i64) -> MicroTime {
    MicroTime(Timestamp::from_second(second).unwrap_or(Timestamp::MAX))
}

fn lease(version: u64, holder: &str, renewed: i64) -> Lease {
    let spec = LeaseSpec {
        holder_identity: Some(holder.to_owned()),
        lease_duration_seconds: Some(LEASE_SECONDS),
        acquire_time: Some(time(0)),
        renew_time: Some(time(renewed)),
        lease_transitions: Some(4),
        ..LeaseSpec::default()
    };
    let mut lease = Lease { spec: Some(spec), ..Lease::default() };
    lease.metadata.resource_version = Some(version.to_string());
    lease
}

fn candidate() -> Candidate {
    Candidate::new(ME.to_owned())
}

/// One that saw this holder at second 100.
fn beside(holder: &str) -> Candidate {
    let mut candidate = candidate();
    candidate.see(Some(lease(7, holder, 0)), seconds(100));
    candidate
}

/// One that sent its last write at second 100.
fn leader() -> Candidate {
    let mut candidate = beside("");
    candidate.wrote(lease(8, ME, 1), seconds(100), seconds(101));
    candidate
}

fn waits_until(candidate: &Candidate, now: u64, until: u64) {
    assert_eq!(candidate.next_act(seconds(now)), Act::Wait(Some(seconds(until))), "{candidate:?}");
}

fn acts(candidate: &Candidate, now: u64, act: Act) {
    assert_eq!(candidate.next_act(seconds(now)), act, "{candidate:?}");
}

#[test]
fn a_lease_that_nobody_holds_or_that_was_never_there_is_taken_at_once() {
    acts(&beside(""), 100, Act::Write);
    let mut first = candidate();
    first.see(None, seconds(1));
    acts(&first, 1, Act::Write);
    assert_eq!(first.record(&time(5)).lease_transitions, Some(0), "the first holder replaces nobody");
    assert_eq!(first.leads_until(), None, "nothing is written yet");
}

#[test]
fn a_held_lease_is_taken_when_its_record_has_not_changed_for_so_long_by_the_own_clock() {
    let mut standby = beside("other");
    waits_until(&standby, 100, 115);
    standby.hear(&lease(8, "other", 1), false, seconds(104));
    waits_until(&standby, 114, 119);
    // Somebody labels it: another version, the same record.
    standby.hear(&lease(9, "other", 1), false, seconds(110));
    waits_until(&standby, 118, 119);
    acts(&standby, 119, Act::Write);
    assert!(!standby.holds());
}

#[test]
fn the_times_in_a_record_are_compared_with_no_clock() {
    for renewed in [0, 4_000_000_000] {
        let mut standby = candidate();
        standby.see(Some(lease(7, "other", renewed)), seconds(100));
        waits_until(&standby, 100, 115);
        acts(&standby, 115, Act::Write);
    }
}

#[test]
fn a_holder_renews_every_five_seconds_and_leads_for_ten_from_when_its_last_write_was_sent() {
    let mut leader = leader();
    assert_eq!(leader.leads_until(), Some(seconds(110)), "whenever the answer came");
    waits_until(&leader, 101, 105);
    acts(&leader, 105, Act::Write);
    leader.failed(Failure::Other, seconds(105));
    waits_until(&leader, 106, 107);
    leader.failed(Failure::Other, seconds(107));
    waits_until(&leader, 108, 109);
    leader.failed(Failure::Other, seconds(109));
    // It looks again when its leadership ends, so that this is told.
    waits_until(&leader, 109, 110);
    waits_until(&leader, 110, 111);
    acts(&leader, 111, Act::Write);
    leader.wrote(lease(9, ME, 9), seconds(111), seconds(112));
    assert_eq!(leader.leads_until(), Some(seconds(121)), "nobody took it meanwhile");
    waits_until(&leader, 112, 116);
}

#[test]
fn who_sees_another_holder_leads_no_more_at_once_and_lets_it_have_its_time() {
    let mut leader = leader();
    leader.hear(&lease(9, "somebody", 2), false, seconds(103));
    assert_eq!(leader.leads_until(), None);
    waits_until(&leader, 103, 118);
    // An event from before comes late.
    leader.hear(&lease(8, ME, 1), false, seconds(104));
    assert!(leader.leads_until().is_none() && !leader.holds());
    // A write of its own lands that it gave up: what it renewed before counts no more.
    leader.hear(&lease(10, ME, 3), false, seconds(105));
    assert!(leader.leads_until().is_none() && leader.holds());
}

#[test]
fn after_a_conflict_one_look_decides_and_after_two_in_a_row_there_is_a_pause() {
    let mut leader = leader();
    leader.failed(Failure::Conflict, seconds(105));
    acts(&leader, 105, Act::Read);
    leader.see(Some(lease(9, ME, 1)), seconds(105));
    acts(&leader, 105, Act::Write);
    leader.failed(Failure::Conflict, seconds(105));
    waits_until(&leader, 105, 107);
    acts(&leader, 107, Act::Read);
    let mut standby = beside("other");
    standby.failed(Failure::Conflict, seconds(115));
    acts(&standby, 115, Act::Read);
    standby.see(Some(lease(20, "third", 9)), seconds(116));
    waits_until(&standby, 116, 131);
}

#[test]
fn what_refuses_is_asked_every_two_seconds_and_no_faster() {
    let mut standby = beside("");
    let mut unread = candidate();
    acts(&unread, 0, Act::Wait(Some(RETRY)));
    for second in (100..120).step_by(2) {
        acts(&standby, second, Act::Write);
        acts(&unread, second, Act::Read);
        standby.failed(Failure::Other, seconds(second));
        unread.failed(Failure::Other, seconds(second));
        waits_until(&standby, second, second + 2);
        waits_until(&unread, second + 1, second + 2);
    }
}

#[test]
fn a_write_whose_answer_got_lost_counts_once_a_renewal_is_answered() {
    let mut standby = beside("");
    standby.failed(Failure::Other, seconds(100));
    standby.hear(&lease(8, ME, 1), false, seconds(103));
    assert_eq!(standby.leads_until(), None, "nobody knows when it took effect");
    acts(&standby, 103, Act::Write);
    standby.wrote(lease(9, ME, 2), seconds(103), seconds(104));
    assert_eq!(standby.leads_until(), Some(seconds(113)));
}

#[test]
fn a_lease_that_somebody_deletes_is_created_by_its_holder_and_to_others_it_is_held_meanwhile() {
    let (mut leader, mut standby) = (leader(), beside("other"));
    leader.hear(&lease(9, ME, 1), true, seconds(102));
    acts(&leader, 102, Act::Write);
    assert!(leader.lease().is_none() && leader.leads_until() == Some(seconds(110)));
    assert_eq!(leader.record(&time(9)).acquire_time, Some(time(0)), "it held it all the time");
    standby.hear(&lease(9, "other", 1), true, seconds(102));
    waits_until(&standby, 102, 117);
    standby.see(None, seconds(110));
    acts(&standby, 117, Act::Write);
    // The creation is heard before the deletion.
    leader.wrote(lease(10, ME, 2), seconds(102), seconds(103));
    leader.hear(&lease(9, ME, 1), true, seconds(103));
    assert!(leader.lease().is_some());
}

#[test]
fn who_held_a_lease_long_ago_does_not_create_it_again_beside_the_one_who_held_it_since() {
    let mut former = leader();
    former.see(None, seconds(200));
    waits_until(&former, 200, 215);
    // The deletion says whose it was.
    let mut former = leader();
    former.hear(&lease(90, "other", 80), true, seconds(102));
    assert!(!former.holds() && former.leads_until().is_none());
    waits_until(&former, 102, 117);
}

#[test]
fn who_stands_down_takes_nothing_and_holds_what_it_has() {
    let (mut leader, mut standby) = (leader(), beside(""));
    leader.stand_down();
    standby.stand_down();
    assert_eq!(standby.next_act(seconds(200)), Act::Wait(None));
    waits_until(&leader, 101, 105);
    acts(&leader, 105, Act::Write);
    assert_eq!(leader.next_act(seconds(110)), Act::Wait(None), "what it lost it does not take again");
    leader.see(None, seconds(111));
    assert_eq!(leader.next_act(seconds(200)), Act::Wait(None));
}

#[test]
fn a_read_is_believed_also_where_the_store_went_back() {
    let mut standby = beside("other");
    standby.hear(&lease(3, "", 0), false, seconds(101));
    assert_eq!(standby.holder(), "other", "an event from before");
    standby.failed(Failure::Conflict, seconds(115));
    standby.see(Some(lease(3, "", 0)), seconds(115));
    acts(&standby, 115, Act::Write);
}

#[test]
fn a_record_says_for_people_who_leads_since_when_and_how_often_that_changed() {
    let taken = beside("other").record(&time(50));
    assert_eq!((taken.holder_identity.as_deref(), taken.lease_duration_seconds), (Some(ME), Some(15)));
    assert_eq!(
        (taken.acquire_time, taken.renew_time, taken.lease_transitions),
        (Some(time(50)), Some(time(50)), Some(5))
    );
    let renewed = leader().record(&time(60));
    assert_eq!((renewed.acquire_time, renewed.renew_time), (Some(time(0)), Some(time(60))));
    assert_eq!(renewed.lease_transitions, Some(4));
    let released = leader().released(&time(70));
    assert_eq!((released.holder_identity.as_deref(), released.lease_duration_seconds), (Some(""), Some(1)));
    assert_eq!(released.lease_transitions, Some(4), "the next holder counts it");
    assert_eq!(LEASE.as_secs().to_string(), LEASE_SECONDS.to_string());
}
