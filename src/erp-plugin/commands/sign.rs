//! `erp-plugin sign`.

use std::path::PathBuf;

use clap::Args;
use erp_files::FileAccess;
use erp_manifest::digest::sha256_hex;
use erp_manifest::exit_code::ExitCode;
use erp_package::archive;
use erp_package::strict_zip::Limits;
use schemars::JsonSchema;
use serde::Serialize;

use super::CommandResult;
use super::key::{PassphraseArgs, unlock};
use super::package_file::{open_package, package_file, read_bounded};
use crate::context::Context;

/// Add a signature to a package
#[derive(Debug, Args)]
pub(crate) struct SignArgs {
    /// The package; dist/<id>-<version>.erpx if it is absent
    package: Option<PathBuf>,
    /// Your key: its name, or the file of a secret key
    #[arg(short, long, value_name = "NAME|FILE", env = "ERP_PLUGIN_SIGN_KEY", hide_env_values = true)]
    key: String,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// A package that was signed.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SignResult {
    ok: bool,
    /// The package.
    package: String,
    /// The key: `sha256:` and 64 digits.
    key_id: String,
    /// SHA-256 of the file as it is now.
    sha256: String,
    /// SHA-256 of the statement that was signed.
    content_id: String,
}

pub(super) fn run(context: &Context, args: &SignArgs) -> CommandResult {
    let file = package_file(context, args.package.as_ref())?;
    let limits = Limits::default();
    let bytes = read_bounded(context, &file, &limits)?;
    let package = open_package(&bytes, &limits)?;
    let key = unlock(context, &args.key, &args.passphrase)?;
    let mut envelope = package.envelope.clone();
    envelope.sign(&key)?;
    let signed = archive::with_envelope(&package, &envelope)?;
    // The signed package must open like the old one, which it replaces.
    open_package(&signed, &limits)?;
    erp_files::write(&file, &signed, FileAccess::Shared)?;
    let (shown, id) = (context.shown(&file), key.public().id());
    let result = SignResult {
        ok: true,
        package: shown.clone(),
        key_id: id.to_string(),
        sha256: sha256_hex(&signed),
        content_id: package.content_id,
    };
    context.ui.result(&result, || format!("{shown} signed with {}…", id.short()));
    Ok(ExitCode::Ok)
}
