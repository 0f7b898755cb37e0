//! Lines for the terminal that a dev host runs in.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};

use erp_manifest::diagnostics::printable;
use erp_platform::Activity;

/// The most bytes of a line: thousands of lines may wait.
const MAX_LINE: usize = 2_000;

/// The terminal. A blocked one must not block the host: lines that it does not accept are counted.
#[derive(Debug)]
pub(super) struct Terminal {
    lines: SyncSender<String>,
    not_taken: AtomicU64,
    /// Whether successful requests are printed too.
    pub(super) prints_all_requests: bool,
}

impl Terminal {
    pub(super) fn new(lines: SyncSender<String>, prints_all_requests: bool) -> Terminal {
        Terminal { lines, not_taken: AtomicU64::new(0), prints_all_requests }
    }

    /// Prints lines. They are lost if the host is stopping.
    pub(super) fn print(&self, text: &str) {
        for line in text.lines() {
            let line = &line[..line.floor_char_boundary(MAX_LINE)];
            let not_taken = self.not_taken.swap(0, Ordering::Relaxed);
            let line = if not_taken == 0 {
                printable(line)
            } else {
                format!("({not_taken} lines were not shown)\n{}", printable(line))
            };
            if let Err(TrySendError::Full(_)) = self.lines.try_send(line) {
                self.not_taken.fetch_add(not_taken + 1, Ordering::Relaxed);
            }
        }
    }
}

/// The calls and the logs of plugins, one line each.
pub(super) fn lines(activity: &Activity) -> Vec<String> {
    let mut lines = Vec::new();
    for call in &activity.calls {
        let outcome = call.error.as_ref().map_or_else(|| "ok".to_owned(), ToString::to_string);
        lines.push(format!(
            "  {} {}: {outcome} ({} fuel, {} rows)",
            call.plugin,
            call.label,
            call.trace.fuel,
            call.trace.changes.len()
        ));
        for record in &call.trace.logs {
            lines.push(format!("    {}: {}", record.level, record.message));
        }
    }
    lines
}
