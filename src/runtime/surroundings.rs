//! Time and randomness: those of this machine, or fixed ones that make a run repeatable to the byte.

use std::fmt;
use std::sync::{Arc, Mutex};

use erp_manifest::Moment;
use erp_manifest::outgoing::HttpTransport;
use uuid::Builder;

use super::SecretSource;
use super::faults::{Fault, FaultAction, FaultPlace, Faults};
use crate::random::Random;

/// The source of the time.
#[derive(Debug, Clone)]
pub enum Clock {
    /// This machine's clock with an offset.
    System {
        /// The offset in milliseconds; negative for the past.
        ahead_ms: i64,
    },
    /// A virtual clock that advances by one millisecond with each traced host call and each log record.
    Virtual(Moment),
    /// A clock that the platform supplies.
    Of(Arc<dyn TimeSource>),
}

/// A clock that replaces this machine's.
pub trait TimeSource: Send + Sync + fmt::Debug {
    /// Returns the current moment. It may repeat a value but should not go back.
    fn now(&self) -> Moment;
}

/// The source of random bytes.
#[derive(Debug, Clone)]
pub enum Randomness {
    /// The operating system.
    System,
    /// A sequence that a seed determines (`SplitMix64`).
    Seeded(Random),
    /// A source that the platform supplies.
    Of(Arc<dyn RandomSource>),
}

/// A source of random numbers that replaces the operating system's.
pub trait RandomSource: Send + Sync + fmt::Debug {
    /// Returns 64 unpredictable bits: ids and tokens of plugins are made of them.
    fn bits(&self) -> u64;
}

/// The clock, randomness, network, secrets and faults of a platform.
#[derive(Debug, Clone)]
pub struct Surroundings {
    clock: Clock,
    randomness: Randomness,
    /// The millisecond of the last id, and the counter of the last id within it, from 0.
    last_id: (i64, u16),
    /// The faults that are still to happen.
    faults: Faults,
    /// Sends the HTTP requests of plugins; without it every request fails.
    transport: Option<Arc<dyn HttpTransport>>,
    /// The source of tenants' secrets; the storage if none is set.
    secrets: Option<Arc<dyn SecretSource>>,
    /// Whether known defects of the platform are imitated.
    imitates_quirks: bool,
}

/// Surroundings that the platform and a running call share.
pub type SharedSurroundings = Arc<Mutex<Surroundings>>;

impl Surroundings {
    /// Returns the clock and randomness of this machine, without a network.
    pub fn of_this_machine() -> Surroundings {
        Surroundings::new(Clock::System { ahead_ms: 0 }, Randomness::System)
    }

    /// Returns a virtual clock that begins at `now`, and randomness from a seed.
    pub fn fixed(now: Moment, seed: u64) -> Surroundings {
        Surroundings::new(Clock::Virtual(now), Randomness::Seeded(Random::new(seed)))
    }

    fn new(clock: Clock, randomness: Randomness) -> Surroundings {
        Surroundings {
            clock,
            randomness,
            last_id: (0, 0),
            faults: Faults::default(),
            transport: None,
            secrets: None,
            imitates_quirks: false,
        }
    }

    /// Sets the transport that sends the HTTP requests of plugins.
    #[must_use]
    pub fn with_transport(self, transport: Arc<dyn HttpTransport>) -> Surroundings {
        Surroundings { transport: Some(transport), ..self }
    }

    /// Replaces the clock.
    #[must_use]
    pub fn with_clock(self, source: Arc<dyn TimeSource>) -> Surroundings {
        Surroundings { clock: Clock::Of(source), ..self }
    }

    /// Replaces the source of randomness.
    #[must_use]
    pub fn with_randomness(self, source: Arc<dyn RandomSource>) -> Surroundings {
        Surroundings { randomness: Randomness::Of(source), ..self }
    }

    /// Sets the source of tenants' secrets; it replaces the storage.
    #[must_use]
    pub fn with_secrets(self, source: Arc<dyn SecretSource>) -> Surroundings {
        Surroundings { secrets: Some(source), ..self }
    }

    pub(super) fn secrets(&self) -> Option<Arc<dyn SecretSource>> {
        self.secrets.clone()
    }

    pub(super) fn transport(&self) -> Option<Arc<dyn HttpTransport>> {
        self.transport.clone()
    }

    /// Returns the current moment.
    pub fn now(&self) -> Moment {
        match self.clock {
            Clock::System { ahead_ms } => Moment::of_system_clock().plus_ms(ahead_ms),
            Clock::Virtual(now) => now,
            Clock::Of(ref source) => source.now(),
        }
    }

