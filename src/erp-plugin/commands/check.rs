//! `erp-plugin check`.

use std::path::{Path, PathBuf};

use clap::Args;
use erp_check::{
    CheckSubject, RULE_SET, STALE_COMPONENT, apply_severities, check_component, check_evolution, check_manifest,
    without_consequential,
};
use erp_files::FileAccess;
use erp_manifest::Manifest;
use erp_manifest::codes::Severity;
use erp_manifest::diagnostics::{DiagnosticJson, Report, apply_fixes, github, junit, sarif};
use erp_manifest::digest::sha256_hex;
use erp_manifest::document::codes::TOML_SYNTAX;
use erp_manifest::exit_code::ExitCode;
use erp_package::strict_zip::Limits;
use schemars::JsonSchema;
use serde::Serialize;

use super::CommandResult;
use super::package_file::open_package;
use super::package_findings::check_files;
use crate::command_error::{CommandError, codes};
use crate::context::Context;
use crate::project::Project;
use crate::scenario::read_suite;
use crate::ui::Format;

/// Hold manifest, component and scenarios against the platform's rules
///
/// The component is that of the present sources in dist, the release one where it is there; a stale one is an error. Where
/// nothing was built yet, manifest and scenarios are checked alone. The platform applies the same rules on upload.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// A component as it is, instead of the project's own
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Whose weights count: `project` follows [check] of the manifest, `platform` does as an upload does
    #[arg(long, value_enum, default_value_t)]
    profile: ProfileArg,
    /// The previous version, a package or a project's folder: what does this one ask for beyond it?
    #[arg(long, value_name = "FILE|FOLDER")]
    previous: Option<PathBuf>,
    /// Fix what can be fixed without a doubt, in plugin.toml
    #[arg(long)]
    fix: bool,
}

/// Whose weights count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum ProfileArg {
    /// Those of [check].
    #[default]
    Project,
    /// The platform's own.
    Platform,
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
    /// The component that was checked; none if there is none.
    component: Option<String>,
    /// SHA-256 of the rules; the same in two programs that cannot disagree.
    rule_set: &'static str,
    /// What `--fix` did.
    fixed: Vec<String>,
    /// The findings, in the order of their places.
    findings: Vec<DiagnosticJson>,
}

pub(super) fn run(context: &Context, args: &CheckArgs) -> CommandResult {
    let mut project = context.project()?;
    let mut looked = look(context, args, &project)?;
    let mut fixed = Vec::new();
    if args.fix {
        while let Some((next, found, made)) = apply_unambiguous(context, args, &project, &looked.report)? {
            fixed.extend(made);
            (project, looked) = (next, found);
            if fixed.len() > MAX_FIXES {
                break;
            }
        }
        if !fixed.is_empty() {
            erp_files::write(&project.manifest_file, project.source.text().as_bytes(), FileAccess::Shared)?;
        }
        for what in &fixed {
            context.ui.status("Fixed", what);
        }
    }
    let ProjectFindings { report, component, scenarios } = looked;
    context.ui.report(&report);
    match context.ui.format() {
        Format::Sarif => {
            context.ui.raw_result(&format!("{:#}\n", sarif(&report, RULE_SET, &context.path_from_repository())));
        }
        Format::Github => context.ui.raw_result(&github(&report, &context.path_from_repository())),
        Format::Junit => context.ui.raw_result(&junit(&report)),
        _ => {
            let result = CheckResult {
                ok: !report.has_errors(),
                errors: report.count(Severity::Error),
                warnings: report.count(Severity::Warning),
                component: component.clone(),
                rule_set: RULE_SET,
                fixed,
                findings: report.diagnostics().iter().map(DiagnosticJson::from).collect(),
            };
            context.ui.result(&result, || summary(&report, component.as_deref(), scenarios));
        }
    }
    Ok(if report.has_errors() { ExitCode::Findings } else { ExitCode::Ok })
}

/// After this many fixes, a run applies no more.
const MAX_FIXES: usize = 2_000;

/// Applies all fixes of a report or, if that does not help, the first single one that helps. The result must parse, and
/// have fewer or less severe findings. `None` if no fix helps. Writes no file.
fn apply_unambiguous(
    context: &Context,
    args: &CheckArgs,
    project: &Project,
    report: &Report,
) -> Result<Option<(Project, ProjectFindings, Vec<String>)>, CommandError> {
    let fixes = report.diagnostics().iter().filter(|finding| finding.fix.is_some());
    let mut attempts = vec![report.clone()];
    for finding in fixes {
        let mut one = Report::new();
        one.push(finding.clone());
        attempts.push(one);
    }
    for attempt in attempts {
        let (text, made) = apply_fixes(&project.source, &attempt);
        if made.is_empty() {
            continue;
        }
        let changed = project.with_text(text);
        let looked = look(context, args, &changed)?;
        let is_readable = !looked.report.diagnostics().iter().any(|finding| finding.code == TOML_SYNTAX);
        // A corrected key may reveal further findings, but only less severe ones than were fixed.
        if is_readable && weight(&looked.report) < weight(report) {
            return Ok(Some((changed, looked, made)));
        }
    }
    Ok(None)
}

