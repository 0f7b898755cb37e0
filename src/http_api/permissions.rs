//! Permissions that belong to the platform itself and to no plugin.

/// Upload, install, configure and remove plugins.
pub const PLUGIN_ADMIN: &str = "plugin.admin";
/// Run nodes of workflows.
pub(super) const WORKFLOW_RUN: &str = "workflow.run";
/// Send bytes to processors of plugins.
pub(super) const PROCESSOR_RUN: &str = "processor.run";

/// All of them.
pub const PLATFORM_PERMISSIONS: [&str; 3] = [PLUGIN_ADMIN, PROCESSOR_RUN, WORKFLOW_RUN];
