//! `erp-plugin version`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::semver::{BuildMetadata, Prerelease, Version};
use clap::Args;
use erp_files::FileAccess;
use erp_manifest::Language;
use erp_manifest::diagnostics::{SourceFile, Span};
use erp_manifest::document::{self, Node, NodeValue};
use erp_manifest::exit_code::ExitCode;
use schemars::JsonSchema;
use serde::Serialize;

use super::CommandResult;
use super::migrate::{self, BumpReason, PluginVersion};
use crate::build::workspace_of;
use crate::command_error::{CommandError, codes};
use crate::commands::open_project::OpenProject;
use crate::context::Context;
use crate::ui::Table;

/// Show the version of the plugin, or raise it in all files at once
///
/// The version stands in plugin.toml, in Cargo.toml (or package.json, pyproject.toml) and in the lock file. A new one is
/// compared with what `migrate semver` demands: one that is too low for what changed is refused. What it is compared with is
/// the last package in dist, the tag v<version>, or HEAD of git, whatever is found first; or what --since names.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  erp-plugin version
  erp-plugin version minor
  erp-plugin version 1.0.0 --since dist/erp-demo-0.9.0.erpx")]
pub(crate) struct VersionArgs {
    /// The new version: X.Y.Z, or the part to raise: patch, minor, major
    #[arg(value_name = "VERSION|PART")]
    new: Option<String>,
    /// The last version that was published: a package, a folder, or a revision of git
    #[arg(long, value_name = "VERSION")]
    since: Option<String>,
    /// Say what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// The versions that the files name.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct VersionResult {
    /// True where all files name the same version.
    ok: bool,
    /// The version, after the change where one was asked for.
    version: String,
    /// The version before the change; null where none was asked for.
    previous: Option<String>,
    /// The files that name it.
    files: Vec<FileVersion>,
    /// What the new version was compared with; null where nothing was found.
    compared_with: Option<String>,
    /// The least version that what changed demands.
    least: Option<String>,
    /// True where the files were written.
    written: bool,
}

/// What one file says.
#[derive(Debug, Serialize, JsonSchema)]
struct FileVersion {
    /// The file.
    file: String,
    /// The version in it.
    version: String,
}

/// A place in a file that names the version.
struct Place {
    file: PathBuf,
    source: Arc<SourceFile>,
    /// The places of the version string, including its quotes.
    spans: Vec<Span>,
    version: String,
    /// Whether it is the workspace's version, which other packages inherit too.
    is_shared: bool,
}

pub(super) fn run(context: &Context, args: &VersionArgs) -> CommandResult {
    let open = context.open_project()?;
    let current = open.manifest.metadata.version.to_string();
    let places = places(&open)?;
    let Some(wanted) = &args.new else {
        let ok = places.iter().all(|place| place.version == current);
        let wanted = present(&places, &current)?;
        let result = result(context, &places, ok, current, None);
        context.ui.result(&result, || shown(&result, &wanted));
        return Ok(if ok { ExitCode::Ok } else { ExitCode::Findings });
    };
    let before = present(&places, &current)?;
    let new = raised(&before, wanted)?;
    let compared = compared(context, args, &open, &current)?;
    let (least, reasons) = match &compared {
        Some((_, old)) => least(context, old, &open)?,
        None => (None, Vec::new()),
    };
    if let Some(least) = least.as_ref().filter(|least| new < **least) {
        let with = compared.as_ref().map_or("", |(name, _)| name.as_str());
        let message = format!("{new} is too low for what changed since {with}: it must be {least} at least");
        let error = CommandError::new(codes::VERSION_TOO_LOW, message);
        let error = reasons.iter().take(3).fold(error, |error, reason| error.hint(reason.reason.clone()));
        return Err(error.hint(format!("erp-plugin version {least}")));
    }
    let text = new.to_string();
    if !args.dry_run {
        // The manifest comes last: after an interruption, the same command completes the change.
        for place in places.iter().rev() {
            let mut changed = place.source.text().to_owned();
            for span in place.spans.iter().rev() {
                changed.replace_range(span.clone(), &format!("\"{text}\""));
            }
            erp_files::write(&place.file, changed.as_bytes(), FileAccess::Shared)?;
        }
    }
    let places: Vec<Place> = places.into_iter().map(|place| Place { version: text.clone(), ..place }).collect();
    let result = VersionResult {
        compared_with: compared.map(|(name, _)| name),
        least: least.map(|least| least.to_string()),
        written: !args.dry_run,
        ..result(context, &places, true, text, Some(before.to_string()))
    };
    context.ui.result(&result, || shown(&result, &new));
    Ok(ExitCode::Ok)
}