/// Numbers of errors, warnings and hints. Less is better, and errors count first.
fn weight(report: &Report) -> [usize; 3] {
    [Severity::Error, Severity::Warning, Severity::Hint].map(|severity| report.count(severity))
}

struct ProjectFindings {
    report: Report,
    component: Option<String>,
    scenarios: usize,
}

fn look(context: &Context, args: &CheckArgs, project: &Project) -> Result<ProjectFindings, CommandError> {
    let (manifest, mut report) = project.manifest();
    let mut component = None;
    let mut scenarios = 0;
    if let Some(manifest) = &manifest {
        let found =
            check_manifest(&CheckSubject { manifest, source: &project.source, file: &|path| project.file(path) });
        let found = without_consequential(found, &report, &project.source);
        report.extend(found);
        report.extend(check_files(project, manifest));
        let looked = look_at_component(context, args, project, manifest)?;
        if let Some(ComponentFindings { shown, bytes, report: checked }) = looked {
            if !checked.has_errors() && !report.has_errors() {
                report.extend(context.check_nodes(&bytes, manifest, &project.source)?);
            }
            report.extend(checked);
            component = Some(shown);
        }
        for file in project.scenario_files().map_err(|error| CommandError::new(codes::IO, error.to_string()))? {
            report.extend(read_suite(&context.source(&file)?, manifest).1);
            scenarios += 1;
        }
        if let Some(previous) = &args.previous {
            let previous = previous_manifest(context, previous)?;
            let subject = CheckSubject { manifest, source: &project.source, file: &|path| project.file(path) };
            report.extend(check_evolution(&subject, &previous));
        }
        if args.profile == ProfileArg::Project {
            apply_severities(&mut report, &manifest.check);
        }
    }
    report.sort();
    // A stale component comes last, because other findings may prevent the build that updates it.
    let stale: Vec<_> = report.diagnostics().iter().filter(|found| found.code == STALE_COMPONENT).cloned().collect();
    report.retain(|found| found.code != STALE_COMPONENT);
    for finding in stale {
        report.push(finding);
    }
    Ok(ProjectFindings { report, component, scenarios })
}

/// A component and its findings.
struct ComponentFindings {
    shown: String,
    bytes: Vec<u8>,
    report: Report,
}

/// Checks the named component, else one in `dist` of the present sources, preferably the one that ships. If all are
/// stale, one of them gets a finding. `None` if nothing was built.
fn look_at_component(
    context: &Context,
    args: &CheckArgs,
    project: &Project,
    manifest: &Manifest,
) -> Result<Option<ComponentFindings>, CommandError> {
    let check = |bytes: &[u8]| check_component(bytes, manifest, Some(&project.source));
    if let Some(file) = &args.component {
        let bytes = context.read(file)?;
        let shown = format!("{} (sha256 {})", file.display(), sha256_hex(&bytes));
        return Ok(Some(ComponentFindings { shown, report: check(&bytes).report, bytes }));
    }
    let built = context.built_files(project, manifest);
    // The platform will check the component that ships, so it comes first.
    let Some(chosen) = built.iter().rev().find(|built| built.changes.is_empty()).or(built.last()) else {
        return Ok(None);
    };
    let shown = context.shown(&chosen.file);
    let mut checked = check(&chosen.bytes);
    if chosen.file == project.debug_component_file(manifest) {
        checked = checked.for_development();
    } else {
        context.check_own_folders(&mut checked.report, &chosen.bytes, project);
    }
    let mut report = checked.report;
    if !chosen.changes.is_empty() {
        // The next build may not have the other findings. They stay only if the component does not record its inputs.
        if chosen.inputs.is_some() {
            report = Report::new();
        }
        report.push(chosen.finding(&shown));
    }
    Ok(Some(ComponentFindings { shown, report, bytes: chosen.bytes.clone() }))
}

/// The manifest of a package, or of a project's folder.
fn previous_manifest(context: &Context, path: &Path) -> Result<Manifest, CommandError> {
    let path = context.path(path);
    if path.is_dir() {
        let previous = Project::in_folder(&path, &context.directory)?;
        let (manifest, report) = previous.manifest();
        return manifest.ok_or_else(|| {
            CommandError::new(codes::MANIFEST, "the previous manifest cannot be read").with_report(report)
        });
    }
    Ok(open_package(&context.read(&path)?, &Limits::default())?.manifest)
}

fn summary(report: &Report, component: Option<&str>, scenarios: usize) -> String {
    let scenarios = if scenarios == 1 { "1 scenario file".to_owned() } else { format!("{scenarios} scenario files") };
    let what = match component {
        Some(component) => format!("manifest, {component}, {scenarios}"),
        None => format!("manifest, {scenarios}; no component yet (erp-plugin build)"),
    };
    let fixable = report.diagnostics().iter().filter(|finding| finding.fix.is_some()).count();
    let fix = if fixable > 0 { format!("\n{fixable} can be mended by: erp-plugin check --fix") } else { String::new() };
    let explain = match report.diagnostics().first() {
        Some(first) => format!("\nwhat a code means: erp-plugin explain {}", first.code.name()),
        None => String::new(),
    };
    format!("checked {what}: {}{fix}{explain}", report.summary())
}
