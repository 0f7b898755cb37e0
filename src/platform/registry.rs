//! The platform as a registry: its key, its revocations, and rotations of publishers' keys.

use erp_manifest::codes::errors;
use erp_package::signing::{
    Attestation, Envelope, KeyId, RevocationsPredicate, RevokedKey, Rotation, WithdrawnPackage,
};
use erp_storage::StoreError;
use erp_store::StatementKind;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::gate::{Registrar, sign, timestamp};
use super::{Platform, PlatformError};

/// How long a list of revocations is valid.
const REVOCATIONS_LAST: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The platform as a registry: its key, its revocations, and rotations of publishers' keys.
#[derive(Debug)]
pub(crate) struct RegistryStatements<'p> {
    pub(crate) platform: &'p mut Platform,
}

impl RegistryStatements<'_> {
    /// Returns the registry's name, key id and public key.
    pub(super) fn registry_key(&self) -> Result<Value, PlatformError> {
        let registrar = self.registrar()?;
        let key = registrar.key.public();
        Ok(json!({ "name": registrar.name, "keyid": key.id(), "public_key": key.to_pem() }))
    }

    /// Returns the current list of revocations, in its envelope.
    pub(super) fn revocations(&self) -> Result<Value, PlatformError> {
        let lists = self.platform.database.lock().receipts().statements(StatementKind::Revocations)?;
        let (_, latest) =
            lists.last().ok_or_else(|| PlatformError::new(errors::REGISTRY_NONE, "nothing was revoked yet"))?;
        Ok(serde_json::from_str(latest).unwrap_or(Value::Null))
    }

    /// Adds revocations: `{"keys": [{"keyid", "reason"}], "packages": [{"sha256", "reason"}]}`. Returns the new list.
    pub(super) fn revoke(&mut self, more: &Value) -> Result<Value, PlatformError> {
        let now = timestamp(self.platform.now());
        let bad = |why: &str| PlatformError::new(errors::REGISTRY_BAD_REVOCATION, why.to_owned());
        let items = |name: &str| more[name].as_array().cloned().unwrap_or_default();
        let reason =
            |item: &Value| item["reason"].as_str().map(str::to_owned).ok_or_else(|| bad("each needs a `reason`"));
        let before = self.latest_revocations()?;
        let mut predicate = RevocationsPredicate::next(before, &self.registrar()?.name, now, REVOCATIONS_LAST);
        for item in items("keys") {
            let keyid = item["keyid"].as_str().and_then(KeyId::parse);
            let keyid = keyid.ok_or_else(|| bad("`keyid` is sha256: and 64 digits"))?;
            predicate.keys.push(RevokedKey { keyid, at: now, reason: reason(&item)? });
        }
        for item in items("packages") {
            let sha256 = item["sha256"].as_str().filter(|digest| KeyId::parse(&format!("sha256:{digest}")).is_some());
            let sha256 = sha256.ok_or_else(|| bad("`sha256` has 64 digits"))?.to_owned();
            let content_id = self.platform.database.lock().installed().content_id(&sha256)?;
            predicate.packages.push(WithdrawnPackage { sha256, content_id, reason: reason(&item)? });
        }
        if items("keys").is_empty() && items("packages").is_empty() {
            return Err(bad("neither `keys` nor `packages` name anything"));
        }
        let mut envelope = predicate.seal();
        sign(&mut envelope, self.registrar()?)?;
        let (text, now) = (envelope.to_json(), self.platform.now());
        self.platform.unit::<_, StoreError>(|database, _| {
            database.receipts().add_statement(StatementKind::Revocations, now, &text)
        })?;
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Accepts a publisher's statement that a new key replaces their old one.
    pub(super) fn take_rotation(&mut self, body: &[u8]) -> Result<Value, PlatformError> {
        let bad = |why: String| PlatformError::new(errors::REGISTRY_BAD_ROTATION, why);
        let envelope = Envelope::parse(body).map_err(|error| bad(error.to_string()))?;
        let rotation = Rotation::open(&envelope).map_err(|error| bad(error.to_string()))?;
        let now = self.platform.now();
        self.platform
            .admission()
            .effective_trust()?
            .rotate(&rotation, timestamp(now))
            .map_err(|error| bad(error.to_string()))?;
        let text = envelope.to_json();
        self.platform.unit::<_, StoreError>(|database, _| {
            database.receipts().add_statement(StatementKind::Rotation, now, &text)
        })?;
        Ok(json!({ "old": rotation.old.id(), "new": rotation.new.id() }))
    }

    fn registrar(&self) -> Result<&Registrar, PlatformError> {
        let none = || PlatformError::new(errors::REGISTRY_NONE, "this platform signs no receipts");
        self.platform.gate.registrar.as_ref().ok_or_else(none)
    }

    fn latest_revocations(&self) -> Result<Option<RevocationsPredicate>, PlatformError> {
        let lists = self.platform.database.lock().receipts().statements(StatementKind::Revocations)?;
        let latest = lists.last().and_then(|(_, text)| Envelope::parse(text.as_bytes()).ok());
        Ok(latest.and_then(|envelope| Attestation::of_envelope(&envelope).ok()).map(|list| list.predicate))
    }
}
