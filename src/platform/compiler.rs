//! Compiles packages ahead of time, while the platform keeps serving.

use std::sync::Arc;

use erp_package::archive;
use erp_package::strict_zip::Limits;
use erp_runtime::{Interrupt, Runtime};

/// Compiles components for the platform before it loads them.
#[derive(Debug, Clone)]
pub struct PackageCompiler {
    pub(super) runtime: Arc<Runtime>,
}

impl PackageCompiler {
    /// Compiles the component of a package, until the interrupt is set. Ignores errors: loading the component reports
    /// them.
    pub fn compile_package(&self, package: &[u8], interrupt: &Interrupt) {
        if let Ok(package) = archive::open(package, &Limits::default()) {
            self.compile(package.component(), interrupt);
        }
    }

    /// Compiles a component, as [`compile_package`](PackageCompiler::compile_package) does.
    pub fn compile(&self, component: &[u8], interrupt: &Interrupt) {
        let _ = self.runtime.prepare(component, interrupt);
    }
}
