//! `erp-plugin verify`.

use std::path::PathBuf;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::CommandResult;
use super::key::trust_store;
use super::sign::package_file;
use crate::archive::{self, Limits, Package, Problem};
use crate::check::{CheckedComponent, check_package};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::digest::sha256_hex;
use crate::exit_code::ExitCode;
use crate::manifest::ByteSize;
use crate::signing::{KeyId, SignatureStatus};
use crate::ui::Table;

/// Say whether a package is exactly what its publisher signed, and whether you trust them
///
/// Nothing is believed before it is checked: structure, digests, manifest and component, then what the
/// signatures are worth. Works without a network.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The package; dist/<id>-<version>.erpx where it is absent
    package: Option<PathBuf>,
    /// The keys that are trusted, in the place of your own trust file
    #[arg(long, value_name = "FILE")]
    trust_file: Option<PathBuf>,
    /// Refuse a package without a good signature by a trusted key
    #[arg(long)]
    require_signature: bool,
}

/// What is true of a package.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct VerifyResult {
    ok: bool,
    /// The package.
    package: String,
    /// The plugin's id.
    id: String,
    /// The plugin's version.
    version: String,
    /// SHA-256 of the file.
    sha256: String,
    /// SHA-256 of the signed statement.
    content_id: String,
    /// What the signatures are worth together: `good`, `unsigned`, `untrusted` or `bad`.
    status: &'static str,
    /// Each signature.
    signatures: Vec<SignatureJson>,
    /// Each check, in order.
    checks: Vec<CheckJson>,
}

/// A signature.
#[derive(Debug, Serialize, JsonSchema)]
struct SignatureJson {
    /// `sha256:` and 64 digits.
    key_id: String,
    /// What it is worth.
    #[serde(flatten)]
    #[schemars(with = "serde_json::Value")]
    status: SignatureStatus,
}

/// A check.
#[derive(Debug, Serialize, JsonSchema)]
struct CheckJson {
    /// What was checked.
    name: &'static str,
    /// `ok`, `no`, or `unproven` where nobody who is trusted vouches for it.
    outcome: &'static str,
    /// What was seen.
    detail: String,
}

pub(super) fn run(context: &Context, args: &VerifyArgs) -> CommandResult {
    let file = package_file(context, args.package.as_ref())?;
    let bytes = context.read(&file)?;
    let trust = trust_store(context, args.trust_file.as_deref())?;
    let package = open_package(&bytes)?;
    let id = package.manifest.metadata.id.to_string();
    let judged = trust.judge(&package.envelope, &id);
    let status = overall(&judged);
    let ok = match status {
        "good" => true,
        "bad" => false,
        _ => !args.require_signature,
    };
    let signature = match status {
        "good" => "ok",
        _ if !ok => "no",
        _ => "unproven",
    };
    let contents = contents(&package)?;
    let checks = vec![
        CheckJson {
            name: "structure",
            outcome: "ok",
            detail: format!("{} entries, {}", package.entries.len(), ByteSize(bytes.len() as u64)),
        },
        CheckJson {
            name: "digests",
            outcome: "ok",
            detail: format!("{} files are those of the statement", package.statement.subject.len()),
        },
        CheckJson { name: "signature", outcome: signature, detail: describe(status, &judged) },
        CheckJson { name: "manifest", outcome: "ok", detail: format!("{id} {}", *package.manifest.metadata.version) },
        CheckJson { name: "component", outcome: "ok", detail: contents },
    ];
    let result = VerifyResult {
        ok,
        package: context.shown(&file),
        version: package.manifest.metadata.version.to_string(),
        id,
        sha256: sha256_hex(&bytes),
        content_id: package.content_id.clone(),
        status,
        signatures: judged.into_iter().map(|(key, status)| SignatureJson { key_id: key.to_string(), status }).collect(),
        checks,
    };
    context.ui.result(&result, || {
        let mut table = Table::new();
        for check in &result.checks {
            let mark = if check.outcome == "unproven" { "?" } else { check.outcome };
            table.row([mark, check.name, &check.detail]);
        }
        table.row(["", "sha256", &result.sha256]);
        table.render()
    });
    if ok {
        return Ok(ExitCode::Ok);
    }
    if context.ui.format() == crate::ui::Format::Human {
        context.ui.error("the package must not be trusted", &[]);
    }
    Ok(ExitCode::Trust)
}

/// Opens a package; on an error all problems of the stage that failed are told.
pub(super) fn open_package(bytes: &[u8]) -> Result<Package, CommandError> {
    archive::open(bytes, &Limits::default()).map_err(|problems| refusal(&problems))
}

fn refusal(problems: &[Problem]) -> CommandError {
    let first = problems.first();
    let code = first.map_or("package", |problem| problem.code.as_str());
    let message =
        first.map_or_else(|| "this is no package".to_owned(), |problem| format!("{} ({code})", problem.message));
    let mut error = CommandError::new(ExitCode::Trust, code, message);
    for problem in problems.iter().skip(1) {
        error = error.hint(format!("also: {} ({})", problem.message, problem.code));
    }
    error
}

/// The same rules as `check`, on what is in the package.
fn contents(package: &Package) -> Result<String, CommandError> {
    let CheckedComponent { info, report } = check_package(package);
    if report.has_errors() {
        let message = format!("what is in the package breaks the platform's rules: {}", report.summary());
        return Err(CommandError::new(ExitCode::Trust, "package/contents", message).with_report(report));
    }
    let imports = info.map_or(0, |info| info.border.imports.len());
    Ok(format!("{}, {imports} imports, all of the host API", ByteSize(package.component().len() as u64)))
}

fn overall(judged: &[(KeyId, SignatureStatus)]) -> &'static str {
    let any = |test: fn(&SignatureStatus) -> bool| judged.iter().any(|(_, status)| test(status));
    if any(|status| matches!(status, SignatureStatus::Good { .. })) {
        "good"
    } else if judged.is_empty() {
        "unsigned"
    } else if judged.iter().all(|(_, status)| matches!(status, SignatureStatus::UnknownKey)) {
        "untrusted"
    } else {
        "bad"
    }
}

fn describe(status: &str, judged: &[(KeyId, SignatureStatus)]) -> String {
    if status == "unsigned" {
        return "nobody has signed it".to_owned();
    }
    let told: Vec<String> = judged
        .iter()
        .map(|(key, status)| match status {
            SignatureStatus::Good { publisher } => format!("good, by {publisher} ({}…)", key.short()),
            SignatureStatus::Bad => format!("not good: key {}…", key.short()),
            SignatureStatus::UnknownKey => format!("by a key that you do not trust: {}…", key.short()),
            SignatureStatus::OutOfScope { scopes } => {
                format!("key {}… may only sign {}", key.short(), scopes.join(", "))
            }
            SignatureStatus::Revoked { reason } => format!("key {}… was revoked: {reason}", key.short()),
        })
        .collect();
    told.join("; ")
}
