//! Runs the stages of verification in order.

use erp_component::ComponentInfo;
use erp_manifest::codes::{Code, Severity};
use erp_manifest::containment::contain;
use erp_manifest::diagnostics::Report;
use erp_manifest::digest::sha256_hex;
use erp_manifest::{ByteSize, contract};
use jiff::Timestamp;
use semver::Version;

use super::{Check, Demand, Policy, Stage, StageOutcome, check_package, codes, supply_chain};
use crate::archive;
use crate::archive::{Package, PackageProblem, PackageReader, Statement};
use crate::signing::{Circumstances, Envelope, Judgement, Receipt, RegistryStatus, TrustVerdict};

/// The result of verifying a file.
#[derive(Debug)]
pub struct Verdict {
    /// SHA-256 of the file.
    pub sha256: String,
    /// Every stage, in order.
    pub checks: Vec<Check>,
    /// The status of the signatures; `None` if verification failed before it read them.
    pub judgement: Option<Judgement>,
    /// The package; `None` if a stage before [`Stage::Contents`] failed.
    pub package: Option<Package>,
    /// The findings of the rules.
    pub report: Report,
    /// The imports and exports of the component; `None` if it could not be read.
    pub component: Option<ComponentInfo>,
}

impl Verdict {
    /// Returns whether the package may be used: no stage failed.
    pub fn is_good(&self) -> bool {
        self.checks.iter().all(|check| check.outcome != StageOutcome::No)
    }

    /// Returns the problems of all failed stages.
    pub fn problems(&self) -> impl Iterator<Item = &PackageProblem> {
        self.checks.iter().filter(|check| check.outcome == StageOutcome::No).flat_map(|check| &check.problems)
    }
}

/// Outcome and one-line summary of a stage that succeeded.
type StageReport = (StageOutcome, String);

/// Checks a file against a policy. No input is parsed before its size is bounded, and none is used before it is
/// authenticated.
pub fn verify(bytes: &[u8], policy: &Policy<'_>) -> Verdict {
    let sha256 = sha256_hex(bytes);
    let mut verdict = Verdict {
        sha256,
        checks: Vec::with_capacity(Stage::ALL.len()),
        judgement: None,
        package: None,
        report: Report::new(),
        component: None,
    };
    if let Err(panic) = contain(|| run(bytes, policy, &mut verdict)) {
        let stage = Stage::ALL[verdict.checks.len().min(Stage::ALL.len() - 1)];
        let problems = vec![PackageProblem::new(archive::codes::UNREADABLE, panic.to_string())];
        verdict.checks.push(Check { stage, outcome: StageOutcome::No, detail: panic.to_string(), problems });
    }
    // The verdict lists every stage; those that did not run are skipped.
    for stage in &Stage::ALL[verdict.checks.len()..] {
        let detail = "not looked at: a stage before it failed".to_owned();
        verdict.checks.push(Check { stage: *stage, outcome: StageOutcome::Skipped, detail, problems: Vec::new() });
    }
    verdict
}

/// A stage failed; the verdict has its problems.
struct StageFailed;

impl Verdict {
    fn note(&mut self, stage: Stage, seen: StageReport) {
        self.checks.push(Check { stage, outcome: seen.0, detail: seen.1, problems: Vec::new() });
    }

    fn pass<T>(
        &mut self,
        stage: Stage,
        result: Result<(T, StageReport), Vec<PackageProblem>>,
    ) -> Result<T, StageFailed> {
        match result {
            Ok((value, seen)) => {
                self.note(stage, seen);
                Ok(value)
            }
            Err(problems) => {
                let detail = match problems.as_slice() {
                    [] => "it cannot be read".to_owned(),
                    [only] => only.message.clone(),
                    [first, rest @ ..] => format!("{}, and {} more", first.message, rest.len()),
                };
                self.checks.push(Check { stage, outcome: StageOutcome::No, detail, problems });
                Err(StageFailed)
            }
        }
    }
}

