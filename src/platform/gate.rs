//! Which packages the platform takes, and what it says of those that it took.

use std::str::FromStr;

use erp_check::RULE_SET;
use erp_manifest::Moment;
use erp_manifest::codes::errors;
use erp_manifest::contract::PLATFORM_VERSION;
use erp_manifest::digest::sha256_hex;
use erp_package::archive::{Package, PackageProblem, Statement};
use erp_package::signing::{
    Envelope, KeyId, PublicKey, Receipt, ReceiptPredicate, RevocationList, Rotation, SecretKey, SignatureStatus,
    TrustStore, TrustedKey,
};
use erp_package::strict_zip::Limits;
use erp_package::verification::{Demand, Policy, Verdict, verify};
use erp_package::{archive, signing};
use erp_storage::StoreError;
use erp_store::{PackageRecord, ReceiptRecord, StatementKind};
use jiff::Timestamp;
use semver::Version;
use serde_json::{Value, json};

use super::{Platform, PlatformError};

/// Whose packages are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Admission {
    /// Anyone's, signed or not; a signature that is wrong is refused.
    #[default]
    Anyone,
    /// Those that trusted keys signed.
    Trusted,
    /// Those that trusted keys signed, and of a plugin that no key is trusted for those that anyone signed: its keys
    /// are the plugin's from then on.
    FirstUse,
}

/// What stands between an upload and the platform.
#[derive(Debug, Default)]
pub struct Gate {
    /// Whose packages are taken.
    pub admission: Admission,
    /// Whom the platform trusts.
    pub trust: TrustStore,
    /// Who signs receipts; without one, receipts are not signed.
    pub registrar: Option<Registrar>,
    /// The version that the platform says it is, for plugins that need another one; [`PLATFORM_VERSION`] where it is none.
    pub platform_version: Option<Version>,
}

impl Gate {
    /// A gate of a platform that is of a version, where one is given, and takes packages of anyone.
    pub fn of_version(platform_version: Option<Version>) -> Gate {
        Gate { platform_version, ..Gate::default() }
    }

    /// The version that the platform says it is.
    pub fn platform_version(&self) -> Version {
        let own = || Version::parse(PLATFORM_VERSION).unwrap_or(Version::new(0, 0, 0));
        self.platform_version.clone().unwrap_or_else(own)
    }
}

/// The registry's name and key.
#[derive(Debug)]
pub struct Registrar {
    /// What it calls itself.
    pub name: String,
    /// What it signs with.
    pub key: SecretKey,
}

/// A package that may come in, and the keys that its plugin is pinned to with it.
#[derive(Debug)]
pub struct AdmittedPackage {
    pub(super) package: Package,
    pub(super) pins: Vec<PublicKey>,
    /// What was known of keys then.
    mark: TrustMark,
}

impl AdmittedPackage {
    /// The component of the package.
    pub fn component(&self) -> &[u8] {
        self.package.component()
    }
}

/// How many pins, lists of revocations and rotations there are. None of them is ever taken away.
type TrustMark = [usize; 3];

/// Whether a package may come in, and its receipt.
#[derive(Debug)]
pub struct AdmissionCheck<'p> {
    pub(crate) platform: &'p Platform,
}

