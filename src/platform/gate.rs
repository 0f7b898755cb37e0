//! Decides which packages the platform accepts, and writes their receipts.

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

/// Which signatures a package needs to be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Admission {
    /// Packages of anyone, signed or not. A bad signature is refused.
    #[default]
    Anyone,
    /// Packages that trusted keys signed.
    Trusted,
    /// Packages that trusted keys signed. The first package of a plugin for which no key is trusted may have any valid
    /// signature; its keys are then trusted for that plugin.
    FirstUse,
}

/// The rules for uploads: signatures, trusted keys, receipts and the platform's version.
#[derive(Debug, Default)]
pub struct Gate {
    /// Which signatures a package needs.
    pub admission: Admission,
    /// The keys, registries and thresholds that the platform trusts.
    pub trust: TrustStore,
    /// The registry's name and key for receipts; `None` for a platform that signs none.
    pub registrar: Option<Registrar>,
    /// The platform version that plugins are checked against; [`PLATFORM_VERSION`] if `None`.
    pub platform_version: Option<Version>,
}

impl Gate {
    /// Creates a gate that accepts packages of anyone, with this platform version if it is `Some`.
    pub fn of_version(platform_version: Option<Version>) -> Gate {
        Gate { platform_version, ..Gate::default() }
    }

    /// Returns the platform version that plugins are checked against.
    pub fn platform_version(&self) -> Version {
        let own = || Version::parse(PLATFORM_VERSION).unwrap_or(Version::new(0, 0, 0));
        self.platform_version.clone().unwrap_or_else(own)
    }
}

/// The registry's name and key.
#[derive(Debug)]
pub struct Registrar {
    /// The registry's name in its receipts and lists.
    pub name: String,
    /// The key that signs receipts and lists of revocations.
    pub key: SecretKey,
}

/// An admitted package, and the keys to pin for its plugin.
#[derive(Debug)]
pub struct AdmittedPackage {
    pub(super) package: Package,
    pub(super) pins: Vec<PublicKey>,
    /// The state of the stored keys when the package was admitted.
    mark: TrustMark,
}

impl AdmittedPackage {
    /// Returns the component of the package.
    pub fn component(&self) -> &[u8] {
        self.package.component()
    }
}

/// Numbers of stored pins, lists of revocations and rotations. None is ever removed, so equal marks mean equal trust.
type TrustMark = [usize; 3];

/// Decides whether a package is accepted, and writes its receipt.
#[derive(Debug)]
pub struct AdmissionCheck<'p> {
    pub(crate) platform: &'p Platform,
}

impl AdmissionCheck<'_> {
    /// Returns whether a package is still admitted: no pin, list of revocations or rotation was stored since.
    pub(super) fn still_admits(&self, admitted: &AdmittedPackage) -> Result<bool, PlatformError> {
        Ok(self.trust_mark()? == admitted.mark)
    }

    fn trust_mark(&self) -> Result<TrustMark, PlatformError> {
        let mut database = self.platform.database.lock();
        let receipts = database.receipts();
        let statements = |kind| Ok::<_, StoreError>(receipts.statements(kind)?.len());
        Ok([receipts.pins()?.len(), statements(StatementKind::Revocations)?, statements(StatementKind::Rotation)?])
    }

    /// Checks an upload as `erp-plugin verify` does. Writes nothing, so that a lane can run it while
    /// others work.
    ///
    /// # Errors
    /// [`PlatformError`] with all problems in its details.
    pub fn admit(&self, bytes: &[u8]) -> Result<AdmittedPackage, PlatformError> {
        let mark = self.trust_mark()?;
        let trust = self.effective_trust()?;
        let claimed = claimed_identity(bytes);
        // An accepted package stays valid even if its key was revoked later.
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

    /// Creates the receipt of a package, the next one of its plugin; `None` without a registrar. The caller stores it.
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

    /// Returns the keys of the trust file and the pinned keys, with all stored revocations and rotations applied.
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
        // Revocations are applied first: a rotation is valid only if it was seen before its key was revoked.
        for (_, text) in database.receipts().statements(StatementKind::Revocations)? {
            let list = Envelope::parse(text.as_bytes()).ok();
            let list = list.and_then(|envelope| RevocationList::open(&envelope, &trust, None).ok());
            // Without its lists the host would accept packages that it has withdrawn.
            let list = list.ok_or_else(|| {
                let message = "a list of revocations in the state was signed by another key than registry.pem";
                PlatformError::new(errors::REGISTRY_BAD_STATE, message)
            })?;
            trust.revoke(&list);
        }
        for (seen_at, text) in database.receipts().statements(StatementKind::Rotation)? {
            let rotation = Envelope::parse(text.as_bytes()).ok().and_then(|envelope| Rotation::open(&envelope).ok());
            // A rotation of a key that is no longer trusted has no effect, so its successors are not trusted either.
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

/// Creates the error for a package that breaks the platform's rules, with all findings as `erp-plugin check` reports
/// them.
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

/// Returns the id and version that an unverified file claims, only for looking up stored data about them.
fn claimed_identity(bytes: &[u8]) -> Option<(String, String)> {
    let predicate = Statement::of_envelope(&envelope_of(bytes)?).ok()?.predicate;
    Some((predicate.id, predicate.version))
}

fn envelope_of(bytes: &[u8]) -> Option<Envelope> {
    erp_package::archive::PackageReader::read(bytes, &Limits::default()).ok()?.envelope().ok()
}

/// Returns the unknown keys in the envelope that made valid signatures.
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
