//! A sorted set that says how many of its elements come before another one, without counting them.

/// A part that grew to this length is cut in two. At 100,000 elements the longest search then adds up some hundred lengths.
const LONGEST: usize = 512;

/// The elements in order, in parts that are neither empty nor longer than [`LONGEST`].
#[derive(Debug)]
pub(super) struct Ranked<T> {
    parts: Vec<Vec<T>>,
    length: usize,
}

impl<T> Default for Ranked<T> {
    fn default() -> Self {
        Self { parts: Vec::new(), length: 0 }
    }
}

impl<T: Ord> Ranked<T> {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn insert(&mut self, element: T) {
        if self.parts.is_empty() {
            self.parts.push(Vec::new());
        }
        // Beyond all elements it goes to the end of the last part.
        let at = self.part(&element).min(self.parts.len() - 1);
        let part = &mut self.parts[at];
        let Err(place) = part.binary_search(&element) else { return };
        part.insert(place, element);
        self.length += 1;
        if part.len() >= LONGEST {
            let rest = part.split_off(LONGEST / 2);
            self.parts.insert(at + 1, rest);
        }
    }

    pub(super) fn remove(&mut self, element: &T) {
        let at = self.part(element);
        let Some(part) = self.parts.get_mut(at) else { return };
        let Ok(place) = part.binary_search(element) else { return };
        part.remove(place);
        self.length -= 1;
        if part.is_empty() {
            self.parts.remove(at);
        }
    }

    /// How many elements come before this one.
    pub(super) fn before(&self, element: &T) -> usize {
        let at = self.part(element);
        let in_part = self.parts.get(at).map_or(0, |part| part.partition_point(|other| other < element));
        self.parts[..at].iter().map(Vec::len).sum::<usize>() + in_part
    }

    /// All elements, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.parts.iter().flatten()
    }

    /// The first part that does not end before this element.
    fn part(&self, element: &T) -> usize {
        self.parts.partition_point(|part| part.last().is_some_and(|last| last < element))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_counts_as_a_plain_set_does_whatever_comes_and_goes() {
        let (mut ranked, mut plain, mut number) = (Ranked::default(), BTreeSet::new(), 1_u32);
        for step in 0..20_000 {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let element = number >> 18;
            // It grows at first, and then goes down to nothing.
            if step % 3 == 0 || step > 12_000 {
                let gone = *plain.range(element..).next().or(plain.first()).unwrap_or(&element);
                plain.remove(&gone);
                ranked.remove(&gone);
            } else {
                plain.insert(element);
                ranked.insert(element);
            }
            if step % 100 == 0 {
                assert_eq!(ranked.len(), plain.len());
                assert!(ranked.iter().eq(plain.iter()));
                assert_eq!(ranked.before(&element), plain.range(..element).count(), "step {step}");
                assert!(ranked.parts.iter().all(|part| (1..LONGEST).contains(&part.len())));
            }
        }
        assert!(ranked.len() == 0 && ranked.parts.is_empty());
    }
}
