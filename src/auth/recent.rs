//! A map of bounded size that forgets what was touched longest ago. What an outsider can fill must be one of these.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

pub(super) struct Recent<Key, Value> {
    entries_max: usize,
    touches: u64,
    entries: HashMap<Key, (u64, Value)>,
    by_touch: BTreeMap<u64, Key>,
}

impl<Key: Copy + Eq + Hash, Value> Recent<Key, Value> {
    pub(super) fn new(entries_max: usize) -> Self {
        Self { entries_max, touches: 0, entries: HashMap::new(), by_touch: BTreeMap::new() }
    }

    /// Without counting as a touch: asking must not keep an entry alive.
    pub(super) fn peek(&self, key: &Key) -> Option<&Value> {
        self.entries.get(key).map(|(_, value)| value)
    }

    pub(super) fn put(&mut self, key: Key, value: Value) {
        self.touches += 1;
        if let Some((touch, _)) = self.entries.insert(key, (self.touches, value)) {
            self.by_touch.remove(&touch);
        }
        self.by_touch.insert(self.touches, key);
        while self.entries.len() > self.entries_max {
            let Some((_, oldest)) = self.by_touch.pop_first() else { return };
            self.entries.remove(&oldest);
        }
    }

    pub(super) fn remove(&mut self, key: &Key) {
        if let Some((touch, _)) = self.entries.remove(key) {
            self.by_touch.remove(&touch);
        }
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Value) -> bool) {
        let by_touch = &mut self.by_touch;
        self.entries.retain(|_, (touch, value)| {
            let kept = keep(value);
            if !kept {
                by_touch.remove(touch);
            }
            kept
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_least_recently_put_goes_first() {
        let mut recent = Recent::new(2);
        recent.put("a", 1);
        recent.put("b", 2);
        recent.put("a", 3);
        recent.put("c", 4);
        assert_eq!((recent.peek(&"a"), recent.peek(&"b"), recent.peek(&"c")), (Some(&3), None, Some(&4)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn its_two_halves_agree(steps in prop::collection::vec((0u8..3, 0u8..12), 0..80)) {
            let mut recent = Recent::new(5);
            for (what, key) in steps {
                match what {
                    0 => recent.put(key, key),
                    1 => recent.remove(&key),
                    _ => recent.retain(|value| *value != key),
                }
                prop_assert!(recent.entries.len() <= 5);
                prop_assert_eq!(recent.entries.len(), recent.by_touch.len());
                prop_assert!(recent.by_touch.iter().all(|(touch, key)| recent.entries[key].0 == *touch));
            }
        }
    }
}
