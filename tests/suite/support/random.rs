//! The product's own random numbers, for tests that count in `usize`.

/// Pseudorandom numbers: the same for the same seed.
pub struct Random(erp_runtime::Random);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(erp_runtime::Random::new(seed))
    }

    /// Returns a number below `end`; 0 if `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.0.below(end.max(1) as u64)).unwrap()
    }

    /// Returns true in `chance` of a hundred cases.
    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.below(among.len())]
    }
}
