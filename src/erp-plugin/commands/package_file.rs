//! How commands find and read packages.

use std::path::{Path, PathBuf};

use erp_manifest::ByteSize;
use erp_manifest::codes::Consequence;
use erp_manifest::document::did_you_mean;
use erp_manifest::exit_code::ExitCode;
use erp_package::archive::{self, Package, PackageProblem};
use erp_package::strict_zip::{ArchiveLimit, ArchiveUnit, Limits};

use crate::command_error::{CommandError, codes};
use crate::context::Context;

/// The file of the named package, or of the project's. Fails if it does not exist.
pub(super) fn package_file(context: &Context, named: Option<&PathBuf>) -> Result<PathBuf, CommandError> {
    let file = match named {
        Some(file) => context.path(file),
        None => {
            let open = context.open_project()?;
            open.project.package_file(&open.manifest)
        }
    };
    if file.exists() {
        return Ok(file);
    }
    let message = format!("there is no package at {}", context.shown(&file));
    Err(CommandError::new(codes::PACKAGE, message).hint("erp-plugin pack"))
}

/// Reads an untrusted file, which must be a regular one. Reads it once, and at most one byte more than the limit
/// allows.
pub(super) fn read_bounded(context: &Context, file: &Path, limits: &Limits) -> Result<Vec<u8>, CommandError> {
    read_at_most(context, file, limits.get(ArchiveLimit::ArchiveBytes))
}

/// Reads like [`read_bounded`], with a limit in bytes.
pub(super) fn read_at_most(context: &Context, file: &Path, most: u64) -> Result<Vec<u8>, CommandError> {
    use std::io::Read;
    let failed = |message: String| CommandError::new(codes::IO, message);
    let path = context.path(file);
    // The kind is checked first, because opening a pipe would wait for a writer.
    let metadata = fs_err::metadata(&path).map_err(|error| failed(error.to_string()))?;
    if !metadata.is_file() {
        return Err(failed(format!("{} is no regular file", context.shown(&path))));
    }
    let opened = fs_err::File::open(&path).map_err(|error| failed(error.to_string()))?;
    let mut bytes = Vec::new();
    opened.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| failed(error.to_string()))?;
    Ok(bytes)
}

/// Reads an untrusted signed statement: a receipt, a rotation, a list of revocations.
pub(super) fn read_statement(context: &Context, file: &Path) -> Result<Vec<u8>, CommandError> {
    read_at_most(context, file, Limits::default().get(ArchiveLimit::JsonBytes))
}

/// Opens a package. An error has all problems of the stage that failed.
pub(super) fn open_package(bytes: &[u8], limits: &Limits) -> Result<Package, CommandError> {
    archive::open(bytes, limits).map_err(|problems| refusal(&problems))
}

/// The error of a refused package: its first problem, the others, and the next step.
pub(super) fn refusal(problems: &[PackageProblem]) -> CommandError {
    let first = problems.first();
    let code = first.map_or(archive::codes::UNREADABLE, |problem| problem.code);
    let message =
        first.map_or_else(|| "this is no package".to_owned(), |problem| format!("{} ({code})", problem.message));
    let mut error = CommandError::new(code, message).exiting_with(ExitCode::Trust);
    for problem in problems.iter().skip(1) {
        error = error.hint(format!("also: {} ({})", problem.message, problem.code));
    }
    match first.and_then(hint_of) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// The hint for a problem of a package.
pub(super) fn hint_of(problem: &PackageProblem) -> Option<String> {
    if let Some(limit) = problem.limit {
        return Some(format!("where you trust the file: --limit {}=…", limit.name()));
    }
    let is_of_packages = matches!(problem.code.consequence(), Consequence::Package(_));
    is_of_packages.then(|| format!("{} ({})", problem.code.fix(), problem.code))
}

/// Parses the limits of the package reader from `--limit`.
pub(super) fn archive_limits(given: &[String]) -> Result<Limits, CommandError> {
    let usage = |message: String| CommandError::new(codes::USAGE, message);
    let mut limits = Limits::default();
    for text in given {
        let Some((name, value)) = text.split_once('=') else {
            return Err(usage(format!("`{text}` is no limit: write it like archive_bytes=128MB")));
        };
        let Some(limit) = ArchiveLimit::ALL.iter().find(|limit| limit.name() == name) else {
            let names = || ArchiveLimit::ALL.iter().map(|limit| limit.name());
            let hint = did_you_mean(name, names())
                .unwrap_or_else(|| format!("known: {}", names().collect::<Vec<_>>().join(", ")));
            return Err(usage(format!("there is no limit `{name}`")).hint(hint));
        };
        let most = match limit.unit() {
            ArchiveUnit::Bytes => ByteSize::parse(value).map(|size| size.0),
            ArchiveUnit::Count | ArchiveUnit::Ratio => value.replace('_', "").parse().ok(),
        };
        limits.set(*limit, most.ok_or_else(|| usage(format!("`{value}` is no value of {name}")))?);
    }
    Ok(limits)
}
