//! What several adversities set at the same time: the newest counts, and each ends only its own doing.

/// Values laid over each other.
#[derive(Clone, Debug)]
pub struct Overlaid<T> {
    begun: u64,
    all: Vec<(u64, T)>,
}

impl<T> Default for Overlaid<T> {
    fn default() -> Self {
        Self { begun: 0, all: Vec::new() }
    }
}

impl<T> Overlaid<T> {
    /// Lays another one over them; the number ends it.
    pub fn begin(&mut self, value: T) -> u64 {
        self.begun += 1;
        self.all.push((self.begun, value));
        self.begun
    }

    /// Takes this one away, if it is still there.
    pub fn end(&mut self, number: u64) {
        self.all.retain(|(begun, _)| *begun != number);
    }

    /// Takes all away.
    pub fn clear(&mut self) {
        self.all.clear();
    }

    /// All that are there, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.all.iter().map(|(_, value)| value)
    }

    /// The one that counts.
    pub fn newest(&self) -> Option<&T> {
        self.iter().next_back()
    }
}
