//! Checks of the dependencies between plugins.

use std::collections::BTreeSet;

use erp_manifest::Manifest;
use erp_manifest::codes::errors;
use erp_store::PluginStatus;
use semver::{Version, VersionReq};

use super::{Platform, PlatformError};

/// The state that a plugin must have reached for another one that depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DependencyStage {
    /// Its tables exist.
    Installed,
    /// It runs and receives events.
    Running,
}

impl DependencyStage {
    pub(super) fn is_reached_by(self, status: PluginStatus) -> bool {
        match self {
            DependencyStage::Running => status == PluginStatus::Running,
            DependencyStage::Installed => matches!(
                status,
                PluginStatus::Installed | PluginStatus::Running | PluginStatus::Disabled | PluginStatus::Error
            ),
        }
    }

    fn word(self) -> &'static str {
        match self {
            DependencyStage::Installed => "installed",
            DependencyStage::Running => "running",
        }
    }
}

fn fits(range: &str, version: &str) -> bool {
    match (VersionReq::parse(range), Version::parse(version)) {
        (Ok(range), Ok(version)) => range.matches(&version),
        _ => false,
    }
}

/// The checks before a plugin is installed, started, stopped or replaced.
#[derive(Debug)]
pub(crate) struct Requirements<'p> {
    pub(crate) platform: &'p Platform,
}

impl Requirements<'_> {
    /// Refuses a plugin that does not support this version of the platform.
    pub(super) fn require_platform(&self, manifest: &Manifest) -> Result<(), PlatformError> {
        match manifest.platform_refusal(&self.platform.gate.platform_version()) {
            Some((_, why)) => {
                let message = format!("`{}` does not run here: {why}", *manifest.metadata.id);
                Err(PlatformError::new(errors::PLUGIN_PLATFORM, message))
            }
            None => Ok(()),
        }
    }

    /// Refuses a plugin if a plugin that it needs has not reached the stage or has another version.
    pub(super) fn require_needs(&self, manifest: &Manifest, stage: DependencyStage) -> Result<(), PlatformError> {
        let id = manifest.metadata.id.as_str();
        for (needed, range) in manifest.needs() {
            let refused = |why: String| {
                let message = format!("`{id}` needs the plugin `{needed}`, {why}");
                Err(PlatformError::new(errors::PLUGIN_DEPENDENCY, message))
            };
            let Some(other) = self.platform.plugins.get(needed).filter(|other| stage.is_reached_by(other.status))
            else {
                return refused(format!("which is not {}", stage.word()));
            };
            let version = other.manifest.metadata.version.as_str();
            if !fits(range, version) {
                return refused(format!("version {range}, and {version} is there"));
            }
        }
        Ok(())
    }

    /// Refuses to disable or uninstall a plugin that other plugins need.
    pub(super) fn require_not_needed(&self, id: &str, stage: DependencyStage) -> Result<(), PlatformError> {
        let dependents: Vec<&str> = self
            .platform
            .plugins
            .iter()
            .filter(|(_, other)| stage.is_reached_by(other.status))
            .filter(|(_, other)| other.manifest.needs().any(|(needed, _)| needed == id))
            .map(|(other, _)| other.as_str())
            .collect();
        if dependents.is_empty() {
            return Ok(());
        }
        let verb = if stage == DependencyStage::Running { "disable" } else { "uninstall" };
        let message = format!("`{id}` is needed by {}: {verb} that first", dependents.join(", "));
        Err(PlatformError::new(errors::PLUGIN_DEPENDENTS, message))
    }

    /// Refuses a new version that is outside the range that an installed plugin needs.
    pub(super) fn require_still_fits(&self, id: &str, version: &str) -> Result<(), PlatformError> {
        for (other, plugin) in
            self.platform.plugins.iter().filter(|(_, other)| DependencyStage::Installed.is_reached_by(other.status))
        {
            if let Some((_, range)) =
                plugin.manifest.needs().find(|(needed, range)| *needed == id && !fits(range, version))
            {
                let message = format!(
                    "`{other}` needs `{id}` {range}, which {version} is not: upgrade or uninstall `{other}` first"
                );
                return Err(PlatformError::new(errors::PLUGIN_DEPENDENTS, message));
            }
        }
        Ok(())
    }

    /// Returns the ids ordered so that each plugin comes after the plugins that it needs.
    pub(super) fn start_order(&self, ids: &[String]) -> Vec<String> {
        let mut waiting: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
        let mut order = Vec::with_capacity(ids.len());
        while !waiting.is_empty() {
            let ready: Vec<&str> = waiting
                .iter()
                .copied()
                .filter(|id| {
                    let manifest = self.platform.plugins.get(*id).map(|plugin| &plugin.manifest);
                    manifest.is_none_or(|manifest| !manifest.needs().any(|(needed, _)| waiting.contains(needed)))
                })
                .collect();
            // A cycle: none of its plugins can start, and each reports the reason.
            let next = if ready.is_empty() { waiting.iter().copied().collect() } else { ready };
            for id in next {
                waiting.remove(id);
                order.push(id.to_owned());
            }
        }
        order
    }
}
