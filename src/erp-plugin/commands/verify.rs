//! `erp-plugin verify`.

use std::path::PathBuf;

use clap::Args;
use erp_manifest::document::parse_strict_json;
use erp_manifest::exit_code::ExitCode;
use erp_package::archive::PackageProblem;
use erp_package::signing::{Envelope, SignatureStatus, TrustVerdict};
use erp_package::strict_zip::ArchiveLimit;
use erp_package::verification::{Check, Demand, Policy, StageOutcome, Verdict, verify};
use schemars::JsonSchema;
use serde::Serialize;

use super::CommandResult;
use super::key::trust_store;
use super::package_file::{archive_limits, hint_of, package_file, read_bounded, read_statement};
use super::rebuild::{FileDifference, compare_with_source};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::ui::{Format, Table};

/// Say whether a package is exactly what its publisher signed, and whether you trust them
///
/// Nothing is believed before it is checked: container, signatures, digests, manifest, component, in this order, and
/// after a stage that fails none is looked at. As soon as you trust any key (--trust-file, or your own trust file), a
/// package needs enough good signatures by trusted keys; --integrity-only does without. Works without a network. The dev
/// host holds uploads against the same stages.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The package; dist/<id>-<version>.erpx if it is absent
    package: Option<PathBuf>,
    /// The keys that are trusted, instead of your own trust file; a project's is erp-trust.toml
    #[arg(long, value_name = "FILE", env = "ERP_PLUGIN_VERIFY_TRUST_FILE", hide_env_values = true)]
    trust_file: Option<PathBuf>,
    /// Refuse a package without a good signature by a trusted key, even if you trust no key yet
    #[arg(long)]
    require_signature: bool,
    /// Ask only whether the package is whole and fits the platform; a signature that is there must not be wrong
    #[arg(long, conflicts_with = "require_signature")]
    integrity_only: bool,
    /// Fail where a registry's list of revocations is older than it should be
    #[arg(long)]
    require_fresh: bool,
    /// The registry's receipt of the package: a key that was revoked after it still counts
    #[arg(long, value_name = "FILE")]
    against_receipt: Option<PathBuf>,
    /// What the file's SHA-256 must be
    #[arg(long, value_name = "DIGITS")]
    sha256: Option<String>,
    /// The version that is installed: refuse an older one
    #[arg(long, value_name = "VERSION")]
    installed: Option<semver::Version>,
    /// Build the plugin from this folder with its source, and compare all that is packed. This runs the source's build
    /// scripts: look at them first, where it is a stranger's
    #[arg(long, value_name = "FOLDER")]
    rebuild: Option<PathBuf>,
    /// A bound of the reader, such as `archive_bytes=128MB`; several times for several
    #[arg(long, value_name = "NAME=VALUE")]
    limit: Vec<String>,
    /// Say of each stage what it looks at and why
    #[arg(long)]
    explain: bool,
}

/// What is true of a package.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct VerifyResult {
    ok: bool,
    /// The package.
    package: String,
    /// The plugin's id; none where nothing vouches for it.
    id: Option<String>,
    /// The plugin's version.
    version: Option<String>,
    /// SHA-256 of the file.
    sha256: String,
    /// SHA-256 of the signed statement.
    content_id: Option<String>,
    /// What the signatures are worth together; none where they could not be read.
    status: Option<TrustVerdict>,
    /// Each signature.
    signatures: Vec<SignatureJson>,
    /// Each stage, in order.
    checks: Vec<CheckJson>,
    /// The same files came of the source; none if it was not requested, or the package was refused before.
    rebuilt: Option<bool>,
    /// Files of the package that came otherwise of the source.
    differences: Vec<FileDifference>,
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

/// A stage.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CheckJson {
    /// What was checked.
    name: &'static str,
    /// What came of it.
    outcome: StageOutcome,
    /// What was seen.
    detail: String,
    /// What is wrong.
    problems: Vec<ProblemJson>,
    /// What the stage looks at, and why; with --explain.
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<&'static str>,
}

/// What is wrong with a package.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ProblemJson {
    /// Stable; `erp-plugin explain CODE` says more.
    code: &'static str,
    /// For people.
    message: String,
    /// The limit of the reader that was passed, where it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'static str>,
}

impl From<&PackageProblem> for ProblemJson {
    fn from(problem: &PackageProblem) -> ProblemJson {
        ProblemJson {
            code: problem.code.name(),
            message: problem.message.clone(),
            limit: problem.limit.map(ArchiveLimit::name),
        }
    }
}