    /// Returns how many milliseconds the clock is ahead of this machine's.
    pub fn ahead_ms(&self) -> i64 {
        match self.clock {
            Clock::System { ahead_ms } => ahead_ms,
            Clock::Virtual(now) => now.unix_ms - Moment::of_system_clock().unix_ms,
            Clock::Of(ref source) => source.now().unix_ms - Moment::of_system_clock().unix_ms,
        }
    }

    /// Advances a virtual clock; does nothing with any other clock.
    pub fn advance(&mut self, milliseconds: u64) {
        if let Clock::Virtual(now) = &mut self.clock {
            *now = now.plus_ms(i64::try_from(milliseconds).unwrap_or(i64::MAX));
        }
    }

    /// Moves the clock into the future or the past, so that a developer can try another day. A clock that the platform
    /// supplies does not move.
    pub fn shift(&mut self, milliseconds: i64) {
        match &mut self.clock {
            Clock::System { ahead_ms } => *ahead_ms = ahead_ms.saturating_add(milliseconds),
            Clock::Virtual(now) => *now = now.plus_ms(milliseconds),
            // Only the platform can move its own clock.
            Clock::Of(_) => {}
        }
    }

    /// Simulates a delay: advances a virtual clock, or sleeps with any other clock.
    pub(super) fn pass(surroundings: &SharedSurroundings, time: std::time::Duration) {
        let is_virtual = matches!(super::lock(surroundings).clock, Clock::Virtual(_));
        if is_virtual {
            super::lock(surroundings).advance(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        } else {
            std::thread::sleep(time);
        }
    }

    /// Whether known defects of the platform are imitated; see [`super::Quirk`].
    pub fn imitates_quirks(&self) -> bool {
        self.imitates_quirks
    }

    /// Sets whether known defects of the platform are imitated.
    pub fn imitate_quirks(&mut self, wanted: bool) {
        self.imitates_quirks = wanted;
    }

    /// Adds a fault, such as a failure of the disk or the network.
    pub fn add_fault(&mut self, fault: Fault) {
        self.faults.add(fault);
    }

    /// Removes the remaining faults and returns them.
    pub fn clear_faults(&mut self) -> Vec<Fault> {
        self.faults.clear()
    }

    /// Returns the remaining faults: those that have not happened yet, and those that always happen.
    pub fn faults(&self) -> &[Fault] {
        self.faults.left()
    }

    /// Counts one occurrence of a place, and returns the action of the fault that is due there, if any.
    pub(super) fn take_fault(&mut self, is_here: impl Fn(&FaultPlace) -> bool) -> Option<FaultAction> {
        self.faults.take(is_here)
    }

    /// Returns 64 random bits.
    pub fn random_u64(&mut self) -> u64 {
        match &mut self.randomness {
            Randomness::System => getrandom::u64().unwrap_or_else(|_| {
                // The operating system has no entropy yet; the clock is better than a panic in a dev host.
                Moment::of_system_clock().unix_ms.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15)
            }),
            Randomness::Seeded(random) => random.bits(),
            Randomness::Of(source) => source.bits(),
        }
    }

    /// Returns `count` random bytes.
    pub fn random_bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            bytes.extend(self.random_u64().to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }

    /// Returns a new UUID of version 7. Ids sort in the order of their creation: a counter in the
    /// bits after the time distinguishes those of one millisecond.
    pub fn uuid(&mut self) -> String {
        let now = self.now().unix_ms.max(self.last_id.0);
        let count = if now == self.last_id.0 { self.last_id.1 + 1 } else { 0 };
        // The counter has 12 bits; on overflow the id takes the next millisecond.
        self.last_id = if count > 0xfff { (now + 1, 0) } else { (now, count) };
        let mut random = [0; 10];
        random.copy_from_slice(&self.random_bytes(10));
        random[..2].copy_from_slice(&self.last_id.1.to_be_bytes());
        let milliseconds = self.last_id.0.cast_unsigned();
        Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let now = Moment::parse("2026-04-15T08:00:00Z").unwrap();
        let ids = || {
            let mut surroundings = Surroundings::fixed(now, 7);
            [surroundings.uuid(), surroundings.uuid()]
        };
        assert_eq!(ids(), ids());
        assert!(ids()[0] < ids()[1]);
        assert_eq!(&ids()[0][14..15], "7");
    }
}
