//! Compiling packages ahead, beside a platform that goes on serving.

use std::sync::Arc;

use super::Platform;
use crate::archive;
use crate::host::{Interrupt, Runtime, lock};
use crate::strict_zip::Limits;

/// Compiles components for the platform, before it is asked to load them.
#[derive(Debug, Clone)]
pub struct Compiler {
    runtime: Arc<Runtime>,
}

impl Compiler {
    /// Compiles the component of a package, until the interrupt is set. What is wrong with it is reported where it is
    /// loaded.
    pub fn compile(&self, package: &[u8], interrupt: &Interrupt) {
        if let Ok(package) = archive::open(package, &Limits::default()) {
            let _ = self.runtime.prepare(package.component(), interrupt);
        }
    }
}

impl Platform {
    /// The package that a plugin was uploaded in; none for one of a project.
    pub fn package_bytes(&self, plugin: &str) -> Option<Vec<u8>> {
        let version = self.manifest(plugin)?.metadata.version.to_string();
        let record = lock(&self.database).package(plugin, &version).ok()?;
        record.map(|record| record.bytes)
    }

    /// A compiler that needs no lock of the platform.
    pub fn compiler(&self) -> Compiler {
        Compiler { runtime: Arc::clone(&self.runtime) }
    }
}