impl AdmissionCheck<'_> {
    /// Whether a package that was admitted before still is: nothing was said about keys since.
    pub(super) fn still_admits(&self, admitted: &AdmittedPackage) -> Result<bool, PlatformError> {
        Ok(self.trust_mark()? == admitted.mark)
    }

    fn trust_mark(&self) -> Result<TrustMark, PlatformError> {
        let mut database = self.platform.database.lock();
        let receipts = database.receipts();
        let statements = |kind| Ok::<_, StoreError>(receipts.statements(kind)?.len());
        Ok([receipts.pins()?.len(), statements(StatementKind::Revocations)?, statements(StatementKind::Rotation)?])
    }

    /// Holds an upload against the same checks as `erp-plugin verify`. Nothing is written, so that a lane can do it while
    /// others work.
    ///
    /// # Errors
    /// [`PlatformError`] with all problems in its details.
    pub fn admit(&self, bytes: &[u8]) -> Result<AdmittedPackage, PlatformError> {
        let mark = self.trust_mark()?;
        let trust = self.effective_trust()?;
        let claimed = claimed_identity(bytes);
        // What was taken before stays good, also where its key was revoked since.
        let receipt = match &claimed {
            Some((id, version)) => self.platform.database.lock().receipts().receipt(id, version)?,
            None => None,
        };
        let receipt = receipt.and_then(|receipt| Envelope::parse(receipt.envelope.as_bytes()).ok());
        let receipt = receipt.filter(|receipt| is_about(receipt, &sha256_hex(bytes)));
        let judge = |trust: &TrustStore| {
            let demand =
                if self.platform.gate.admission == Admission::Anyone { Demand::Integrity } else { Demand::Signatures };
            let policy =
                Policy { demand, receipt: receipt.as_ref(), ..Policy::new(trust, timestamp(self.platform.now())) };
            verify(bytes, &policy)
        };
        let verdict = judge(&trust);
        let first_use = self.platform.gate.admission == Admission::FirstUse;
        let is_stranger = verdict.problems().next().is_some_and(|problem| problem.code == signing::codes::UNTRUSTED);
        if let Some((id, _)) = claimed.filter(|_| first_use && is_stranger) {
            let came_before = self.platform.database.lock().receipts().last_receipt(&id)?.is_some()
                || self.platform.plugins.contains_key(id.as_str());
            if came_before || trust.covers(&id) {
                let message = format!(
                    "{id} is another key's, or came without one; its publisher can link two keys: erp-plugin key rotate"
                );
                return Err(refused(&[PackageProblem::new(signing::codes::KEY_CHANGED, message)]));
            }
            let pins = valid_keys(bytes, &verdict);
            let mut trust = trust;
            for key in &pins {
                trust.add(first_seen(key.clone(), &id));
            }
            return admitted(judge(&trust), pins, mark);
        }
        admitted(verdict, Vec::new(), mark)
    }

    /// The receipt of a package that is being taken: the next one of its plugin.
    pub(super) fn write_receipt(
        &self,
        package: &Package,
        record: &PackageRecord,
    ) -> Result<Option<ReceiptRecord>, PlatformError> {
        let Some(registrar) = &self.platform.gate.registrar else { return Ok(None) };
        let metadata = &package.manifest.metadata;
        let before = self.platform.database.lock().receipts().last_receipt(metadata.id.as_str())?;
        let serial = before.as_ref().map_or(0, |before| before.serial) + 1;
        let previous = before.and_then(|before| Envelope::parse(before.envelope.as_bytes()).ok());
        let predicate = ReceiptPredicate {
            registry: registrar.name.clone(),
            serial,
            id: metadata.id.to_string(),
            version: metadata.version.to_string(),
            content_id: record.content_id.clone(),
            accepted_at: Timestamp::from_str(&record.accepted_at).unwrap_or_default(),
            publisher_keyids: record.signed_by.clone(),
            rule_set: RULE_SET.to_owned(),
            previous_receipt_sha256: previous.map(|previous| sha256_hex(&previous.payload)),
        };
        let mut envelope = Receipt::about(&record.sha256, predicate).seal();
        sign(&mut envelope, registrar)?;
        Ok(Some(ReceiptRecord { serial, envelope: envelope.to_json() }))
    }

    /// The keys of the trust file and those that were seen first, after all that was said about them since.
    pub(super) fn effective_trust(&self) -> Result<TrustStore, PlatformError> {
        let mut trust = TrustStore::default();
        if let Some(registrar) = &self.platform.gate.registrar {
            trust.add_registry(&registrar.name, registrar.key.public());
        }
        let mut database = self.platform.database.lock();
        for (plugin, pem) in database.receipts().pins()? {
            if let Ok(key) = PublicKey::from_pem(&pem) {
                trust.add(first_seen(key, &plugin));
            }
        }
        trust.extend(self.platform.gate.trust.clone());
        // What was taken back counts first: a rotation is good where it came before its key was lost.
        for (_, text) in database.receipts().statements(StatementKind::Revocations)? {
            let list = Envelope::parse(text.as_bytes()).ok();
            let list = list.and_then(|envelope| RevocationList::open(&envelope, &trust, None).ok());
            // Without its lists the host would take what it has taken back.
            let list = list.ok_or_else(|| {
                let message = "a list of revocations in the state was signed by another key than registry.pem";
                PlatformError::new(errors::REGISTRY_BAD_STATE, message)
            })?;
            trust.revoke(&list);
        }
        for (seen_at, text) in database.receipts().statements(StatementKind::Rotation)? {
            let rotation = Envelope::parse(text.as_bytes()).ok().and_then(|envelope| Rotation::open(&envelope).ok());
            // A key that is gone from the trust file takes its successors along.
            let _ = rotation.map(|rotation| trust.rotate(&rotation, timestamp(seen_at)));
        }
        Ok(trust)
    }
}

