//! `erp-plugin dev`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::key::trust_store;
use super::{CommandResult, HostArgs, limits_of};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::dev_host::{DevHost, Options, Token};
use crate::exit_code::ExitCode;
use crate::platform::Admission;
use crate::registry::NetworkTransport;
use crate::signing::TrustStore;
use crate::ui::Table;

/// Serve the platform's HTTP API on this machine, on SQLite
///
/// Two tenants and four users are there from the start; their tokens are printed. Plugins come in with
/// `erp-plugin publish`. Only this machine can reach it. Ctrl-C stops it; the state stays.
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
    /// A bound of every call, in the place of the manifests', such as `fuel=60_000`; several times for several
    #[arg(long, value_name = "NAME=VALUE")]
    limit: Vec<String>,
    /// A folder whose packages run; what changes there follows. Other bytes need another version
    #[arg(long, value_name = "FOLDER")]
    plugins: Option<PathBuf>,
    /// Do not watch the project; needed until the dev host can watch
    #[arg(long)]
    no_watch: bool,
}

/// A dev host that listens. It is printed before the first request is answered.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DevResult {
    ok: bool,
    /// The address.
    url: String,
    /// Where the state is kept.
    state_dir: String,
    /// The public key of its receipts, for `key trust --registry`.
    registry_key: String,
    /// Who may ask.
    users: Vec<Token>,
}

pub(super) fn run(context: &Context, args: &DevArgs) -> CommandResult {
    if !args.no_watch {
        let error = CommandError::new(ExitCode::Usage, "dev", "the dev host does not watch projects yet");
        return Err(error.hint("erp-plugin dev --no-watch"));
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
    let (tell, told) = std::sync::mpsc::channel::<String>();
    let host = DevHost::start(Options {
        port: args.port,
        place,
        admission,
        trust,
        tell,
        transport: Some(Arc::new(NetworkTransport)),
        limits: limits_of(&args.limit)?,
        plugins: args.plugins.as_deref().map(|folder| context.path(folder)),
        record: args.record.as_deref().map(|file| context.path(file)),
    })?;
    for plugin in host.plugins() {
        context.ui.status("Found", format!("{} {} ({})", plugin.id, plugin.version, plugin.status.word()));
    }
    let result = DevResult {
        ok: true,
        url: format!("http://{}", host.address),
        state_dir: state_dir.display().to_string(),
        registry_key: host.state_folder.registry_public_key().display().to_string(),
        users: host.state_folder.tokens.clone(),
    };
    context.ui.result(&result, || {
        let mut table = Table::new();
        table.row(["address", &result.url]);
        table.row(["state", &result.state_dir]);
        table.row(["receipts", &result.registry_key]);
        for user in &result.users {
            table.row([user.user.as_str(), &user.token]);
        }
        format!("{}\nERP_PLUGIN_TOKEN=<token> erp-plugin publish --to {}", table.render(), result.url)
    });
    let verbose = context.ui.is_verbose();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for line in told {
                if verbose || !line.starts_with(['2', '3']) {
                    context.ui.foreign(&format!("{line}\n"));
                }
            }
        });
        host.serve()
    })?;
    context.ui.status("Stopped", "the state stays");
    Ok(ExitCode::Ok)
}
