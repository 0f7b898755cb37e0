//! How much compiling a component may cost: more for a larger one, since a compiler's work grows with its input.

use std::time::Duration;

/// An unoptimized build of this program compiles so many times slower.
const UNOPTIMIZED: u64 = if cfg!(debug_assertions) { 4 } else { 1 };
/// A loaded machine gives a process a part of its time.
const WALL: u32 = 3;

/// What compiling may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompileLimits {
    /// Seconds of a processor for a component of no size.
    pub seconds: u64,
    /// Seconds more for each MiB of it.
    pub seconds_per_mib: u64,
    /// Bytes of address space for a component of no size.
    pub memory: u64,
    /// Bytes more for each MiB of it.
    pub memory_per_mib: u64,
}

/// An interpreter of 18 MB takes 12 s of a processor and 450 MB of its 80 s and 2.7 GB.
impl Default for CompileLimits {
    fn default() -> CompileLimits {
        CompileLimits { seconds: 8, seconds_per_mib: 4, memory: 1 << 30, memory_per_mib: 96 << 20 }
    }
}

/// The bounds of one compilation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowance {
    /// Time of all its threads.
    pub(super) cpu: Duration,
    /// Time on a clock.
    pub(super) wall: Duration,
    /// Bytes of address space.
    pub(super) memory: u64,
}

impl CompileLimits {
    /// The bounds for a component of so many bytes.
    pub(super) fn allowance(self, bytes: usize) -> Allowance {
        let mib = (bytes as u64).div_ceil(1 << 20);
        let cpu = Duration::from_secs((self.seconds + mib * self.seconds_per_mib) * UNOPTIMIZED);
        Allowance { cpu, wall: cpu * WALL, memory: self.memory + mib * self.memory_per_mib }
    }
}