fn run(bytes: &[u8], policy: &Policy<'_>, verdict: &mut Verdict) -> Result<(), StageFailed> {
    let file = check_file(bytes, &verdict.sha256, policy);
    verdict.pass(Stage::File, file)?;
    let receipt = check_receipt(&verdict.sha256, policy);
    let accepted = verdict.pass(Stage::Receipt, receipt)?;

    let sealed = PackageReader::read(bytes, &policy.limits).map(|sealed| {
        let detail = format!("{} entries in the one form that packages have", sealed.headers().len());
        (sealed, (StageOutcome::Ok, detail))
    });
    let sealed = verdict.pass(Stage::Structure, sealed)?;
    let envelope = sealed.envelope().map(|envelope| {
        let detail = format!("{} of signed statement", ByteSize(envelope.payload.len() as u64));
        (envelope, (StageOutcome::Ok, detail))
    });
    let envelope = verdict.pass(Stage::Envelope, envelope)?;

    // The scope of a key depends on the plugin's id, which is in the statement that is not yet authenticated.
    // The id is read here only for the scope, and compared with the manifest's id below.
    let plugin = Statement::of_envelope(&envelope).map(|statement| statement.predicate.id).unwrap_or_default();
    let judged =
        check_signatures(&envelope, &plugin, accepted.as_ref().map(|receipt| receipt.predicate.accepted_at), policy);
    verdict.judgement = Some(judged.0);
    verdict.pass(Stage::Signatures, judged.1)?;
    let statement = sealed.statement(&envelope).map(|statement| {
        let seen = (StageOutcome::Ok, format!("{} files, and no others", statement.subject.len()));
        (statement, seen)
    });
    let statement = verdict.pass(Stage::Statement, statement)?;
    let entries = sealed.entries(&statement).map(|entries| {
        let total = entries.iter().map(|entry| entry.bytes.len() as u64).sum();
        let detail = format!("{} in {} files, each the one that was signed", ByteSize(total), entries.len());
        (entries, (StageOutcome::Ok, detail))
    });
    let entries = verdict.pass(Stage::Digests, entries)?;

    let package = Package::of(envelope, statement, entries).and_then(|package| {
        let metadata = &package.manifest.metadata;
        let detail = format!("{} {}", *metadata.id, *metadata.version);
        require_world(&package)?;
        Ok((package, (StageOutcome::Ok, detail)))
    });
    let package = verdict.pass(Stage::Manifest, package)?;
    let package = &*verdict.package.insert(package);
    let checked = check_package(package);
    let imports = checked.info.as_ref().map_or(0, |info| info.border.imports.len());
    let contents = if checked.report.has_errors() {
        let errors = checked.report.diagnostics().iter().filter(|one| one.severity == Severity::Error);
        Err(errors.map(|one| PackageProblem::new(one.code, one.message.clone())).collect())
    } else {
        let size = ByteSize(package.component().len() as u64);
        Ok(((), (StageOutcome::Ok, format!("{size}, {imports} imports, all of the host API"))))
    };
    let supply_chain = supply_chain::check(package);
    let last = check_policy(package, &verdict.sha256, accepted.as_ref(), policy);
    verdict.report = checked.report;
    verdict.component = checked.info;
    verdict.pass(Stage::Contents, contents)?;
    verdict.pass(Stage::SupplyChain, supply_chain.map(|seen| ((), seen)))?;
    verdict.pass(Stage::Policy, last)
}

/// Checks that the signed world is the one in the manifest, or the default world of its host API.
fn require_world(package: &Package) -> Result<(), Vec<PackageProblem>> {
    let runtime = &package.manifest.runtime;
    let asked = match &runtime.world {
        Some(world) => Some(world.as_str()),
        None => contract::find(&runtime.abi).map(|host_api| host_api.default_world),
    };
    let signed = package.statement.predicate.world.as_str();
    match asked {
        Some(asked) if asked != signed => {
            let message = format!("the statement signs world `{signed}`, the manifest asks for `{asked}`");
            Err(vec![PackageProblem::new(archive::codes::STATEMENT_MISMATCH, message)])
        }
        _ => Ok(()),
    }
}

fn check_file(bytes: &[u8], sha256: &str, policy: &Policy<'_>) -> Result<((), StageReport), Vec<PackageProblem>> {
    match policy.sha256 {
        Some(expected) if !expected.eq_ignore_ascii_case(sha256) => {
            let message = format!("the file has the SHA-256 {sha256}, and {expected} was expected");
            Err(vec![PackageProblem::new(archive::codes::ANOTHER_FILE, message)])
        }
        _ => Ok(((), (StageOutcome::Ok, format!("{}, sha256 {sha256}", ByteSize(bytes.len() as u64))))),
    }
}

