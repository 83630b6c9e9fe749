//! The runs: the combinations of features.
//!
//! All features together would make too many states. Sixteen of them are the points of the affine plane of order four. Each of its
//! twenty lines has four points, and any two points lie on exactly one line. So with one run for each line, every pair of features
//! meets in some run. Those runs have one process, which may sleep, crash and lose answers. Two processes without mutual exclusion,
//! and services whose tokens have no names, have runs of their own with fewer features.

use super::setup::{ANY, Fault, Setup};

use Fault::{
    Cancel, Crash, Decline, DeleteObject, DeleteSecret, Doubt, Due, EditData, EditMarks, Forge, Forget, KeepAlive,
    Leak, LeakAhead, LeakElsewhere, ListFails, LoseAnswer, LoseStatus, Offer, OfferAgain, OfferWrong, OtherCluster,
    Oversleep, Recreate, Refuse, Rotate, Strip, Suspend, Touch, Vanish, Withdraw,
};

/// The points of the plane, four to a row.
const FEATURES: [Fault; 16] = [
    Crash,
    Cancel,
    Refuse,
    Forget, //
    DeleteSecret,
    EditData,
    EditMarks,
    Forge, //
    LoseStatus,
    DeleteObject,
    LoseAnswer,
    Touch, //
    KeepAlive,
    Due,
    Decline,
    Oversleep,
];

/// Products in the field of four elements.
const PRODUCT: [[usize; 4]; 4] = [[0, 0, 0, 0], [0, 1, 2, 3], [0, 2, 3, 1], [0, 3, 1, 2]];

/// The lines: four upright ones, and one for each slope and start. Sums in the field are exclusive ors.
fn lines() -> Vec<Vec<Fault>> {
    let at = |x: usize, y: usize| FEATURES[4 * y + x];
    let upright = (0..4).map(|x| (0..4).map(|y| at(x, y)).collect());
    let slope = |slope: usize, start: usize| (0..4).map(|x| at(x, PRODUCT[slope][x] ^ start)).collect();
    let others = (0..4).flat_map(|m| (0..4).map(move |start| (m, start))).map(|(m, start)| slope(m, start));
    upright.chain(others).collect()
}

/// Runs with every pair of features and one process.
pub fn pairs() -> Vec<Setup> {
    let setup = |features: Vec<Fault>| {
        let mut faults: Vec<(Fault, u8)> = features.iter().map(|fault| (*fault, 1)).collect();
        faults.push((Rotate, 1));
        // The next verification notices what was edited or forgotten.
        if features.iter().any(|fault| matches!(fault, Forget | EditData | EditMarks | Forge)) {
            faults.push((Due, ANY));
        }
        Setup::new("one process", 1, 3, &faults)
    };
    lines().into_iter().map(setup).collect()
}

/// Runs in which the list of the service fails, and runs with the sweep of the whole service.
pub fn lists() -> Vec<Setup> {
    vec![
        Setup::new("the list fails", 1, 3, &[(ListFails, 1), (Rotate, 1), (Crash, 1), (LoseAnswer, 1)]),
        Setup::new("the list fails", 1, 3, &[(ListFails, 1), (Leak, 1), (Rotate, 1), (Crash, 1)]),
        Setup::new("the list fails", 1, 3, &[(ListFails, 1), (DeleteObject, 1), (Crash, 1), (DeleteSecret, 1)]),
        Setup::new("the list fails", 1, 3, &[(ListFails, 1), (LoseStatus, 1), (Rotate, 1)]),
        Setup::new("the list fails, two processes", 2, 2, &[(ListFails, 1), (Rotate, 1), (Crash, 1)]),
        Setup::new("swept", 1, 3, &[(Vanish, 1), (Rotate, 1), (Crash, 1)]).swept(),
        Setup::new("swept", 1, 3, &[(Vanish, 1), (LoseAnswer, 1), (Oversleep, 1)]).swept(),
        Setup::new("swept", 1, 3, &[(DeleteObject, 1), (Crash, 1), (LoseAnswer, 1)]).swept(),
        Setup::new("swept", 1, 4, &[(Vanish, 1), (Recreate, 1), (Rotate, 1)]).swept(),
        Setup::new("swept", 1, 4, &[(Vanish, 1), (Recreate, 1), (LoseAnswer, 1), (KeepAlive, 1)]).swept(),
        Setup::new("swept", 1, 3, &[(DeleteObject, 1), (Recreate, 1), (Crash, 1), (ListFails, 1)]).swept(),
        Setup::new("swept", 1, 3, &[(OtherCluster, 1), (Vanish, 1), (Rotate, 1)]).swept(),
        Setup::new("swept", 1, 5, &[(OtherCluster, 2), (Vanish, 1), (Recreate, 1)]).swept(),
        Setup::new("swept, two processes", 2, 2, &[(Vanish, 1), (Oversleep, 1)]).swept(),
    ]
}

