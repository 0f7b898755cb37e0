//! Compiling packages ahead, beside a platform that goes on serving.

use std::sync::Arc;

use erp_package::archive;
use erp_package::strict_zip::Limits;
use erp_runtime::{Interrupt, Runtime};

/// Compiles components for the platform, before it is asked to load them.
#[derive(Debug, Clone)]
pub struct PackageCompiler {
    pub(super) runtime: Arc<Runtime>,
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
