//! The limits of compiling a component: higher for a larger one, since a compiler's work grows with its input.

use std::time::Duration;

/// How many times slower an unoptimized build of this program compiles.
const UNOPTIMIZED: u64 = if cfg!(debug_assertions) { 4 } else { 1 };
/// The wall-clock limit in multiples of the CPU time: a loaded machine gives a process only a part of its time.
const WALL: u32 = 3;

/// The limits of compiling, by the size of the component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompileLimits {
    /// CPU time for every component, in seconds.
    pub seconds: u64,
    /// Additional CPU time for each MiB of the component, in seconds.
    pub seconds_per_mib: u64,
    /// Address space for every component, in bytes.
    pub memory: u64,
    /// Additional address space for each MiB of the component, in bytes.
    pub memory_per_mib: u64,
}

/// An interpreter of 18 MB takes 12 s of CPU time and 450 MB; its limits are 80 s and 2.7 GB.
impl Default for CompileLimits {
    fn default() -> CompileLimits {
        CompileLimits { seconds: 8, seconds_per_mib: 4, memory: 1 << 30, memory_per_mib: 96 << 20 }
    }
}

/// The limits of one compilation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowance {
    /// CPU time of all its threads.
    pub(super) cpu: Duration,
    /// Wall-clock time.
    pub(super) wall: Duration,
    /// Bytes of address space.
    pub(super) memory: u64,
}

impl CompileLimits {
    /// Returns the limits for a component of `bytes` bytes.
    pub(super) fn allowance(self, bytes: usize) -> Allowance {
        let mib = (bytes as u64).div_ceil(1 << 20);
        let cpu = Duration::from_secs((self.seconds + mib * self.seconds_per_mib) * UNOPTIMIZED);
        Allowance { cpu, wall: cpu * WALL, memory: self.memory + mib * self.memory_per_mib }
    }
}
