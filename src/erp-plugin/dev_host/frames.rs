//! Pages of plugins in frames: addresses that a frame can open without a token, until newer ones replace them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use erp_manifest::digest::hex;

/// The most addresses that are valid at the same time; a new one replaces the oldest.
const KEPT: usize = 64;

/// The plugins whose files frames may open, by addresses that cannot be guessed.
#[derive(Debug, Default)]
pub(super) struct FrameTickets(Mutex<VecDeque<(String, String)>>);

impl FrameTickets {
    /// Creates an address for the files of a plugin; none if the system gives no random bytes.
    pub(super) fn open(&self, plugin: &str) -> Option<String> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).ok()?;
        let ticket = hex(&random);
        let mut frames = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if frames.len() == KEPT {
            frames.pop_front();
        }
        frames.push_back((ticket.clone(), plugin.to_owned()));
        Some(ticket)
    }

    /// The plugin of an address.
    pub(super) fn plugin(&self, ticket: &str) -> Option<String> {
        let frames = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        frames.iter().find(|(known, _)| known == ticket).map(|(_, plugin)| plugin.clone())
    }
}
