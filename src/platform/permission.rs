//! Permissions that belong to the platform itself and to no plugin.

/// Plugins are uploaded, installed, configured and removed.
pub const PLUGIN_ADMIN: &str = "plugin.admin";
/// Nodes of workflows are run.
pub(super) const WORKFLOW_RUN: &str = "workflow.run";
/// Processors of plugins are given work.
pub(super) const PROCESSOR_RUN: &str = "processor.run";

/// All of them.
pub const PLATFORM_PERMISSIONS: [&str; 3] = [PLUGIN_ADMIN, PROCESSOR_RUN, WORKFLOW_RUN];
