//! The rules on an opened package: the same as on a project, on what a stranger gets.

use erp_check::{CheckSubject, CheckedComponent, check_component, check_manifest};
use erp_manifest::diagnostics::SourceFile;

use crate::archive::{MANIFEST, Package};

/// Holds what is in a package against every rule; the report is that of manifest and component together.
pub fn check_package(package: &Package) -> CheckedComponent {
    let source = SourceFile::new(MANIFEST, "");
    let file = |name: &str| package.file(name).map(<[u8]>::to_vec);
    let mut report = check_manifest(&CheckSubject { manifest: &package.manifest, source: &source, file: &file });
    let checked = check_component(package.component(), &package.manifest, None);
    report.extend(checked.report);
    CheckedComponent { info: checked.info, report }
}
