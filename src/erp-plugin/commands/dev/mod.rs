//! `erp-plugin dev`.

mod workshop;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use erp_manifest::exit_code::ExitCode;
use erp_package::signing::TrustStore;
use erp_platform::Admission;
use schemars::JsonSchema;
use semver::Version;
use serde::Serialize;

use self::workshop::LocalProjectTools;
use super::key::trust_store;
use super::present_component::{ComponentArgs, Purpose};
use super::{CommandResult, HostArgs, limits_of};
use crate::command_error::{CommandError, codes};
use crate::context::Context;
use crate::dev_host::{DevHost, Options, ProjectPlace, ProjectTools, UserToken};
use crate::network::NetworkTransport;
use crate::project::{Member, Project, members, workspace_root};
use crate::ui::Table;

/// How long to wait for the last lines of the printer thread.
const PRINTER_PAUSE: Duration = Duration::from_millis(200);
/// Maximum number of lines that wait for the terminal. Further lines are counted and dropped.
const MAX_UNPRINTED: usize = 4_096;

/// Serve the plugin on this machine, with a console, and follow every change
///
/// The platform's HTTP API on SQLite: two tenants and four users are there from the start; their tokens are printed, and
/// the address of the console. A change of the manifest is there at once, a change of the source once it is built; what
/// does not hold leaves the last good version serving. Other plugins come in with `erp-plugin publish`. Only this machine
/// can reach it. Ctrl-C stops it; the state stays.
#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    /// The port; 0 for a free one
    #[arg(long, value_name = "PORT", default_value_t = 7171)]
    port: u16,
    #[command(flatten)]
    place: HostArgs,
    /// Take only packages that keys of this trust file have signed
    #[arg(long, value_name = "FILE")]
    trust_file: Option<PathBuf>,
    /// Take signed packages only, and trust a new plugin's keys from then on
    #[arg(long)]
    tofu: bool,
    /// A file that every call of a plugin is added to, for `replay` and `test --from-recording`
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// A bound of every call, instead of the manifests', such as `fuel=60_000`; several times for several
    #[arg(long, value_name = "NAME=VALUE")]
    limit: Vec<String>,
    /// A folder whose packages run; what changes there follows. Other bytes need another version
    #[arg(long, value_name = "FOLDER")]
    plugins: Option<PathBuf>,
    /// Refuse to begin with a component that is not of the present sources, instead of building it
    #[arg(long)]
    no_build: bool,
    /// Follow no project: serve what was published
    #[arg(long)]
    no_watch: bool,
    /// The version that the platform says it is, instead of the manifest's own or this tool's
    #[arg(long, value_name = "VERSION")]
    platform_version: Option<Version>,
    /// Imitate known defects of the platform of today: what a failed call wrote stays, stale changes pass silently,
    /// JSON that cannot be read counts as empty
    #[arg(long)]
    parity: bool,
}

/// A dev host that listens. It is printed before the first request is answered.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DevResult {
    ok: bool,
    /// The address.
    url: String,
    /// The address of the console; what is behind `#` is the first user's token, and is not sent anywhere.
    console: String,
    /// The plugins whose projects are followed.
    follows: Vec<String>,
    /// Where the state is kept.
    state_dir: String,
    /// The public key of its receipts, for `key trust --registry`.
    registry_key: String,
    /// Who may ask.
    users: Vec<UserToken>,
}

