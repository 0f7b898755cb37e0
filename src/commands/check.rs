//! `erp-plugin check`.

use std::path::PathBuf;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::CommandResult;
use crate::check::{Subject, check_component, check_manifest};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::diagnostics::{DiagnosticJson, Report, Severity};
use crate::exit_code::ExitCode;
use crate::scenario::read_suite;

/// Hold manifest, component and scenarios against the platform's rules
///
/// The component is dist/<id>.wasm; where it was not built yet, manifest and scenarios are checked
/// alone. The platform applies the same rules on upload.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The component, in the place of dist/<id>.wasm
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
}

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CheckResult {
    /// True where no finding is an error.
    ok: bool,
    /// Findings of error level.
    errors: usize,
    /// Findings that are warnings.
    warnings: usize,
    /// The component that was checked; none where there is none.
    component: Option<String>,
    /// The findings, in the order of their places.
    findings: Vec<DiagnosticJson>,
}

pub(super) fn run(context: &Context, args: &CheckArgs) -> CommandResult {
    let project = context.project()?;
    let (manifest, mut report) = project.manifest();
    let mut component = None;
    let mut scenarios = 0;
    if let Some(manifest) = &manifest {
        report.extend(check_manifest(&Subject { manifest, source: &project.source, file: &|path| project.file(path) }));
        let file = args.component.as_ref().map_or_else(|| project.component_file(manifest), |file| context.path(file));
        if file.is_file() || args.component.is_some() {
            report.extend(check_component(&context.read(&file)?, manifest).report);
            component = Some(context.shown(&file));
        }
        for file in project
            .scenario_files()
            .map_err(|error| CommandError::new(ExitCode::Configuration, "io", error.to_string()))?
        {
            report.extend(read_suite(&context.source(&file)?, manifest).1);
            scenarios += 1;
        }
    }
    report.sort();
    context.ui.report(&report);
    let result = CheckResult {
        ok: !report.has_errors(),
        errors: report.count(Severity::Error),
        warnings: report.count(Severity::Warning),
        component: component.clone(),
        findings: report.diagnostics().iter().map(DiagnosticJson::from).collect(),
    };
    context.ui.result(&result, || summary(&report, component.as_deref(), scenarios));
    Ok(if report.has_errors() { ExitCode::Findings } else { ExitCode::Ok })
}

fn summary(report: &Report, component: Option<&str>, scenarios: usize) -> String {
    let what = match component {
        Some(component) => format!("manifest, {component}, {scenarios} scenario files"),
        None => format!("manifest, {scenarios} scenario files; no component yet (erp-plugin build)"),
    };
    let explain = match report.diagnostics().first() {
        Some(first) => format!("\nwhat a code means: erp-plugin explain {}", first.code.name()),
        None => String::new(),
    };
    format!("checked {what}: {}{explain}", report.summary())
}