/// Runs with two processes, and others with a special setup.
pub fn others() -> Vec<Setup> {
    let two = |slots, faults: &[(Fault, u8)]| Setup::new("two processes", 2, slots, faults);
    vec![
        two(3, &[(Rotate, 1), (Oversleep, 1)]),
        two(2, &[(Rotate, 1), (Crash, 1), (Oversleep, 1)]),
        two(2, &[(Rotate, 1), (LoseAnswer, 1)]),
        two(2, &[(Rotate, 1), (Refuse, 1), (Oversleep, 1)]),
        two(2, &[(Rotate, 1), (DeleteSecret, 1)]),
        two(2, &[(Rotate, 1), (Cancel, 1), (Crash, 1)]),
        two(2, &[(DeleteSecret, 1), (Oversleep, 1)]),
        two(2, &[(DeleteObject, 1), (Oversleep, 1), (Rotate, 1)]),
        two(2, &[(DeleteObject, 1), (Crash, 1)]),
        two(2, &[(DeleteObject, 1), (LoseAnswer, 1)]),
        two(2, &[(LoseStatus, 1), (Rotate, 1)]),
        two(2, &[(LoseStatus, 1), (Oversleep, 1)]),
        two(2, &[(EditMarks, 1), (Oversleep, 1), (Due, ANY)]),
        Setup::new("nameless", 2, 2, &[(Rotate, 1), (Oversleep, 1)]).nameless(),
        Setup::new("nameless", 1, 3, &[(Rotate, 1), (Crash, 1), (LoseAnswer, 1)]).nameless(),
        Setup::new("nameless", 1, 3, &[(DeleteObject, 1), (Crash, 1), (DeleteSecret, 1)]).nameless(),
        Setup::new("no room", 1, 6, &[(Rotate, ANY), (DeleteSecret, ANY)]),
        Setup::new("lost status", 1, 3, &[(Rotate, 1), (LoseAnswer, 1), (Crash, 1), (LoseStatus, 1)]),
        Setup::new("no room", 1, 5, &[(Crash, 4)]),
        Setup::new("no room", 1, 6, &[(Rotate, ANY), (DeleteSecret, 1), (Refuse, 2)]),
        Setup::new("no room", 1, 5, &[(DeleteSecret, 1), (Refuse, 1), (Crash, 2)]),
        Setup::new("no room", 1, 5, &[(DeleteSecret, 1), (Refuse, 1), (LoseAnswer, 1), (Oversleep, 1), (Crash, 1)]),
        Setup::new("leak", 1, 4, &[(Leak, 1), (Rotate, 1), (Crash, 1), (LoseAnswer, 1)]),
        Setup::new("leak", 1, 4, &[(Leak, 1), (Rotate, 1), (Refuse, 1), (KeepAlive, 1)]),
        Setup::new("leak", 1, 3, &[(Leak, 1), (DeleteSecret, 1), (LoseStatus, 1)]),
        Setup::new("leak", 1, 3, &[(Leak, 1), (DeleteObject, 1), (Crash, 1), (Oversleep, 1)]),
        Setup::new("leak", 1, 4, &[(LeakAhead, 1), (Rotate, 1), (Crash, 1), (LoseAnswer, 1)]),
        Setup::new("leak, in both places", 1, 4, &[(LeakAhead, 1), (LeakElsewhere, 1), (Rotate, 1), (Crash, 1)]),
        Setup::new(
            "leak, in both places",
            1,
            4,
            &[(LeakAhead, 1), (LeakElsewhere, 1), (LoseAnswer, 1), (LoseStatus, 1)],
        ),
        Setup::new("leak, two processes", 2, 3, &[(Leak, 1), (Oversleep, 1)]),
        Setup::new("leak, two processes", 2, 3, &[(LeakAhead, 1), (Rotate, 1)]),
        Setup::new("another cluster", 1, 4, &[(OtherCluster, 1), (Rotate, 1), (Crash, 1), (LoseAnswer, 1)]),
        Setup::new("another cluster", 1, 4, &[(OtherCluster, 1), (Rotate, 1), (Refuse, 1), (DeleteSecret, 1)]),
        Setup::new("another cluster", 1, 3, &[(OtherCluster, 1), (DeleteObject, 1), (Crash, 1)]),
        Setup::new("another cluster, two processes", 2, 3, &[(OtherCluster, 1), (Oversleep, 1)]),
        Setup::new("suspended", 1, 3, &[(Suspend, 1), (Rotate, 1), (Crash, 1), (LoseAnswer, 1)]),
        Setup::new("suspended", 1, 3, &[(Suspend, 1), (Rotate, 1), (Leak, 1), (DeleteSecret, 1)]),
        Setup::new("suspended, two processes", 2, 2, &[(Suspend, 1), (Rotate, 1), (Oversleep, 1)]),
        Setup::new("refuses everybody", 1, 3, &[(Doubt, 1), (Due, ANY), (Rotate, 1), (Crash, 1), (Forget, 1)]),
        Setup::new("refuses everybody", 1, 3, &[(Doubt, 1), (Rotate, 1), (Refuse, 1), (Leak, 1)]),
        Setup::new("refuses everybody", 1, 3, &[(Doubt, 1), (DeleteObject, 1), (Due, ANY), (Crash, 1)]),
        Setup::new("refuses everybody, two processes", 2, 2, &[(Doubt, 1), (Due, 1), (Rotate, 1)]),
        Setup::new("finalizer taken off", 1, 3, &[(Strip, 2), (DeleteObject, 1), (Crash, 1), (LoseAnswer, 1)]),
        Setup::new("finalizer taken off", 1, 3, &[(Strip, 1), (Rotate, 1), (LoseStatus, 1), (DeleteObject, 1)]),
        Setup::new("finalizer taken off", 1, 3, &[(Strip, 1), (Rotate, 1), (DeleteSecret, 1), (Crash, 1)]),
        Setup::new("finalizer taken off, two processes", 2, 2, &[(Strip, 1), (Rotate, 1), (Oversleep, 1)]),
    ]
}

