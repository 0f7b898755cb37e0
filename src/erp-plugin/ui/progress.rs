//! A progress bar.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What a progress bar counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgressUnit {
    /// Bytes, shown as KiB and MiB.
    Bytes,
    /// Rows, shown as a number.
    Rows,
}

/// A progress bar for work of a known length.
#[derive(Debug, Clone)]
pub struct Progress(ProgressBar);

impl Progress {
    pub(super) fn new(verb: &str, total: u64, unit: ProgressUnit, visible: bool) -> Progress {
        let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let template = match unit {
            ProgressUnit::Bytes => "{prefix:>12} [{bar:30}] {bytes}/{total_bytes}",
            ProgressUnit::Rows => "{prefix:>12} [{bar:30}] {human_pos}/{human_len}",
        };
        // The template is a constant. If it were invalid, the bar would have its default style.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(verb.to_owned());
        Progress(bar)
    }

    /// Advances the bar by `done`.
    pub fn add(&self, done: u64) {
        self.0.inc(done);
    }

    /// Resets the bar to zero, because the work is retried.
    pub fn restart(&self) {
        self.0.set_position(0);
    }

    /// Removes the bar from the terminal.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}
