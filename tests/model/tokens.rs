//! Tokens by number, and sets of them.

use super::world::SLOTS;

/// A token, or a marker in its place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Token(pub u8);

impl Token {
    /// The token of the finalizer's claim.
    pub const FIRST: Self = Self(0);
    /// A token of somebody else; its id may be forged into our Secret.
    pub const STRANGER: Self = Self(6);
    /// Bytes that are not a token.
    pub const JUNK: Self = Self(14);
    /// No token.
    pub const NONE: Self = Self(15);

    /// Whether it is a token of this object.
    pub fn own(self) -> bool {
        usize::from(self.0) < SLOTS
    }

    /// Whether it is a real token, ours or a stranger's.
    pub fn real(self) -> bool {
        self.0 <= Self::STRANGER.0
    }
}

/// A set of tokens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Set(pub u8);

impl Set {
    pub const EMPTY: Self = Self(0);

    pub fn of(token: Token) -> Self {
        if token.real() { Self(1 << token.0) } else { Self(0) }
    }

    pub fn has(self, token: Token) -> bool {
        self.0 & Self::of(token).0 != 0
    }

    pub fn with(self, token: Token) -> Self {
        Self(self.0 | Self::of(token).0)
    }

    pub fn without(self, token: Token) -> Self {
        Self(self.0 & !Self::of(token).0)
    }

    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub fn but(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn count(self) -> usize {
        self.0.count_ones() as usize
    }

    pub fn iter(self) -> impl Iterator<Item = Token> {
        (0..8).map(Token).filter(move |token| self.0 & (1 << token.0) != 0)
    }
}
