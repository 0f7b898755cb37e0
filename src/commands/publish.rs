//! `erp-plugin publish`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::CommandResult;
use super::sign::package_file;
use super::verify::open_package;
use crate::command_error::CommandError;
use crate::context::Context;
use crate::digest::sha256_hex;
use crate::exit_code::ExitCode;
use crate::manifest::ByteSize;
use crate::registry::Client;
use crate::settings::Environment;
use crate::strict_zip::Limits;

/// Upload a package to a platform or a dev host
///
/// Running it again is safe: a package that is there already is not sent again. The token comes from
/// `ERP_PLUGIN_TOKEN` or a file.
#[derive(Debug, Args)]
pub(crate) struct PublishArgs {
    /// The package; dist/<id>-<version>.erpx where it is absent
    package: Option<PathBuf>,
    /// The platform's address, such as <https://erp.example.com>
    #[arg(long, value_name = "URL")]
    to: String,
    /// A file with the token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Seconds that one request may take
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u64,
    /// Do everything but send the package
    #[arg(long)]
    dry_run: bool,
}

/// A package that was uploaded.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PublishResult {
    ok: bool,
    /// The plugin's id.
    id: String,
    /// The plugin's version.
    version: String,
    /// SHA-256 of the file.
    sha256: String,
    /// True where the platform had it before.
    already_there: bool,
    /// How often it was sent.
    attempts: u32,
    /// True where nothing was sent because of --dry-run.
    dry_run: bool,
    /// What the platform gave for it.
    #[schemars(with = "serde_json::Value")]
    receipt: Value,
}

pub(super) fn run(context: &Context, args: &PublishArgs) -> CommandResult {
    let file = package_file(context, args.package.as_ref())?;
    let bytes = context.read(&file)?;
    let package = open_package(&bytes, &Limits::default())?;
    let (id, version) = (package.manifest.metadata.id.to_string(), package.manifest.metadata.version.to_string());
    let sha256 = sha256_hex(&bytes);
    if context.offline {
        let error =
            CommandError::new(ExitCode::Network, "offline", "publish needs the network, and --offline forbids it");
        return Err(error.hint("leave --offline away"));
    }
    let client = Client::new(&args.to, token(context, args)?, Duration::from_secs(args.timeout.max(1)))?;
    let mut result = PublishResult {
        ok: true,
        id,
        version,
        sha256,
        already_there: false,
        attempts: 0,
        dry_run: args.dry_run,
        receipt: Value::Null,
    };
    if args.dry_run {
        let known = client.receipt(&result.id, &result.version)?;
        result.already_there = known.is_some();
        result.receipt = known.unwrap_or(Value::Null);
        context.ui.result(&result, || {
            let state = if result.already_there { "is there already" } else { "would be sent" };
            format!("{} {} ({}) {state}", result.id, result.version, ByteSize(bytes.len() as u64))
        });
        return Ok(ExitCode::Ok);
    }
    let progress = context.ui.progress("Uploading", bytes.len() as u64);
    let sent = {
        let progress = progress.clone();
        move |count| progress.add(count)
    };
    let published = client.publish(&result.id, &result.version, &bytes, sent, |why, wait| {
        progress.restart();
        context.ui.warn(format!("{why}; trying again in {:.1} s", wait.as_secs_f64()));
    });
    progress.finish();
    let published = published?;
    result.already_there = published.already_there;
    result.attempts = published.attempts;
    result.receipt = published.receipt;
    context.ui.result(&result, || {
        let state = if result.already_there { "was there already" } else { "published" };
        format!("{} {} {state} at {}", result.id, result.version, args.to)
    });
    Ok(ExitCode::Ok)
}

fn token(context: &Context, args: &PublishArgs) -> Result<Option<Zeroizing<String>>, CommandError> {
    match &args.token_file {
        None => Ok(Environment::token()),
        Some(file) => {
            let text = String::from_utf8(context.read(file)?);
            let text =
                text.map_err(|_| CommandError::new(ExitCode::Configuration, "token", "the token file is not UTF-8"))?;
            Ok(Some(Zeroizing::new(text.trim().to_owned())))
        }
    }
}