pub(super) fn run(context: &Context, args: &DevArgs) -> CommandResult {
    let followed = if args.no_watch { Vec::new() } else { followed(context)? };
    if args.no_build {
        for place in &followed {
            let open = context.of_member(&place.manifest_file).open_project()?;
            context.present_component(
                &open,
                &ComponentArgs { no_build: true, ..ComponentArgs::default() },
                Purpose::Trial,
            )?;
        }
    }
    let place = args.place.place(context)?;
    let state_dir = place.state_folder.clone();
    let trust = match &args.trust_file {
        Some(file) => trust_store(context, Some(file))?.store,
        None => TrustStore::default(),
    };
    let admission = match (args.tofu, &args.trust_file) {
        (true, _) => Admission::FirstUse,
        (false, Some(_)) => Admission::Trusted,
        (false, None) => Admission::Anyone,
    };
    let workshop: Option<Arc<dyn ProjectTools>> = if followed.is_empty() {
        None
    } else {
        Some(Arc::new(workshop(context, followed.clone(), args.platform_version.is_some())?))
    };
    let (terminal_lines, lines) = std::sync::mpsc::sync_channel::<String>(MAX_UNPRINTED);
    let host = DevHost::start(Options {
        port: args.port,
        place,
        admission,
        trust,
        terminal_lines,
        prints_all_requests: context.ui.is_verbose(),
        transport: Some(Arc::new(NetworkTransport)),
        limits: limits_of(&args.limit)?,
        workshop,
        imitates_quirks: args.parity,
        platform_version: args.platform_version.clone().or_else(|| stated_version(&followed)),
        plugins: args.plugins.as_deref().map(|folder| context.path(folder)),
        record: args.record.as_deref().map(|file| context.path(file)),
    })?;
    for plugin in host.plugins() {
        context.ui.status("Found", format!("{} {} ({})", plugin.id, plugin.version, plugin.status.word()));
    }
    let result = {
        let state = host.state_folder();
        let token = state.tokens.first().map_or("", |token| token.token.as_str());
        DevResult {
            ok: true,
            url: format!("http://{}", host.address),
            console: format!("http://{}/#token={token}", host.address),
            follows: followed.into_iter().map(|place| place.name).collect(),
            state_dir: state_dir.display().to_string(),
            registry_key: state.registry_public_key().display().to_string(),
            users: state.tokens.clone(),
        }
    };
    context.ui.result(&result, || {
        let mut table = Table::new();
        table.row(["console", &result.console]);
        table.row(["address", &result.url]);
        table.row(["state", &result.state_dir]);
        table.row(["receipts", &result.registry_key]);
        for user in &result.users {
            table.row([user.user.as_str(), &user.token]);
        }
        let next = match result.follows.as_slice() {
            [] => format!("ERP_PLUGIN_TOKEN=<token> erp-plugin publish --to {}", result.url),
            follows => format!("following {}; Ctrl-C ends it", follows.join(", ")),
        };
        format!("{}\n{next}", table.render())
    });
    // A terminal that takes no text, such as a paused one, must not block the host. The thread is abandoned then.
    let ui = context.ui.clone();
    let (printed, has_printed) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in lines {
            ui.print_foreign(&format!("{line}\n"));
        }
        let _ = printed.send(());
    });
    host.serve()?;
    let (ui, (said, has_said)) = (context.ui.clone(), std::sync::mpsc::channel());
    std::thread::spawn(move || {
        let _ = has_printed.recv_timeout(PRINTER_PAUSE);
        ui.status("Stopped", "the state stays");
        let _ = said.send(());
    });
    let _ = has_said.recv_timeout(PRINTER_PAUSE * 2);
    Ok(ExitCode::Ok)
}

/// The platform version that the projects are developed for: that of the first one that states a version.
fn stated_version(followed: &[ProjectPlace]) -> Option<Version> {
    let manifests =
        followed.iter().filter_map(|place| Project::open(&place.manifest_file, &place.root).ok()?.manifest().0);
    manifests.into_iter().find_map(|manifest| manifest.dev_platform_version())
}

/// The projects that are followed: all of a workspace with `--workspace`, else the current one.
fn followed(context: &Context) -> Result<Vec<ProjectPlace>, CommandError> {
    let failed = |why: String| CommandError::new(codes::WORKSPACE, why);
    if context.workspace {
        let members = members(&workspace_root(&context.directory)).map_err(|error| failed(error.to_string()))?;
        let place = |member: Member| ProjectPlace {
            name: member.id,
            root: member.manifest_file.parent().map_or_else(PathBuf::new, std::path::Path::to_path_buf),
            manifest_file: member.manifest_file,
        };
        return Ok(members.into_iter().map(place).collect());
    }
    let project = context
        .project()
        .map_err(|error| error.hint("erp-plugin dev --no-watch --state-dir FOLDER serves without a project"))?;
    let name = match project.manifest().0 {
        Some(manifest) => manifest.metadata.id.to_string(),
        // The host reports the errors of the manifest, and waits for a fix.
        None => project.root.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
    };
    let root = fs_err::canonicalize(&project.root).unwrap_or(project.root);
    let manifest_file = root.join(project.manifest_file.file_name().unwrap_or_default());
    Ok(vec![ProjectPlace { name, root, manifest_file }])
}

fn workshop(
    context: &Context,
    places: Vec<ProjectPlace>,
    has_version: bool,
) -> Result<LocalProjectTools, CommandError> {
    let program = std::env::current_exe().map_err(|error| CommandError::new(codes::IO, error.to_string()))?;
    Ok(LocalProjectTools::new(places, program, context, has_version))
}
