//! The time that a call may take, and who may end it before.

use std::time::{Duration, Instant};

use super::interrupt::Interrupt;

/// The time of one call.
#[derive(Debug)]
pub(super) struct CallClock {
    started: Instant,
    /// Time that injected faults let host calls take, by the virtual clock.
    delayed: Duration,
    /// Ends the call before its time is over.
    pub(super) interrupt: Interrupt,
}

impl CallClock {
    /// A clock that starts now.
    pub(super) fn start(interrupt: Interrupt) -> CallClock {
        CallClock { started: Instant::now(), delayed: Duration::ZERO, interrupt }
    }

    /// What is left of `time`.
    pub(super) fn left_of(&self, time: Duration) -> Duration {
        time.saturating_sub(self.started.elapsed())
    }

    /// Adds an injected delay; false if all of them together exceed `time`.
    pub(super) fn delay(&mut self, delay: Duration, time: Duration) -> bool {
        self.delayed += delay;
        self.delayed <= time
    }
}
