//! Runs the rules on an opened package; they are the rules that a project is checked with.

use erp_check::{CheckSubject, ComponentCheck, check_component, check_manifest};
use erp_manifest::diagnostics::SourceFile;

use crate::archive::{MANIFEST, Package};

/// Checks the manifest and the component of a package with every rule. The report covers both.
pub fn check_package(package: &Package) -> ComponentCheck {
    let source = SourceFile::new(MANIFEST, "");
    let file = |name: &str| package.file(name).map(<[u8]>::to_vec);
    let mut report = check_manifest(&CheckSubject { manifest: &package.manifest, source: &source, file: &file });
    let checked = check_component(package.component(), &package.manifest, None);
    report.extend(checked.report);
    ComponentCheck { info: checked.info, report }
}