pub(super) fn run(context: &Context, args: &VerifyArgs) -> CommandResult {
    let file = package_file(context, args.package.as_ref())?;
    let limits = archive_limits(&args.limit)?;
    let bytes = read_bounded(context, &file, &limits)?;
    context.warn_of_fixed_time();
    let trust = trust_store(context, args.trust_file.as_deref())?;
    let receipt = match &args.against_receipt {
        Some(file) => Some(receipt_envelope(&read_statement(context, file)?)?),
        None => None,
    };
    let has_trust = args.trust_file.is_some() || !trust.store.is_empty() || trust.unused.is_some();
    let demand = match (args.require_signature || has_trust, args.integrity_only) {
        (true, false) => Demand::Signatures,
        _ => Demand::Integrity,
    };
    let policy = Policy {
        demand,
        limits,
        receipt: receipt.as_ref(),
        sha256: args.sha256.as_deref(),
        installed: args.installed.as_ref(),
        ..Policy::new(&trust.store, context.now()?)
    };
    let verdict = verify(&bytes, &policy);
    for warning in trust.stale.iter().chain(&trust.unused) {
        context.ui.warn(warning);
    }
    let is_fresh = !args.require_fresh || (trust.stale.is_empty() && trust.without_list.is_empty());
    // This runs the source's build scripts, so it is skipped for a package that is refused anyway.
    let rebuilt = match (&args.rebuild, &verdict.package) {
        (Some(source), Some(package)) if verdict.is_good() => {
            Some(compare_with_source(context, &context.path(source), package)?)
        }
        _ => None,
    };
    let ok = verdict.is_good() && is_fresh && rebuilt.as_ref().is_none_or(Vec::is_empty);
    let result = result_of(context.shown(&file), ok, &verdict, args.explain, rebuilt.as_deref());
    context.ui.result(&result, || shown(context, &result));
    if ok {
        return Ok(ExitCode::Ok);
    }
    if context.ui.format() == Format::Human {
        context.ui.report(&verdict.report);
        let mut hints: Vec<String> = verdict.problems().take(1).filter_map(hint_of).collect();
        if rebuilt.as_ref().is_some_and(|differences| !differences.is_empty()) {
            hints.push("which compiler and revision built the package says: erp-plugin inspect".to_owned());
        }
        if !is_fresh {
            hints.extend(
                trust.without_list.iter().map(|registry| format!("there is no list of revocations of {registry}")),
            );
            hints.push("get a new list from the registry: erp-plugin key import FILE".to_owned());
        }
        context.ui.error("the package must not be trusted", &hints);
    }
    Ok(ExitCode::Trust)
}

fn result_of(
    package: String,
    ok: bool,
    verdict: &Verdict,
    explain: bool,
    rebuilt: Option<&[FileDifference]>,
) -> VerifyResult {
    let check = |check: &Check| CheckJson {
        name: check.stage.word(),
        outcome: check.outcome,
        detail: check.detail.clone(),
        problems: check.problems.iter().map(ProblemJson::from).collect(),
        explanation: explain.then(|| check.stage.why()),
    };
    let judged = verdict.judgement.iter().flat_map(|judgement| &judgement.signatures);
    let signature = |(key, status): &(erp_package::signing::KeyId, SignatureStatus)| SignatureJson {
        key_id: key.to_string(),
        status: status.clone(),
    };
    let opened = verdict.package.as_ref();
    VerifyResult {
        ok,
        package,
        id: opened.map(|package| package.manifest.metadata.id.to_string()),
        version: opened.map(|package| package.manifest.metadata.version.to_string()),
        sha256: verdict.sha256.clone(),
        content_id: opened.map(|package| package.content_id.clone()),
        status: verdict.judgement.as_ref().map(erp_package::signing::Judgement::trusted),
        signatures: judged.map(signature).collect(),
        checks: verdict.checks.iter().map(check).collect(),
        rebuilt: rebuilt.map(<[FileDifference]>::is_empty),
        differences: rebuilt.unwrap_or_default().to_vec(),
    }
}

fn shown(context: &Context, result: &VerifyResult) -> String {
    let mut table = Table::new();
    for check in
        result.checks.iter().filter(|check| check.outcome != StageOutcome::Skipped || check.explanation.is_some())
    {
        let mark = match check.outcome {
            StageOutcome::Ok => "ok",
            StageOutcome::Unproven => "?",
            StageOutcome::No => "no",
            StageOutcome::Skipped => "-",
        };
        table.row([mark, check.name, &check.detail]);
        for problem in check.problems.iter().skip(usize::from(check.problems.len() == 1)) {
            table.row(["", problem.code, &problem.message]);
        }
    }
    match result.rebuilt {
        Some(true) => table.row(["ok", "rebuilt", "the source makes the same files"]),
        Some(false) => {
            let names: Vec<&str> = result.differences.iter().map(|difference| difference.name.as_str()).collect();
            table.row(["no", "rebuilt", &format!("the source makes other files: {}", names.join(", "))]);
        }
        None => {}
    }
    let mut text = table.render();
    for check in &result.checks {
        if let Some(explanation) = check.explanation {
            text.push_str(&format!("\n{}\n", context.ui.paragraph(&format!("{}: {explanation}", check.name))));
        }
    }
    text
}

/// The envelope of a receipt: the file that `publish` writes, or a response of a platform that contains it.
fn receipt_envelope(bytes: &[u8]) -> Result<Envelope, CommandError> {
    let around = parse_strict_json(bytes).ok().and_then(|document| document.get("envelope").cloned());
    match around.filter(|envelope| !envelope.is_null()) {
        Some(envelope) => Ok(Envelope::parse(envelope.to_string().as_bytes())?),
        None => Ok(Envelope::parse(bytes)?),
    }
}