/// Runs with a service whose tokens a person makes. They leave out two things: a wrong value that a process takes for the token of the
/// Secret's annotations, because it never saw that token, and a number that is claimed twice because the status was lost meanwhile.
pub fn by_hand() -> Vec<Setup> {
    let one = |slots, faults: &[(Fault, u8)]| Setup::new("by hand", 1, slots, faults).by_hand();
    let two = |slots, faults: &[(Fault, u8)]| Setup::new("by hand, two processes", 2, slots, faults).by_hand();
    vec![
        one(5, &[(Rotate, 2), (Crash, 1), (LoseAnswer, 1)]),
        one(5, &[(Rotate, 2), (LoseAnswer, 2), (Oversleep, 1)]),
        one(5, &[(Rotate, 1), (DeleteObject, 1), (Crash, 1), (LoseAnswer, 1)]),
        one(5, &[(Rotate, 1), (OfferAgain, 1), (Crash, 1), (Oversleep, 1)]),
        one(5, &[(Rotate, 1), (OfferAgain, 2), (LoseAnswer, 1), (DeleteObject, 1)]),
        one(5, &[(OfferWrong, 1), (Rotate, 1), (Crash, 1), (LoseAnswer, 1)]),
        one(5, &[(Offer, 1), (Withdraw, 1), (Rotate, 1), (Crash, 1)]),
        one(5, &[(Offer, 1), (Withdraw, 1), (LoseAnswer, 1), (DeleteObject, 1)]),
        one(5, &[(Doubt, 1), (Rotate, 1), (Crash, 1), (Due, ANY)]),
        one(5, &[(Doubt, 1), (Offer, 1), (DeleteObject, 1), (LoseAnswer, 1)]),
        one(5, &[(Refuse, 1), (Rotate, 1), (Crash, 1), (DeleteObject, 1)]),
        one(6, &[(Refuse, 1), (Rotate, 1), (LoseAnswer, 1)]),
        one(6, &[(Refuse, 1), (Rotate, 1), (Withdraw, 1)]),
        one(5, &[(Forget, 1), (Due, ANY), (Rotate, 1), (Crash, 1)]),
        one(5, &[(DeleteSecret, 1), (Rotate, 1), (Crash, 1), (LoseAnswer, 1)]),
        one(6, &[(Refuse, 1), (Rotate, 1), (DeleteSecret, 1)]),
        one(5, &[(Refuse, 1), (DeleteSecret, 1), (DeleteObject, 1)]),
        one(5, &[(EditData, 1), (Due, ANY), (Rotate, 1), (LoseAnswer, 1)]),
        one(5, &[(Leak, 1), (Rotate, 1), (Crash, 1), (LoseAnswer, 1)]),
        one(5, &[(Leak, 1), (OfferAgain, 1), (Oversleep, 1), (DeleteObject, 1)]),
        one(5, &[(LoseStatus, 1), (Rotate, 1), (LoseAnswer, 1), (DeleteObject, 1)]),
        one(5, &[(Suspend, 1), (Strip, 1), (Rotate, 1), (DeleteObject, 1)]),
        two(3, &[(Rotate, 1), (Oversleep, 1)]),
        two(3, &[(Rotate, 1), (LoseAnswer, 1)]),
        two(3, &[(Rotate, 1), (Crash, 1)]),
        two(3, &[(Rotate, 1), (OfferAgain, 1)]),
        two(3, &[(Offer, 1), (Oversleep, 1)]),
        two(3, &[(Withdraw, 1)]),
        two(3, &[(DeleteObject, 1), (Oversleep, 1)]),
        two(3, &[(DeleteObject, 1), (Crash, 1)]),
        two(3, &[(Refuse, 1)]),
        two(3, &[(Doubt, 1), (Due, 1)]),
        two(3, &[(Leak, 1)]),
        two(3, &[(DeleteSecret, 1)]),
        two(3, &[(LoseStatus, 1)]),
    ]
}
