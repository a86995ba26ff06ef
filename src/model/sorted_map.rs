//! A map in one sorted list.

use serde::{Deserialize, Serialize};

/// A map that keeps its entries in one list, sorted by key.
///
/// For a map with an entry for each process, whose keys mostly count up: a B-tree that grows at its end leaves half of each
/// leaf empty. Adding or removing an entry moves those after it, so entries have to be small.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SortedMap<K, V>(Vec<(K, V)>);

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> SortedMap<K, V> {
    /// Where a key is, or where it belongs.
    fn search(&self, key: &K) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.cmp(key))
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        let at = self.search(key).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// The value of a key, to change it.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let at = self.search(key).ok()?;
        self.0.get_mut(at).map(|(_, value)| value)
    }

    /// Whether it has this key.
    #[must_use]
    pub fn contains_key(&self, key: &K) -> bool {
        self.search(key).is_ok()
    }

    /// Sets the value of a key.
    pub fn insert(&mut self, key: K, value: V) {
        match self.search(&key) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (key, value)),
        }
    }

    /// The value of a key, which gets the default if it has none.
    pub fn get_or_insert_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let at = self.search(&key).unwrap_or_else(|at| {
            self.0.insert(at, (key, V::default()));
            at
        });
        &mut self.0[at].1
    }

    /// Removes a key; returns its value.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.search(key).ok()?;
        Some(self.0.remove(at).1)
    }

    /// All entries by ascending key.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// All keys, ascending.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    /// All values by ascending key.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    /// All values by ascending key, to change them.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_sorted_and_found_by_key() {
        let mut map = SortedMap::default();
        for key in [3, 1, 2, 9, 1] {
            map.insert(key, key * 10);
        }
        map.insert(2, 7);
        assert_eq!(map.iter().collect::<Vec<_>>(), [(&1, &10), (&2, &7), (&3, &30), (&9, &90)]);
        assert_eq!((map.remove(&3), map.remove(&3), map.contains_key(&3)), (Some(30), None, false));
        *map.get_or_insert_default(5) += 1;
        *map.get_or_insert_default(5) += 1;
        map.values_mut().for_each(|value| *value += 1);
        assert_eq!((map.get(&5), map.get(&4)), (Some(&3), None));
        assert_eq!(map.get_mut(&9), Some(&mut 91));
        assert_eq!(map.keys().copied().collect::<Vec<_>>(), [1, 2, 5, 9]);
        assert_eq!(map.values().copied().collect::<Vec<_>>(), [11, 8, 3, 91]);
    }
}
