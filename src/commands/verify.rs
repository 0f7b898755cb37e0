//! `erp-plugin verify`.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::CommandResult;
use super::key::trust_store;
use super::rebuild::rebuild_like;
use super::sign::package_file;
use crate::archive::{self, Package, Problem};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::document::did_you_mean;
use crate::exit_code::ExitCode;
use crate::manifest::ByteSize;
use crate::signing::{Envelope, SignatureStatus, Trusted};
use crate::strict_zip::{Limit, Limits, Unit};
use crate::ui::{Format, Table};
use crate::verification::{Check, Demand, Outcome, Policy, Verdict, verify};

/// Say whether a package is exactly what its publisher signed, and whether you trust them
///
/// Nothing is believed before it is checked: container, signatures, digests, manifest, component, in this order, and
/// after a stage that fails none is looked at. Works without a network. The dev host holds uploads against the same
/// stages.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The package; dist/<id>-<version>.erpx where it is absent
    package: Option<PathBuf>,
    /// The keys that are trusted, in the place of the project's erp-trust.toml and your own trust file
    #[arg(long, value_name = "FILE")]
    trust_file: Option<PathBuf>,
    /// Refuse a package without a good signature by a trusted key
    #[arg(long)]
    require_signature: bool,
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
    installed: Option<String>,
    /// Build the plugin from this folder with its source, and compare the components
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
    status: Option<Trusted>,
    /// Each signature.
    signatures: Vec<SignatureJson>,
    /// Each stage, in order.
    checks: Vec<CheckJson>,
    /// The same component came of the source; none where nobody asked.
    rebuilt: Option<bool>,
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
    outcome: Outcome,
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
    code: String,
    /// For people.
    message: String,
    /// The limit of the reader that was passed, where it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'static str>,
}

impl From<&Problem> for ProblemJson {
    fn from(problem: &Problem) -> ProblemJson {
        ProblemJson {
            code: problem.code.clone(),
            message: problem.message.clone(),
            limit: problem.limit.map(Limit::name),
        }
    }
}

pub(super) fn run(context: &Context, args: &VerifyArgs) -> CommandResult {
    let file = package_file(context, args.package.as_ref())?;
    let limits = archive_limits(&args.limit)?;
    let bytes = read_bounded(context, &file, &limits)?;
    let trust = trust_store(context, args.trust_file.as_deref())?;
    let receipt = match &args.against_receipt {
        Some(file) => Some(Envelope::parse(&receipt_envelope(&context.read(file)?))?),
        None => None,
    };
    let demand = if args.require_signature { Demand::Signatures } else { Demand::Integrity };
    let policy = Policy {
        demand,
        limits,
        receipt: receipt.as_ref(),
        sha256: args.sha256.as_deref(),
        installed: args.installed.as_deref(),
        ..Policy::new(&trust.store, Timestamp::now())
    };
    let verdict = verify(&bytes, &policy);
    for stale in &trust.stale {
        context.ui.warn(stale);
    }
    let is_fresh = trust.stale.is_empty() || !args.require_fresh;
    let rebuilt = match (&args.rebuild, &verdict.package) {
        (Some(source), Some(package)) => {
            let again = rebuild_like(context, &context.path(source), package.component())?;
            Some(again == package.component())
        }
        _ => None,
    };
    let ok = verdict.is_good() && is_fresh && rebuilt != Some(false);
    let result = result_of(context.shown(&file), ok, &verdict, args.explain, rebuilt);
    context.ui.result(&result, || shown(context, &result));
    if ok {
        return Ok(ExitCode::Ok);
    }
    if context.ui.format() == Format::Human {
        context.ui.report(&verdict.report);
        let mut hints: Vec<String> = verdict.problems().take(1).filter_map(hint_of).collect();
        if rebuilt == Some(false) {
            hints.push("the source builds into another component: see which compiler built the package with `erp-plugin inspect`".to_owned());
        }
        hints.extend((!is_fresh).then(|| "get a newer list of revocations from the registry".to_owned()));
        context.ui.error("the package must not be trusted", &hints);
    }
    Ok(ExitCode::Trust)
}

fn result_of(package: String, ok: bool, verdict: &Verdict, explain: bool, rebuilt: Option<bool>) -> VerifyResult {
    let check = |check: &Check| CheckJson {
        name: check.stage.word(),
        outcome: check.outcome,
        detail: check.detail.clone(),
        problems: check.problems.iter().map(ProblemJson::from).collect(),
        explanation: explain.then(|| check.stage.why()),
    };
    let judged = verdict.judgement.iter().flat_map(|judgement| &judgement.signatures);
    let signature = |(key, status): &(crate::signing::KeyId, SignatureStatus)| SignatureJson {
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
        status: verdict.judgement.as_ref().map(crate::signing::Judgement::trusted),
        signatures: judged.map(signature).collect(),
        checks: verdict.checks.iter().map(check).collect(),
        rebuilt,
    }
}

