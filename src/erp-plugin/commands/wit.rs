//! `erp-plugin wit`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use erp_files::FileAccess;
use erp_manifest::contract::{
    self, Change, ChangeClass, HostApi, Mismatch, WitText, best_target, changes, compare, least_version, targets,
};
use erp_manifest::document::did_you_mean;
use erp_manifest::exit_code::ExitCode;
use schemars::JsonSchema;
use serde::Serialize;

use super::CommandResult;
use super::inspect::component_of;
use crate::command_error::{CommandError, codes};
use crate::context::Context;
use crate::ui::Table;

/// The host API versions that this binary knows, and what loads on which
#[derive(Debug, Subcommand)]
pub(crate) enum WitCommand {
    List(WitListArgs),
    Show(ShowArgs),
    Export(ExportArgs),
    Diff(WitDiffArgs),
    Targets(TargetsArgs),
}

/// List the versions with their worlds
#[derive(Debug, Args)]
pub(crate) struct WitListArgs {}

/// Print the WIT of a version
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// `legacy`, `1.0.0` or `erp:plugin@1.0.0`; the newest if it is absent
    #[arg(value_name = "VERSION")]
    of: Option<String>,
}

/// Write the WIT of a version, or of all, into a folder
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The folder; each version gets one of its own there
    folder: PathBuf,
    /// One version only
    #[arg(long, value_name = "VERSION")]
    only: Option<String>,
}

/// Say what changed between two versions or files of WIT, and what that asks of the version number
#[derive(Debug, Args)]
pub(crate) struct WitDiffArgs {
    /// A version, or a .wit file
    old: String,
    /// A version, or a .wit file
    new: String,
    /// A component or package: does it still load? Several times for several
    #[arg(long, value_name = "FILE")]
    component: Vec<PathBuf>,
}

/// Say on which versions and worlds a component loads, and why not on the others
#[derive(Debug, Args)]
pub(crate) struct TargetsArgs {
    /// A component or package; several for a table of them; dist/<id>.wasm if it is absent
    file: Vec<PathBuf>,
}

/// The versions.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct WitListResult {
    ok: bool,
    /// The oldest first.
    versions: Vec<VersionJson>,
}

/// A version.
#[derive(Debug, Serialize, JsonSchema)]
struct VersionJson {
    /// What `[runtime] abi` says.
    abi: &'static str,
    /// Its worlds; the first one is what a manifest means that names none.
    worlds: Vec<&'static str>,
}

/// Files that were written.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct WitExportResult {
    ok: bool,
    /// The files.
    files: Vec<String>,
}

/// What changed.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct WitDiffResult {
    ok: bool,
    /// What the version number must rise by at least; none where nothing changed.
    class: Option<ChangeClass>,
    /// The least version that the new text must have; none where nothing changed or the old one has none.
    least_version: Option<String>,
    /// True where the new text's own version is high enough; none where that cannot be said.
    version_is_enough: Option<bool>,
    /// The changes, the gravest first.
    changes: Vec<Change>,
    /// What that means for components.
    components: Vec<ComponentJson>,
}

/// What a change means for a component.
#[derive(Debug, Serialize, JsonSchema)]
struct ComponentJson {
    /// The file.
    file: String,
    /// The world that it is built for; none where it fits no world of the old text.
    world: Option<String>,
    /// True where it loads with the new text.
    loads: bool,
    /// Why it does not.
    reasons: Vec<String>,
}

/// On what components load.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct WitTargetsResult {
    ok: bool,
    /// A component each.
    components: Vec<TargetsJson>,
}

/// On what a component loads.
#[derive(Debug, Serialize, JsonSchema)]
struct TargetsJson {
    /// The file.
    file: String,
    /// What to write into `[runtime]`; none where it loads on nothing.
    best: Option<BestJson>,
    /// Every world of every version.
    targets: Vec<TargetJson>,
}

/// What to write into `[runtime]`.
#[derive(Debug, Serialize, JsonSchema)]
struct BestJson {
    /// `abi`.
    abi: &'static str,
    /// `world`.
    world: &'static str,
}