pub(super) fn sign(envelope: &mut Envelope, registrar: &Registrar) -> Result<(), PlatformError> {
    envelope.sign(&registrar.key).map_err(|error| PlatformError::new(errors::REGISTRY_BAD_STATE, error.to_string()))
}

fn admitted(verdict: Verdict, pins: Vec<PublicKey>, mark: TrustMark) -> Result<AdmittedPackage, PlatformError> {
    if !verdict.is_good() {
        let problems: Vec<PackageProblem> = verdict.problems().cloned().collect();
        if verdict.report.has_errors() {
            return Err(unfit(&verdict, &problems));
        }
        return Err(refused(&problems));
    }
    match verdict.package {
        Some(package) => Ok(AdmittedPackage { package, pins, mark }),
        None => Err(refused(&[])),
    }
}

fn refused(problems: &[PackageProblem]) -> PlatformError {
    let first = problems.first();
    let code = first.map_or(archive::codes::UNREADABLE, |first| first.code);
    let message = first.map_or_else(String::new, |first| first.message.clone());
    let all: Vec<Value> =
        problems.iter().map(|problem| json!({ "code": problem.code, "message": problem.message })).collect();
    PlatformError::new(code, message).with_details(json!({ "problems": all }))
}

/// The platform's rules say no: all of it, as `erp-plugin check` would tell it.
fn unfit(verdict: &Verdict, problems: &[PackageProblem]) -> PlatformError {
    use erp_manifest::codes::Severity;
    use erp_manifest::diagnostics::DiagnosticJson;
    let findings = verdict.report.diagnostics().iter().filter(|finding| finding.severity == Severity::Error);
    let errors: Vec<DiagnosticJson> = findings.map(DiagnosticJson::from).collect();
    let mut message = problems.first().map(|first| first.message.clone()).unwrap_or_default();
    let by_other_rules =
        verdict.package.as_ref().is_some_and(|package| package.statement.predicate.rule_set != RULE_SET);
    if by_other_rules {
        message.push_str(
            " (the package was checked by other rules than the platform's: pack it with the platform's version)",
        );
    }
    let details = json!({ "problems": errors, "rule_set": RULE_SET });
    PlatformError::new(errors::PLUGIN_INVALID, message).with_details(details)
}

/// Id and version as a file says that has not been verified: only to look up what is known of them.
fn claimed_identity(bytes: &[u8]) -> Option<(String, String)> {
    let predicate = Statement::of_envelope(&envelope_of(bytes)?).ok()?.predicate;
    Some((predicate.id, predicate.version))
}

fn envelope_of(bytes: &[u8]) -> Option<Envelope> {
    erp_package::archive::Sealed::read(bytes, &Limits::default()).ok()?.envelope().ok()
}

/// The keys that came along and whose signatures are theirs.
fn valid_keys(bytes: &[u8], verdict: &Verdict) -> Vec<PublicKey> {
    let envelope = envelope_of(bytes);
    let signatures = envelope.iter().flat_map(|envelope| &envelope.signatures);
    let is_valid = |id: &KeyId| {
        let judged = verdict.judgement.iter().flat_map(|judgement| &judgement.signatures);
        judged.clone().any(|(key, status)| key == id && *status == SignatureStatus::UnknownKey { is_valid: true })
    };
    signatures.filter(|entry| is_valid(&entry.key_id)).filter_map(|entry| entry.public_key.clone()).collect()
}

fn is_about(receipt: &Envelope, sha256: &str) -> bool {
    Receipt::of_envelope(receipt).is_ok_and(|receipt| receipt.package_sha256() == Some(sha256))
}

fn first_seen(key: PublicKey, plugin: &str) -> TrustedKey {
    TrustedKey {
        key,
        publisher: format!("whoever brought {plugin} first"),
        scopes: vec![plugin.to_owned()],
        not_after: None,
        revoked: None,
    }
}

pub(super) fn timestamp(moment: Moment) -> Timestamp {
    Timestamp::from_str(&moment.to_string()).unwrap_or_default()
}
