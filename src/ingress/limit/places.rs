//! A memory of fixed size: numbers by key, in sets of a few places, where a new key takes the place of the least number.
//!
//! However many keys come, each costs the same, and no more than the places of one set are looked at. What a number
//! means is not known here, but that a greater one is worth more.

use std::{
    hash::{BuildHasher as _, Hash, RandomState},
    sync::{Mutex, PoisonError},
};

/// How many places a key can take.
const WAYS: usize = 8;

/// What a key is known by: of two keys it is the same only by chance, and which those are nobody outside can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint(u64);

/// Makes fingerprints.
#[derive(Debug, Default)]
pub(super) struct Fingerprints(RandomState);

impl Fingerprints {
    pub(super) fn of(&self, key: &impl Hash) -> Fingerprint {
        // An empty place has none.
        Fingerprint(self.0.hash_one(key).max(1))
    }
}

/// Numbers by key.
#[derive(Debug)]
pub(super) struct Places(Box<[Mutex<Set>]>);

type Set = [Place; WAYS];

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    fingerprint: u64,
    number: u64,
}

impl Places {
    /// Room for at least so many keys.
    pub(super) fn new(keys: usize) -> Self {
        let sets = keys.div_ceil(WAYS).max(1);
        Self((0..sets).map(|_| Mutex::default()).collect())
    }

    /// The number of a key.
    pub(super) fn find(&self, key: Fingerprint) -> Option<u64> {
        self.change(key, |known| (known, None))
    }

    /// Changes the number of a key to the one given back, if any; a key that had none may push out another.
    pub(super) fn change<T>(
        &self,
        Fingerprint(fingerprint): Fingerprint,
        change: impl FnOnce(Option<u64>) -> (T, Option<u64>),
    ) -> T {
        let sets = u64::try_from(self.0.len()).unwrap_or(u64::MAX);
        let index = usize::try_from(fingerprint % sets).unwrap_or_default();
        let Some(set) = self.0.get(index) else {
            return change(None).0;
        };
        let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
        let is_own = |place: &Place| place.fingerprint == fingerprint;
        // The own one, or else one that is empty, or else the least.
        let rank = |place: &&mut Place| (!is_own(place), place.fingerprint != 0, place.number);
        let Some(place) = set.iter_mut().min_by_key(rank) else {
            return change(None).0;
        };
        let known = is_own(place).then_some(place.number);
        let (told, number) = change(known);
        if let Some(number) = number {
            *place = Place {
                fingerprint,
                number,
            };
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(places: &Places, key: Fingerprint, number: u64) {
        places.change(key, |_| ((), Some(number)));
    }

    #[test]
    fn a_key_has_the_number_it_was_given_last() {
        let (places, prints) = (Places::new(1000), Fingerprints::default());
        let key = |index: u64| prints.of(&index);
        for index in 0..100 {
            assert_eq!(places.find(key(index)), None);
            put(&places, key(index), index);
        }
        put(&places, key(7), 700);
        for index in 0..100 {
            let expected = if index == 7 { 700 } else { index };
            assert_eq!(places.find(key(index)), Some(expected));
        }
    }

    #[test]
    fn the_least_number_of_a_full_set_goes_first() {
        let (places, prints) = (Places::new(WAYS), Fingerprints::default());
        let key = |index: u64| prints.of(&index);
        for index in 0..8 {
            put(&places, key(index), 100 - index);
        }
        put(&places, key(8), 1);
        assert_eq!(places.find(key(7)), None, "it had the least");
        put(&places, key(9), 1000);
        assert_eq!(places.find(key(8)), None, "then that had");
        assert_eq!(places.find(key(0)), Some(100));
    }

    #[test]
    fn to_look_takes_no_place() {
        let (places, prints) = (Places::new(WAYS), Fingerprints::default());
        put(&places, prints.of(&"kept"), 0);
        for index in 0..1000 {
            places.find(prints.of(&index));
        }
        assert_eq!(places.find(prints.of(&"kept")), Some(0));
    }
}