/// A world.
#[derive(Debug, Serialize, JsonSchema)]
struct TargetJson {
    /// The version.
    abi: &'static str,
    /// The world.
    world: &'static str,
    /// True where it loads.
    loads: bool,
    /// Why it does not.
    reasons: Vec<String>,
}

pub(super) fn run(context: &Context, command: &WitCommand) -> CommandResult {
    match command {
        WitCommand::List(_) => {
            list(context);
            Ok(ExitCode::Ok)
        }
        WitCommand::Show(args) => show(context, args),
        WitCommand::Export(args) => export(context, args),
        WitCommand::Diff(args) => diff(context, args),
        WitCommand::Targets(args) => loads_on(context, args),
    }
}

fn list(context: &Context) {
    let versions =
        contract::versions().into_iter().map(|api| VersionJson { abi: api.abi, worlds: worlds(api) }).collect();
    let result = WitListResult { ok: true, versions };
    context.ui.result(&result, || {
        let mut table = Table::new();
        for version in &result.versions {
            table.row([version.abi.to_owned(), version.worlds.join(", ")]);
        }
        table.render()
    });
}

/// The worlds, the default one first.
fn worlds(api: &'static HostApi) -> Vec<&'static str> {
    let others = api.worlds.iter().copied().filter(|world| *world != api.default_world);
    std::iter::once(api.default_world).chain(others).collect()
}

fn version(name: &str) -> Result<&'static HostApi, CommandError> {
    let found = contract::versions().into_iter().find(|api| api.abi == name || api.name == name);
    found.ok_or_else(|| {
        let known = contract::versions().map(|api| api.name);
        let error = CommandError::new(codes::USAGE, format!("there is no version `{name}` of the host API"));
        error.hint(did_you_mean(name, known).unwrap_or_default())
    })
}

fn show(context: &Context, args: &ShowArgs) -> CommandResult {
    let api = match &args.of {
        Some(name) => version(name)?,
        None => contract::versions()[contract::versions().len() - 1],
    };
    context.ui.raw_result(api.wit);
    Ok(ExitCode::Ok)
}

fn export(context: &Context, args: &ExportArgs) -> CommandResult {
    let chosen = match &args.only {
        Some(name) => vec![version(name)?],
        None => contract::versions().to_vec(),
    };
    let mut written = Vec::new();
    for api in chosen {
        let file = context.path(&args.folder).join(api.name).join("plugin.wit");
        erp_files::write(&file, api.wit.as_bytes(), FileAccess::Shared)?;
        written.push(context.shown(&file));
    }
    let result = WitExportResult { ok: true, files: written };
    context.ui.result(&result, || result.files.join("\n"));
    Ok(ExitCode::Ok)
}

/// Reads the WIT in a file, or that of a version by its name.
fn wit_text(context: &Context, name: &str) -> Result<WitText, CommandError> {
    let path = context.path(Path::new(name));
    let (shown, text) = if path.is_file() {
        let text = String::from_utf8_lossy(&context.read(&path)?).into_owned();
        (context.shown(&path), text)
    } else {
        if name.contains(['/', '.']) && version(name).is_err() {
            return Err(CommandError::new(codes::IO, format!("there is no file {name}"))
                .hint("name a .wit file, or a version of `erp-plugin wit list`"));
        }
        let api = version(name).map_err(|error| error.hint("or name a .wit file"))?;
        (format!("wit/{}/plugin.wit", api.name), api.wit.to_owned())
    };
    WitText::parse(&shown, &text).map_err(|error| CommandError::new(codes::WIT, error.to_string()))
}

