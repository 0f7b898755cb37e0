//! Functions that were compiled since the program began: after an edit only changed functions are compiled.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Mutex;

use wasmtime::CacheStore;

use crate::lock;

/// The most bytes of functions in memory, in each of two halves.
const MAX_HALF_BYTES: usize = 128 << 20;

/// Functions that were compiled since the program began, by the key of their source. A function that is not used while
/// one half fills up is dropped.
#[derive(Debug, Default)]
pub(crate) struct CompiledFunctions(Mutex<Halves>);

#[derive(Debug, Default)]
struct Halves {
    young: HashMap<Vec<u8>, Vec<u8>>,
    young_bytes: usize,
    old: HashMap<Vec<u8>, Vec<u8>>,
}

impl Halves {
    fn keep(&mut self, key: Vec<u8>, code: Vec<u8>) {
        let bytes = key.len() + code.len();
        if self.young_bytes + bytes > MAX_HALF_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        let key_bytes = key.len();
        let before = self.young.insert(key, code).map_or(0, |before| key_bytes + before.len());
        self.young_bytes = self.young_bytes + bytes - before;
    }
}

impl CacheStore for CompiledFunctions {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        let mut halves = lock(&self.0);
        if let Some(code) = halves.young.get(key) {
            return Some(Cow::Owned(code.clone()));
        }
        let (key, code) = halves.old.remove_entry(key)?;
        halves.keep(key, code.clone());
        Some(Cow::Owned(code))
    }

    fn insert(&self, key: &[u8], code: Vec<u8>) -> bool {
        lock(&self.0).keep(key.to_vec(), code);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_that_are_asked_for_stay() {
        let functions = CompiledFunctions::default();
        let eighth = || vec![0; MAX_HALF_BYTES / 8 - 4];
        functions.insert(b"used", eighth());
        functions.insert(b"unused", eighth());
        for number in 0..40_u8 {
            functions.insert(&[number], eighth());
            assert!(functions.get(b"used").is_some(), "after {number}");
        }
        assert!(functions.get(b"unused").is_none());
        let halves = lock(&functions.0);
        assert!(halves.young.len() + halves.old.len() <= 16);
    }
}
