//! 128-bit fingerprints of states. The model would confuse two states with the same fingerprint. At ten million states the chance
//! of that is below one in 10^24.

use std::hash::{BuildHasher, Hasher};

const ONE: u64 = 0x9e37_79b9_7f4a_7c15;
const TWO: u64 = 0xd6e8_feb8_6659_fd93;

/// The fingerprint of what `feed` hashes.
pub fn fingerprint(feed: impl FnOnce(&mut Fingerprint)) -> u128 {
    let mut hasher = Fingerprint { word: 0, bytes: 0, left: ONE, right: TWO };
    feed(&mut hasher);
    hasher.mix();
    u128::from(hasher.left) << 64 | u128::from(hasher.right)
}

/// Hashes each word by two folded multiplications.
pub struct Fingerprint {
    word: u64,
    bytes: u32,
    left: u64,
    right: u64,
}

impl Fingerprint {
    fn mix(&mut self) {
        let fold = |a: u64, b: u64| {
            let product = u128::from(a) * u128::from(b);
            (product as u64) ^ ((product >> 64) as u64)
        };
        self.left = fold(self.left ^ self.word, ONE).wrapping_add(self.right);
        self.right = fold(self.right.rotate_left(23) ^ self.word, TWO) ^ self.left.rotate_left(7);
        self.word = 0;
        self.bytes = 0;
    }

    fn push(&mut self, byte: u8) {
        self.word = self.word << 8 | u64::from(byte);
        self.bytes += 1;
        if self.bytes == 8 {
            self.mix();
        }
    }
}

impl Hasher for Fingerprint {
    fn finish(&self) -> u64 {
        self.left
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.push(*byte));
    }

    fn write_u8(&mut self, byte: u8) {
        self.push(byte);
    }

    /// One byte is enough: lengths and variants are small.
    fn write_usize(&mut self, number: usize) {
        self.push(number as u8);
    }

    fn write_isize(&mut self, number: isize) {
        self.push(number as u8);
    }
}

/// The hasher of maps whose keys are fingerprints already.
#[derive(Clone, Copy, Default)]
pub struct Identity;

impl BuildHasher for Identity {
    type Hasher = Taken;

    fn build_hasher(&self) -> Taken {
        Taken(0)
    }
}

/// Uses the lower half of a fingerprint as its hash.
pub struct Taken(u64);

impl Hasher for Taken {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u128(&mut self, number: u128) {
        self.0 = number as u64;
    }
}
