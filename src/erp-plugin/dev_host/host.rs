//! A dev host as requests meet it: what all threads share, and the projects that it follows.

use std::sync::Arc;

use super::projects::Projects;
use super::shared::Shared;

/// A dev host as requests meet it.
#[derive(Debug, Clone)]
pub(super) struct AnsweringHost {
    pub(super) shared: Arc<Shared>,
    /// None for a host that follows no project.
    pub(super) projects: Option<Arc<Projects>>,
}
