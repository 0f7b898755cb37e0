//! A bar.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar for work whose length is known.
#[derive(Debug, Clone)]
pub struct Progress(ProgressBar);

impl Progress {
    pub(super) fn new(verb: &str, total: u64, visible: bool) -> Progress {
        let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        // The template is a constant; were it wrong, the bar would look plain.
        if let Ok(style) = ProgressStyle::with_template("{prefix:>12} [{bar:30}] {bytes}/{total_bytes}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(verb.to_owned());
        Progress(bar)
    }

    /// So much more is done.
    pub fn add(&self, done: u64) {
        self.0.inc(done);
    }

    /// Begins anew: the work is done again.
    pub fn restart(&self) {
        self.0.set_position(0);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}
