//! Compiling packages ahead, beside a platform that goes on serving.

use std::sync::Arc;

use erp_package::archive;
use erp_package::strict_zip::Limits;
use erp_runtime::{Interrupt, Runtime};

use super::Platform;

/// Compiles components for the platform, before it is asked to load them.
#[derive(Debug, Clone)]
pub struct PackageCompiler {
    runtime: Arc<Runtime>,
}

impl PackageCompiler {
    /// Compiles the component of a package, until the interrupt is set. What is wrong with it is reported where it is
    /// loaded.
    pub fn compile_package(&self, package: &[u8], interrupt: &Interrupt) {
        if let Ok(package) = archive::open(package, &Limits::default()) {
            self.compile(package.component(), interrupt);
        }
    }

    /// The same for a component.
    pub fn compile(&self, component: &[u8], interrupt: &Interrupt) {
        let _ = self.runtime.prepare(component, interrupt);
    }
}

impl Platform {
    /// The package that a plugin was uploaded in; none for one of a project.
    pub fn package_bytes(&self, plugin: &str) -> Option<Vec<u8>> {
        let version = self.manifest(plugin)?.metadata.version.to_string();
        let record = self.database.lock().package(plugin, &version).ok()?;
        record.map(|record| record.bytes)
    }

    /// The package that a rollback of a plugin would bring back; none if there is nothing to roll back.
    pub fn package_before(&self, plugin: &str) -> Option<Vec<u8>> {
        let manifest = self.manifest(plugin)?;
        let database = self.database.lock();
        let upgrades = database.upgrades(&manifest.metadata.id).ok()?;
        let latest = upgrades.into_iter().find(|upgrade| !upgrade.rolled_back)?;
        Some(database.package(plugin, &latest.from_version).ok()??.bytes)
    }

    /// A compiler that needs no lock of the platform.
    pub fn compiler(&self) -> PackageCompiler {
        PackageCompiler { runtime: Arc::clone(&self.runtime) }
    }
}
