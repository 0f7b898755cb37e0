//! A dev host as request handlers see it: the state that all threads share, and the projects that it follows.

use std::sync::Arc;

use super::projects::Projects;
use super::shared::Shared;

/// A dev host as request handlers see it.
#[derive(Debug, Clone)]
pub(super) struct AnsweringHost {
    pub(super) shared: Arc<Shared>,
    /// None for a host that follows no project.
    pub(super) projects: Option<Arc<Projects>>,
}