/// Checks the receipt, if the policy has one. A receipt of an unknown registry is refused, because it proves nothing.
fn check_receipt(sha256: &str, policy: &Policy<'_>) -> Result<(Option<Receipt>, StageReport), Vec<PackageProblem>> {
    let Some(envelope) = policy.receipt else {
        return Ok((None, (StageOutcome::Skipped, "nobody asked for one".to_owned())));
    };
    let refuse = |code: Code, message: String| Err(vec![PackageProblem::new(code, message)]);
    let receipt = match Receipt::of_envelope(envelope) {
        Ok(receipt) => receipt,
        Err(error) => return refuse(codes::UNREADABLE, error.to_string()),
    };
    match receipt.package_sha256() {
        Some(found) if found == sha256 => {}
        found => {
            let message = format!("the receipt is for another file ({})", found.unwrap_or("none"));
            return refuse(codes::ANOTHER_PACKAGE, message);
        }
    }
    let (registry, at) = (receipt.predicate.registry.clone(), receipt.predicate.accepted_at);
    match policy.trust.registry_of(envelope) {
        RegistryStatus::Good { name, .. } => {
            let detail = format!("{name} took it at {at} (number {})", receipt.predicate.serial);
            Ok((Some(receipt), (StageOutcome::Ok, detail)))
        }
        RegistryStatus::Bad => {
            refuse(codes::BAD_SIGNATURE, format!("the receipt of {registry} is not what the registry signed"))
        }
        RegistryStatus::Unknown => {
            let message = format!("nobody whom you trust as a registry has signed the receipt of `{registry}`");
            refuse(codes::UNTRUSTED, message)
        }
    }
}

fn check_signatures(
    envelope: &Envelope,
    plugin: &str,
    accepted_at: Option<Timestamp>,
    policy: &Policy<'_>,
) -> (Judgement, Result<((), StageReport), Vec<PackageProblem>>) {
    let judgement = policy.trust.judge(envelope, &Circumstances { plugin, now: policy.now, accepted_at });
    let trusted = judgement.trusted();
    let told: Vec<String> = judgement.signatures.iter().map(|(key, status)| status.describe(key)).collect();
    let detail = if told.is_empty() { "nobody has signed it".to_owned() } else { told.join("; ") };
    let result = match (judgement.refusal(), policy.demand) {
        (None, _) => Ok(((), (StageOutcome::Ok, detail))),
        (Some((code, message)), Demand::Signatures) => Err(vec![PackageProblem::new(code, message)]),
        (Some((code, message)), Demand::Integrity) if trusted == TrustVerdict::Bad => {
            Err(vec![PackageProblem::new(code, message)])
        }
        (Some(_), Demand::Integrity) => Ok(((), (StageOutcome::Unproven, detail))),
    };
    (judgement, result)
}

fn check_policy(
    package: &Package,
    sha256: &str,
    receipt: Option<&Receipt>,
    policy: &Policy<'_>,
) -> Result<((), StageReport), Vec<PackageProblem>> {
    let (id, version) = (&*package.manifest.metadata.id, &*package.manifest.metadata.version);
    let mut problems = Vec::new();
    if let Some(reason) = policy.trust.withdrawn(sha256, &package.content_id) {
        problems
            .push(PackageProblem::new(archive::codes::WITHDRAWN, format!("the registry has withdrawn it: {reason}")));
    }
    if let Some(installed) = policy.installed.filter(|installed| is_older(version, installed)) {
        let message = format!("{id} {installed} is there already, and {version} is older");
        problems.push(PackageProblem::new(archive::codes::DOWNGRADE, message));
    }
    problems.extend(receipt.and_then(|receipt| receipt_problem(receipt, package)));
    if problems.is_empty() {
        let detail = match policy.installed {
            Some(installed) => format!("not withdrawn, and not older than {installed}"),
            None => "not withdrawn; nobody named a version that is installed".to_owned(),
        };
        Ok(((), (StageOutcome::Ok, detail)))
    } else {
        Err(problems)
    }
}

/// Returns the problem of a receipt that names another id, version or content; `None` if it is this package's.
pub fn receipt_problem(receipt: &Receipt, package: &Package) -> Option<PackageProblem> {
    let (said, metadata) = (&receipt.predicate, &package.manifest.metadata);
    let is_this = said.id == metadata.id.as_str()
        && said.version == metadata.version.as_str()
        && said.content_id == package.content_id;
    if is_this {
        return None;
    }
    let (id, version) = (&*metadata.id, &*metadata.version);
    let message = format!("the receipt calls it {} {}, the package itself {id} {version}", said.id, said.version);
    Some(PackageProblem::new(codes::ANOTHER_PACKAGE, message))
}

/// Returns whether a version is older than the installed one; `false` if it is not valid semver.
pub fn is_older(version: &str, installed: &Version) -> bool {
    Version::parse(version).is_ok_and(|version| version < *installed)
}