fn diff(context: &Context, args: &WitDiffArgs) -> CommandResult {
    let (old, new) = (wit_text(context, &args.old)?, wit_text(context, &args.new)?);
    let found = changes(&old, &new);
    let components =
        args.component.iter().map(|file| still_loads(context, file, &old, &new)).collect::<Result<Vec<_>, _>>()?;
    let ok = components.iter().all(|component| component.loads);
    let class = found.first().map(|change| change.class);
    let least = class.zip(old.version()).map(|(class, version)| least_version(version, class));
    let result = WitDiffResult {
        ok,
        class,
        version_is_enough: least.as_ref().zip(new.version()).map(|(least, version)| version >= least),
        least_version: least.map(|least| least.to_string()),
        changes: found,
        components,
    };
    context.ui.result(&result, || {
        let mut table = Table::new();
        for change in &result.changes {
            table.row([change.class.to_string(), change.what.clone()]);
        }
        let mut text = match result.class {
            None => "nothing changed".to_owned(),
            Some(class) => {
                let least =
                    result.least_version.as_ref().map_or_else(String::new, |least| format!(": {least} at least"));
                let enough = match result.version_is_enough {
                    Some(true) => ", as it does",
                    Some(false) => ", and does not",
                    None => "",
                };
                format!("{}\nthe version must rise by a {class} number{least}{enough}", table.render())
            }
        };
        for component in &result.components {
            let reasons = component.reasons.join("; ");
            let outcome = if component.loads { "loads with both".to_owned() } else { format!("breaks: {reasons}") };
            text.push_str(&format!("\n{} {outcome}", component.file));
        }
        text
    });
    Ok(if ok { ExitCode::Ok } else { ExitCode::Findings })
}

fn still_loads(context: &Context, file: &Path, old: &WitText, new: &WitText) -> Result<ComponentJson, CommandError> {
    let bytes = component_of(&context.read(file)?)?;
    let border = erp_component::read(&bytes).map_err(|finding| CommandError::from_finding(*finding))?.border;
    let border = contract::without_versions(border);
    let problems = |world: &contract::InterfaceSet| -> Vec<String> {
        compare(&border, world).iter().filter(|found| found.prevents_loading()).map(Mismatch::reason).collect()
    };
    // Of the worlds that the component fits, it was built for the one with the most exports.
    let fitting = old.worlds().iter().filter(|(_, world)| problems(world).is_empty());
    let world = fitting.max_by_key(|(_, world)| world.exports.len()).map(|(name, _)| name.clone());
    let reasons = match &world {
        _ if !new.serves(old) => vec!["it asks for the old version of the package".to_owned()],
        None => vec!["it fits no world of the old text".to_owned()],
        Some(name) => match new.worlds().get(name) {
            Some(world) => problems(world),
            None => vec![format!("the world `{name}` is gone")],
        },
    };
    Ok(ComponentJson { file: context.shown(&context.path(file)), world, loads: reasons.is_empty(), reasons })
}

fn loads_on(context: &Context, args: &TargetsArgs) -> CommandResult {
    let files = if args.file.is_empty() {
        let open = context.open_project()?;
        vec![open.project.built_component_file(&open.manifest)]
    } else {
        args.file.iter().map(|file| context.path(file)).collect()
    };
    let mut components = Vec::new();
    for file in files {
        let bytes = component_of(&context.read(&file)?)?;
        let info = erp_component::read(&bytes).map_err(|finding| CommandError::from_finding(*finding))?;
        let found = targets(&info.border);
        let best = best_target(&found).map(|target| BestJson { abi: target.host_api.abi, world: target.world });
        let targets = found
            .iter()
            .map(|target| TargetJson {
                abi: target.host_api.abi,
                world: target.world,
                loads: target.loads(),
                reasons: target.mismatches.iter().map(Mismatch::reason).collect(),
            })
            .collect();
        components.push(TargetsJson { file: context.shown(&file), best, targets });
    }
    let ok = components.iter().all(|component| component.best.is_some());
    let result = WitTargetsResult { ok, components };
    context.ui.result(&result, || result.components.iter().map(shown).collect::<Vec<_>>().join("\n"));
    Ok(if ok { ExitCode::Ok } else { ExitCode::Findings })
}

fn shown(component: &TargetsJson) -> String {
    let mut table = Table::new();
    for target in &component.targets {
        let mut reasons = target.reasons.iter();
        let first = if target.loads {
            "yes".to_owned()
        } else {
            format!("no: {}", reasons.next().cloned().unwrap_or_default())
        };
        let more = reasons.count();
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        table.row([format!("  {}", target.abi), target.world.to_owned(), format!("{first}{more}")]);
    }
    let best = match &component.best {
        Some(best) => format!("[runtime]  abi = \"{}\"  world = \"{}\"", best.abi, best.world),
        None => "it loads on no version that this binary knows".to_owned(),
    };
    format!("{}\n{}  {best}\n", component.file, table.render())
}