/// The present version: the manifest's, or the workspace's shared one if that is higher, because another plugin raised
/// it.
fn present(places: &[Place], current: &str) -> Result<Version, CommandError> {
    let shared = places.iter().filter(|place| place.is_shared).filter_map(|place| Version::parse(&place.version).ok());
    let own = parsed(current)?;
    Ok(shared.max().map_or(own.clone(), |shared| shared.max(own)))
}

fn result(context: &Context, places: &[Place], ok: bool, version: String, previous: Option<String>) -> VersionResult {
    let file = |place: &Place| FileVersion { file: context.shown(&place.file), version: place.version.clone() };
    let files = places.iter().map(file).collect();
    VersionResult { ok, version, previous, files, compared_with: None, least: None, written: false }
}

fn shown(result: &VersionResult, wanted: &Version) -> String {
    let mut table = Table::new();
    for place in &result.files {
        table.row([place.file.as_str(), place.version.as_str()]);
    }
    let text = match (&result.previous, &result.compared_with) {
        (None, _) if result.ok => return table.render(),
        (None, _) => format!("the files do not agree; all at once: erp-plugin version {wanted}"),
        (Some(previous), None) => format!(
            "{previous} → {}; compared with nothing: there is no package in dist and no revision of git (--since)",
            result.version
        ),
        (Some(previous), Some(with)) => {
            let least = match &result.least {
                Some(least) => format!("it must be {least} at least"),
                None => "anything higher will do".to_owned(),
            };
            format!("{previous} → {}; since {with}, {least}", result.version)
        }
    };
    let next = if result.previous.is_some() && !result.written { "\nnothing was written (--dry-run)" } else { "" };
    format!("{}{text}{next}", table.render())
}

fn parsed(text: &str) -> Result<Version, CommandError> {
    Version::parse(text).map_err(|error| CommandError::new(codes::USAGE, format!("`{text}` is no version: {error}")))
}

/// The new version: `before` with one part raised, or an exact one that is not lower.
fn raised(before: &Version, wanted: &str) -> Result<Version, CommandError> {
    let mut new = Version { pre: Prerelease::EMPTY, build: BuildMetadata::EMPTY, ..before.clone() };
    // A prerelease is lower than its release: `1.2.0-rc.1` becomes `1.2.0`.
    let is_release = before.pre.is_empty();
    match wanted {
        "major" if is_release || new.minor > 0 || new.patch > 0 => new = Version::new(before.major + 1, 0, 0),
        "minor" if is_release || new.patch > 0 => new = Version::new(before.major, before.minor + 1, 0),
        "patch" if is_release => new.patch += 1,
        "major" | "minor" | "patch" => {}
        text => {
            let exact = Version::parse(text).map_err(|error| {
                let message = format!("`{text}` is no version ({error}) and none of patch, minor, major");
                CommandError::new(codes::USAGE, message).hint("erp-plugin version patch")
            })?;
            if exact < *before {
                let message = format!("{exact} is lower than {before}: versions only go up");
                return Err(CommandError::new(codes::USAGE, message));
            }
            new = exact;
        }
    }
    Ok(new)
}

