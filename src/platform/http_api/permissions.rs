//! Permissions that belong to the platform itself and to no plugin.

use erp_manifest::PermissionCode;

/// Upload, install, configure and remove plugins.
pub const PLUGIN_ADMIN: &PermissionCode = &PermissionCode::of_platform("plugin.admin");
/// Run nodes of workflows.
pub(super) const WORKFLOW_RUN: &PermissionCode = &PermissionCode::of_platform("workflow.run");
/// Send bytes to processors of plugins.
pub(super) const PROCESSOR_RUN: &PermissionCode = &PermissionCode::of_platform("processor.run");

/// All permissions of the platform.
pub const PLATFORM_PERMISSIONS: [&PermissionCode; 3] = [PLUGIN_ADMIN, PROCESSOR_RUN, WORKFLOW_RUN];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_the_platform_follow_the_rule() {
        for code in PLATFORM_PERMISSIONS {
            assert_eq!(PermissionCode::new(code.as_str()), Some(code.clone()));
        }
    }
}