fn shown(context: &Context, result: &VerifyResult) -> String {
    let mut table = Table::new();
    for check in result.checks.iter().filter(|check| check.outcome != Outcome::Skipped || check.explanation.is_some()) {
        let mark = match check.outcome {
            Outcome::Ok => "ok",
            Outcome::Unproven => "?",
            Outcome::No => "no",
            Outcome::Skipped => "-",
        };
        table.row([mark, check.name, &check.detail]);
        for problem in check.problems.iter().skip(usize::from(check.problems.len() == 1)) {
            table.row(["", problem.code.as_str(), &problem.message]);
        }
    }
    if let Some(rebuilt) = result.rebuilt {
        let (mark, detail) = if rebuilt {
            ("ok", "the source builds into the same bytes")
        } else {
            ("no", "the source builds into other bytes")
        };
        table.row([mark, "rebuilt", detail]);
    }
    let mut text = table.render();
    for check in &result.checks {
        if let Some(explanation) = check.explanation {
            text.push_str(&format!("\n{}\n", context.ui.paragraph(&format!("{}: {explanation}", check.name))));
        }
    }
    text
}

/// The next step after a problem of a package.
fn hint_of(problem: &Problem) -> Option<String> {
    if let Some(limit) = problem.limit {
        return Some(format!("where you trust the file: --limit {}=…", limit.name()));
    }
    let known = crate::verification::CODES.iter().find(|code| code.name == problem.code);
    known.map(|code| format!("{} ({})", code.next, code.name))
}

/// Opens a package; on an error all problems of the stage that failed are told.
pub(super) fn open_package(bytes: &[u8], limits: &Limits) -> Result<Package, CommandError> {
    archive::open(bytes, limits).map_err(|problems| refusal(&problems))
}

pub(super) fn refusal(problems: &[Problem]) -> CommandError {
    let first = problems.first();
    let code = first.map_or("package", |problem| problem.code.as_str());
    let message =
        first.map_or_else(|| "this is no package".to_owned(), |problem| format!("{} ({code})", problem.message));
    let mut error = CommandError::new(ExitCode::Trust, code, message);
    for problem in problems.iter().skip(1) {
        error = error.hint(format!("also: {} ({})", problem.message, problem.code));
    }
    match first.and_then(hint_of) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// Bounds of the reader, as `--limit` gives them.
pub(super) fn archive_limits(given: &[String]) -> Result<Limits, CommandError> {
    let usage = |message: String| CommandError::new(ExitCode::Usage, "limit", message);
    let mut limits = Limits::default();
    for text in given {
        let Some((name, value)) = text.split_once('=') else {
            return Err(usage(format!("`{text}` is no limit: write it like archive_bytes=128MB")));
        };
        let Some(limit) = Limit::ALL.iter().find(|limit| limit.name() == name) else {
            let names = || Limit::ALL.iter().map(|limit| limit.name());
            let hint = did_you_mean(name, names())
                .unwrap_or_else(|| format!("known: {}", names().collect::<Vec<_>>().join(", ")));
            return Err(usage(format!("there is no limit `{name}`")).hint(hint));
        };
        let most = match limit.unit() {
            Unit::Bytes => ByteSize::parse(value).map(|size| size.0),
            Unit::Count | Unit::Ratio => value.replace('_', "").parse().ok(),
        };
        limits.set(*limit, most.ok_or_else(|| usage(format!("`{value}` is no value of {name}")))?);
    }
    Ok(limits)
}

/// A file that may be anybody's: a regular one, read once, and never more of it than the limit allows and a byte.
pub(super) fn read_bounded(
    context: &Context,
    file: &std::path::Path,
    limits: &Limits,
) -> Result<Vec<u8>, CommandError> {
    use std::io::Read;
    let failed = |message: String| CommandError::new(ExitCode::Configuration, "io", message);
    let path = context.path(file);
    let metadata = fs_err::metadata(&path).map_err(|error| failed(error.to_string()))?;
    if !metadata.is_file() {
        return Err(failed(format!("{} is no regular file", context.shown(&path))));
    }
    let opened = fs_err::File::open(&path).map_err(|error| failed(error.to_string()))?;
    let mut bytes = Vec::new();
    let most = limits.get(Limit::ArchiveBytes).saturating_add(1);
    opened.take(most).read_to_end(&mut bytes).map_err(|error| failed(error.to_string()))?;
    Ok(bytes)
}

/// The envelope of a receipt: the file that `publish` keeps, or the answer of a platform around it.
fn receipt_envelope(bytes: &[u8]) -> Vec<u8> {
    let document: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
    match document.as_ref().and_then(|document| document.get("envelope")) {
        Some(envelope) if !envelope.is_null() => envelope.to_string().into_bytes(),
        _ => bytes.to_vec(),
    }
}