/// The version to compare with, and its name: of --since, of `dist`, or of git. `None` if there is none.
fn compared(
    context: &Context,
    args: &VersionArgs,
    open: &OpenProject,
    current: &str,
) -> Result<Option<(String, PluginVersion)>, CommandError> {
    if let Some(since) = &args.since {
        return Ok(Some((since.clone(), migrate::read_version(context, since)?)));
    }
    if let Some(package) = last_package(open) {
        let name = package.display().to_string();
        return Ok(Some((context.shown(&package), migrate::read_version(context, &name)?)));
    }
    let revisions = [format!("v{current}"), "HEAD".to_owned()];
    let known =
        revisions.into_iter().find_map(|name| Some((name.clone(), migrate::read_version(context, &name).ok()?)));
    Ok(known.filter(|(_, old)| old.manifest.metadata.id == open.manifest.metadata.id))
}

/// The package of the highest version in dist.
fn last_package(open: &OpenProject) -> Option<PathBuf> {
    let prefix = format!("{}-", *open.manifest.metadata.id);
    let version = |file: &Path| {
        let name = file.file_name()?.to_str()?.strip_prefix(&prefix)?.strip_suffix(".erpx")?;
        Version::parse(name).ok()
    };
    let files =
        fs_err::read_dir(open.project.root.join("dist")).into_iter().flatten().flatten().map(|entry| entry.path());
    let found = files.filter_map(|file| Some((version(&file)?, file)));
    found.max_by(|left, right| left.0.cmp(&right.0)).map(|(_, file)| file)
}

/// The least version that the changes since `old` demand, and the reasons; `None` if nothing changed.
fn least(
    context: &Context,
    old: &PluginVersion,
    open: &OpenProject,
) -> Result<(Option<Version>, Vec<BumpReason>), CommandError> {
    let new = PluginVersion::of_open(open);
    let reasons = migrate::reasons(context, old, &new);
    let before = parsed(&old.manifest.metadata.version)?;
    Ok((reasons.first().map(|reason| reason.bump.apply(&before)), reasons))
}

/// Every place that names the version, the manifest's first.
fn places(open: &OpenProject) -> Result<Vec<Place>, CommandError> {
    let (project, manifest) = (&open.project, &open.manifest);
    let own = |span: Span, version: &str| Place {
        file: project.manifest_file.clone(),
        source: Arc::clone(&project.source),
        spans: vec![span],
        version: version.to_owned(),
        is_shared: false,
    };
    let mut places = vec![own(manifest.metadata.version.span(), manifest.metadata.version.as_str())];
    let found = match *manifest.build.language {
        Language::Rust => of_cargo(&project.root)?,
        Language::Python => vec![named(&project.root.join("pyproject.toml"), &[&["project", "version"]])?],
        Language::NoCode => Vec::new(),
        Language::Typescript => vec![
            named(&project.root.join("package.json"), &[&["version"]])?,
            named(&project.root.join("package-lock.json"), &[&["version"], &["packages", "", "version"]])?,
        ],
    };
    places.extend(found.into_iter().flatten());
    Ok(places)
}

/// The places of the version: `Cargo.toml` of the package, or of the workspace that it inherits from, and the lock
/// file.
fn of_cargo(root: &Path) -> Result<Vec<Option<Place>>, CommandError> {
    let file = root.join("Cargo.toml");
    if !file.is_file() {
        return Ok(Vec::new());
    }
    let (own, _) = document::parse(&source(&file)?);
    let package = own.get("package");
    let name = package.and_then(|package| package.get("name")).and_then(Node::as_str).unwrap_or_default().to_owned();
    let workspace = workspace_of(&fs_err::canonicalize(root).unwrap_or_else(|_| root.to_path_buf()));
    let inherits = package.and_then(|package| package.get("version")?.get("workspace")).is_some();
    let place = if inherits {
        let shared = named(&workspace.join("Cargo.toml"), &[&["workspace", "package", "version"]])?;
        shared.map(|place| Place { is_shared: true, ..place })
    } else {
        named(&file, &[&["package", "version"]])?
    };
    let lock = workspace.join("Cargo.lock");
    let mut places = vec![place];
    if lock.is_file() {
        let source = source(&lock)?;
        let (root, _) = document::parse(&source);
        let packages = match root.get("package").map(|packages| &packages.value) {
            Some(NodeValue::Array(packages)) => packages.as_slice(),
            _ => &[],
        };
        // Packages of registries have a source, and are skipped.
        // All packages that inherit the workspace's version get the new one.
        let names = if inherits { heirs(&workspace) } else { vec![name] };
        let is_own = |package: &&Node| {
            let is_named =
                package.get("name").and_then(Node::as_str).is_some_and(|name| names.iter().any(|own| own == name));
            is_named && package.get("source").is_none()
        };
        let versions: Vec<&Node> =
            packages.iter().filter(is_own).filter_map(|package| package.get("version")).collect();
        places.push(versions.first().and_then(|version| {
            let text = version.as_str()?.to_owned();
            let spans = versions.iter().map(|version| version.span.clone()).collect();
            Some(Place { file: lock, source, spans, version: text, is_shared: false })
        }));
    }
    Ok(places)
}

