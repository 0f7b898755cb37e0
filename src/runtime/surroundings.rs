//! Time and randomness: of this machine, or fixed so that a run can be repeated to the byte.

use std::fmt;
use std::sync::{Arc, Mutex};

use erp_manifest::Moment;
use erp_manifest::outgoing::HttpTransport;
use uuid::Builder;

use super::SecretSource;
use super::faults::{Fault, FaultAction, FaultPlace, Faults};
use crate::random::Random;

/// What tells the time.
#[derive(Debug, Clone)]
pub enum Clock {
    /// This machine's clock, moved by so many milliseconds.
    System {
        /// How far it was moved; less than zero into the past.
        ahead_ms: i64,
    },
    /// A clock that stands at a moment and moves one millisecond a host call.
    Virtual(Moment),
    /// A platform's own.
    Of(Arc<dyn TimeSource>),
}

/// Tells the time, in the place of this machine's clock.
pub trait TimeSource: Send + Sync + fmt::Debug {
    /// Now. May be the same again, and should not go back.
    fn now(&self) -> Moment;
}

/// Where random bytes come from.
#[derive(Debug, Clone)]
pub enum Randomness {
    /// The operating system.
    System,
    /// A sequence that a seed determines (`SplitMix64`).
    Seeded(Random),
    /// A platform's own.
    Of(Arc<dyn RandomSource>),
}

/// Gives random numbers, in the place of the operating system.
pub trait RandomSource: Send + Sync + fmt::Debug {
    /// 64 bits that nobody can foresee: ids and tokens of plugins are made of them.
    fn bits(&self) -> u64;
}

/// Time and randomness of a platform.
#[derive(Debug, Clone)]
pub struct Surroundings {
    clock: Clock,
    randomness: Randomness,
    /// The millisecond of the last id, and how many ids it has had.
    last_id: (i64, u16),
    /// What is made to go wrong.
    faults: Faults,
    /// Who sends requests of plugins; no one if it is none.
    transport: Option<Arc<dyn HttpTransport>>,
    /// Who knows the secrets of tenants; the storage if it is none.
    secrets: Option<Arc<dyn SecretSource>>,
    /// Whether known defects of the platform are imitated.
    imitates_quirks: bool,
}

/// As the platform and a running call share it.
pub type SharedSurroundings = Arc<Mutex<Surroundings>>;

impl Surroundings {
    /// Those of this machine.
    pub fn of_this_machine() -> Surroundings {
        Surroundings::new(Clock::System { ahead_ms: 0 }, Randomness::System)
    }

    /// Fixed ones.
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

    /// The same, with somebody who sends requests of plugins.
    #[must_use]
    pub fn with_transport(self, transport: Arc<dyn HttpTransport>) -> Surroundings {
        Surroundings { transport: Some(transport), ..self }
    }

    /// The same, with another clock.
    #[must_use]
    pub fn with_clock(self, source: Arc<dyn TimeSource>) -> Surroundings {
        Surroundings { clock: Clock::Of(source), ..self }
    }

    /// The same, with other randomness.
    #[must_use]
    pub fn with_randomness(self, source: Arc<dyn RandomSource>) -> Surroundings {
        Surroundings { randomness: Randomness::Of(source), ..self }
    }

    /// The same, with somebody who knows the secrets of tenants in the place of the storage.
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

    /// Now.
    pub fn now(&self) -> Moment {
        match self.clock {
            Clock::System { ahead_ms } => Moment::of_system_clock().plus_ms(ahead_ms),
            Clock::Virtual(now) => now,
            Clock::Of(ref source) => source.now(),
        }
    }

    /// By how many milliseconds the clock is ahead of the machine's own.
    pub fn ahead_ms(&self) -> i64 {
        match self.clock {
            Clock::System { ahead_ms } => ahead_ms,
            Clock::Virtual(now) => now.unix_ms - Moment::of_system_clock().unix_ms,
            Clock::Of(ref source) => source.now().unix_ms - Moment::of_system_clock().unix_ms,
        }
    }

    /// Moves a virtual clock; the machine's own cannot be moved.
    pub fn advance(&mut self, milliseconds: u64) {
        if let Clock::Virtual(now) = &mut self.clock {
            *now = now.plus_ms(i64::try_from(milliseconds).unwrap_or(i64::MAX));
        }
    }

    /// Moves any clock, into the future or the past: what a developer does to see what tomorrow brings.
    pub fn shift(&mut self, milliseconds: i64) {
        match &mut self.clock {
            Clock::System { ahead_ms } => *ahead_ms = ahead_ms.saturating_add(milliseconds),
            Clock::Virtual(now) => *now = now.plus_ms(milliseconds),
            // It is not ours to move.
            Clock::Of(_) => {}
        }
    }

    /// Lets time pass that something pretends to need: a virtual clock moves, with this machine's one waits.
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

    /// Imitates known defects of the platform, or does not.
    pub fn imitate_quirks(&mut self, wanted: bool) {
        self.imitates_quirks = wanted;
    }

    /// Makes something go wrong: what a disk or a network does now and then.
    pub fn add_fault(&mut self, fault: Fault) {
        self.faults.add(fault);
    }

    /// Forgets faults that did not happen; gives them.
    pub fn clear_faults(&mut self) -> Vec<Fault> {
        self.faults.clear()
    }

    /// Faults that are still to come.
    pub fn faults(&self) -> &[Fault] {
        self.faults.left()
    }

    /// Counts a place where faults happen; gives what happens there.
    pub(super) fn take_fault(&mut self, is_here: impl Fn(&FaultPlace) -> bool) -> Option<FaultAction> {
        self.faults.take(is_here)
    }

    /// 64 random bits.
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

    /// Random bytes.
    pub fn random_bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            bytes.extend(self.random_u64().to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }

    /// A new UUID of version 7. Ids sort in the order in which they were made: those of one
    /// millisecond are told apart by a counter in the bits behind the time.
    pub fn uuid(&mut self) -> String {
        let now = self.now().unix_ms.max(self.last_id.0);
        let count = if now == self.last_id.0 { self.last_id.1 + 1 } else { 0 };
        // The counter has 12 bits; what comes over borrows from the next millisecond.
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
