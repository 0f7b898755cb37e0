//! Where a template comes from: the binary, a folder, a repository of git.

use std::path::{Component, Path};
use std::process::Stdio;

use crate::command_error::{CommandError, codes};
use crate::context::Context;
use crate::scaffold::{Template, builtin};
use crate::settings::command;

/// A template, and a text about its origin.
pub(super) struct ResolvedTemplate {
    pub(super) template: Template,
    pub(super) from: String,
}

/// Finds a template by its name, folder or address. `revision` and `inside` are for repositories only.
pub(super) fn find(
    context: &Context,
    name: &str,
    revision: Option<&str>,
    inside: Option<&Path>,
) -> Result<ResolvedTemplate, CommandError> {
    if is_address(name) {
        // The path of a local repository is relative to the working folder.
        let here = context.path(Path::new(name));
        let url = if here.is_dir() { here.display().to_string() } else { name.to_owned() };
        return from_git(context, &url, revision.unwrap_or("HEAD"), inside);
    }
    if let Some(option) = revision.map(|_| "--revision").or_else(|| inside.map(|_| "--template-path")) {
        let message = format!("{option} is for a repository of git, and `{name}` is none");
        return Err(CommandError::new(codes::USAGE, message));
    }
    let templates = builtin();
    if let Some(template) = templates.iter().find(|template| template.name == name) {
        return Ok(ResolvedTemplate { template: template.clone(), from: format!("the template {name}") });
    }
    let folder = context.path(Path::new(name));
    if folder.is_dir() {
        let shown = context.shown(&folder);
        return Ok(ResolvedTemplate {
            template: Template::from_folder(&folder, &shown)?,
            from: format!("the template in {shown}"),
        });
    }
    let known = templates.iter().map(|template| format!("{:<14} {}", template.name, template.about.description));
    let error = CommandError::new(codes::USAGE, format!("there is no template `{name}`"));
    Err(known.fold(error, CommandError::hint))
}

fn is_address(name: &str) -> bool {
    name.contains("://")
        || name.starts_with("git@")
        || Path::new(name).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("git"))
        || name.ends_with("/.git")
}

/// Fetches one commit into a temporary folder. Nothing of the repository is run: hooks, symbolic links, submodules and
/// remote helpers are off.
fn from_git(
    context: &Context,
    url: &str,
    revision: &str,
    inside: Option<&Path>,
) -> Result<ResolvedTemplate, CommandError> {
    let failed = |message: String| CommandError::new(codes::TEMPLATE_UNREACHABLE, message);
    if context.offline && !url.starts_with("file://") && !Path::new(url).is_dir() {
        return Err(failed(format!("{url} is elsewhere, and --offline is set")));
    }
    if url.starts_with('-') || revision.starts_with('-') {
        return Err(CommandError::new(codes::USAGE, "an address or a revision does not begin with `-`"));
    }
    if inside.is_some_and(|inside| !inside.components().all(|part| matches!(part, Component::Normal(_)))) {
        let message = "--template-path is a folder inside the repository";
        return Err(CommandError::new(codes::USAGE, message));
    }
    let folder =
        tempfile::Builder::new().prefix("erp-plugin-template-").tempdir().map_err(|error| failed(error.to_string()))?;
    let git = |arguments: &[&str]| -> Result<String, CommandError> {
        let mut command = command("git");
        // A git hook that runs this program sets variables that name another repository.
        for name in
            ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"]
        {
            command.env_remove(name);
        }
        let output = command
            .current_dir(folder.path())
            .args(["-c", "core.hooksPath=/dev/null", "-c", "core.symlinks=false", "-c", "protocol.ext.allow=never"])
            .args(arguments)
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| failed(format!("git cannot be run: {error}")).hint("erp-plugin doctor"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let error = failed(format!("{url} at {revision} cannot be fetched: {why}"));
        let is_short = (4..40).contains(&revision.len()) && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
        Err(if is_short { error.hint("a commit is fetched by all its 40 digits") } else { error })
    };
    context.ui.status("Fetching", format!("{url} ({revision})"));
    git(&["init", "--quiet"])?;
    git(&["fetch", "--quiet", "--depth", "1", "--no-tags", "--no-recurse-submodules", url, revision])?;
    git(&["checkout", "--quiet", "FETCH_HEAD"])?;
    let commit = git(&["rev-parse", "HEAD"])?;
    let place = inside.map_or_else(|| folder.path().to_path_buf(), |inside| folder.path().join(inside));
    let name = inside.map_or_else(|| url.to_owned(), |inside| format!("{url} {}", inside.display()));
    let template = Template::from_folder(&place, &name)?;
    let short: String = commit.chars().take(12).collect();
    Ok(ResolvedTemplate { template, from: format!("{name} at {short}") })
}