/// The names of the packages that inherit the workspace's version.
fn heirs(workspace: &Path) -> Vec<String> {
    let table = |folder: &Path| Some(document::parse(&source(&folder.join("Cargo.toml")).ok()?).0);
    let root = table(workspace);
    let members = root.as_ref().and_then(|root| root.get("workspace")?.get("members"));
    let patterns: Vec<&str> = match members.map(|members| &members.value) {
        Some(NodeValue::Array(items)) => items.iter().filter_map(Node::as_str).collect(),
        _ => Vec::new(),
    };
    let mut folders = vec![workspace.to_path_buf()];
    for pattern in patterns {
        match pattern.strip_suffix("/*") {
            Some(above) => {
                let inside = fs_err::read_dir(workspace.join(above)).into_iter().flatten().flatten();
                folders.extend(inside.map(|entry| entry.path()));
            }
            None => folders.push(workspace.join(pattern)),
        }
    }
    let name = |folder: PathBuf| {
        let cargo = table(&folder)?;
        let package = cargo.get("package")?;
        package.get("version")?.get("workspace")?;
        package.get("name")?.as_str().map(str::to_owned)
    };
    folders.into_iter().filter_map(name).collect()
}

/// The place of the values at the key paths `ways` in a file. `None` if the file does not exist, or has none of them.
fn named(file: &Path, ways: &[&[&str]]) -> Result<Option<Place>, CommandError> {
    if !file.is_file() {
        return Ok(None);
    }
    let source = source(file)?;
    let (root, _) = document::parse(&source);
    let found: Vec<&Node> =
        ways.iter().filter_map(|way| way.iter().try_fold(&root, |node, key| node.get(key))).collect();
    let Some(version) = found.first().and_then(|node| node.as_str()).map(str::to_owned) else { return Ok(None) };
    let spans = found.iter().map(|node| node.span.clone()).collect();
    Ok(Some(Place { file: file.to_path_buf(), source, spans, version, is_shared: false }))
}

fn source(file: &Path) -> Result<Arc<SourceFile>, CommandError> {
    let text = fs_err::read_to_string(file).map_err(|error| CommandError::new(codes::IO, error.to_string()))?;
    Ok(SourceFile::new(file, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_raised_and_what_is_behind_it_begins_again() {
        let raised = |before: &str, wanted: &str| {
            raised(&Version::parse(before).unwrap(), wanted).map(|new| new.to_string()).map_err(|error| error.message)
        };
        assert_eq!(raised("1.2.3", "patch").unwrap(), "1.2.4");
        assert_eq!(raised("1.2.3", "minor").unwrap(), "1.3.0");
        assert_eq!(raised("1.2.3", "major").unwrap(), "2.0.0");
        assert_eq!(raised("1.2.3-rc.1+x", "patch").unwrap(), "1.2.3");
        assert_eq!(raised("1.3.0-rc.1", "minor").unwrap(), "1.3.0");
        assert_eq!(raised("1.2.3", "1.2.3").unwrap(), "1.2.3");
        assert!(raised("1.2.3", "1.2.2").unwrap_err().contains("only go up"));
        assert!(raised("1.2.3", "next").unwrap_err().contains("none of patch"));
    }
}
