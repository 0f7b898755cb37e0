//! Findings about files that `pack` would refuse, so that `check` reports them earlier.

use erp_check::{SECRET_FILE, UNPACKABLE_FILE};
use erp_manifest::Manifest;
use erp_manifest::diagnostics::{Diagnostic, Report};

use crate::project::{FileError, FileProblem, Project, package_files};

/// Reports the project's files that `pack` would refuse.
pub(super) fn check_files(project: &Project, manifest: &Manifest) -> Report {
    let mut report = Report::new();
    match package_files(project, manifest, &[]) {
        Ok(_) => {}
        Err(FileError::Refused(problems)) => {
            for problem in problems {
                let (code, help) = match &problem {
                    FileProblem::Secret { name, .. } => (
                        SECRET_FILE,
                        format!("name it in .erpxignore; or, where it is none: erp-plugin pack --allow-secret {name}"),
                    ),
                    _ => (UNPACKABLE_FILE, "rename it, or name it in .erpxignore".to_owned()),
                };
                report.push(Diagnostic::new(code, problem.to_string()).help(help));
            }
        }
        Err(error) => report.push(Diagnostic::new(UNPACKABLE_FILE, error.to_string())),
    }
    report
}
