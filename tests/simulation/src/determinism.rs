//! Everything random in a life comes from its seed: the operating system's generator, the jitter of back-offs, the order of maps.
//!
//! `getrandom` is defined here again: the definition in the executable wins over libc's, for std's `RandomState` and for the crate of
//! that name alike, and so the product needs no hook for its nonces. A thread that was not seeded gets real random numbers.

use std::cell::RefCell;
use std::fs::File;
use std::io::Read as _;
use std::sync::Once;

use ahash::random_state::{RandomSource, set_random_source};

thread_local! {
    static STATE: RefCell<Option<fastrand::Rng>> = const { RefCell::new(None) };
}

/// The source of ahash's keys. They are the same for all lives: the order of a map then depends on its keys alone.
struct Fixed;

impl RandomSource for Fixed {
    fn gen_hasher_seed(&self) -> usize {
        7
    }
}

/// From now on everything random in this thread follows from `seed`. To be called first in a fresh thread, because std takes the keys
/// of its maps once a thread.
pub fn seed(seed: u64) {
    let begin = |seed| STATE.with(|state| *state.borrow_mut() = Some(fastrand::Rng::with_seed(seed)));
    // ahash draws some keys once a process: the same ones, whichever life is the first.
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        begin(0);
        let _ = set_random_source(Fixed);
        let _ = ahash::RandomState::new();
    });
    begin(seed);
    fastrand::seed(seed);
}

/// Fills a buffer from this thread's seed, or else from the operating system: libc's signature.
///
/// # Safety
/// `buffer` must be valid for `length` bytes.
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
pub unsafe extern "C" fn getrandom(buffer: *mut u8, length: usize, _flags: u32) -> isize {
    // SAFETY: the caller promises that the buffer is valid for this length.
    let bytes = unsafe { std::slice::from_raw_parts_mut(buffer, length) };
    let seeded = STATE.try_with(|state| {
        let mut state = state.try_borrow_mut().ok()?;
        state.as_mut().map(|random| random.fill(bytes))
    });
    let filled = matches!(seeded, Ok(Some(())))
        || File::open("/dev/urandom").and_then(|mut system| system.read_exact(bytes)).is_ok();
    if filled { isize::try_from(length).unwrap_or(-1) } else { -1 }
}
