//! Ed25519 keys in file formats that OpenSSL reads: encrypted PKCS#8 for secret keys, SPKI for
//! public keys.

use std::fmt;

use ed25519_dalek::pkcs8::KeypairBytes;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use erp_manifest::digest::sha256_hex;
use pkcs8::der::pem::PemLabel;
use pkcs8::pkcs5::{EncryptionScheme, pbes2};
use pkcs8::{
    DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, EncryptedPrivateKeyInfoRef, LineEnding,
    SecretDocument,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

/// Maximum work factor N of scrypt. A key file is untrusted input, so its key derivation is limited.
const MAX_SCRYPT_COST: u64 = 1 << 17;
const MAX_PBKDF2_ROUNDS: u32 = 2_000_000;

/// A passphrase. It is wiped when dropped, and `Debug` does not print it.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Creates a passphrase. Trailing line ends are removed.
    pub fn new(text: String) -> Passphrase {
        let text = Zeroizing::new(text);
        Passphrase(Zeroizing::new(text.trim_end_matches(['\n', '\r']).to_owned()))
    }

    /// Returns whether the passphrase has no characters.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The file is not a key of the required kind.
    #[error("this is no {expected}: {reason}")]
    NotAKey {
        /// The required kind of key.
        expected: &'static str,
        /// Why the file is not such a key.
        reason: String,
    },
    /// The key is encrypted, and the caller passed no passphrase.
    #[error("the key is encrypted and needs its passphrase")]
    NeedsPassphrase,
    /// The passphrase does not open the key.
    #[error("the passphrase does not open the key")]
    WrongPassphrase,
    /// Decrypting the key would take too much time or memory.
    #[error("the key file asks for an unreasonable key derivation: {0}")]
    Costly(String),
    /// The operating system returned no random bytes.
    #[error("the operating system gave no random bytes: {0}")]
    NoRandomness(String),
}

/// The id of a key: `sha256:` and the digest of the public key in DER.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

impl KeyId {
    /// Parses an id: `sha256:` and 64 lower-case hexadecimal digits; `None` for other text.
    pub fn parse(text: &str) -> Option<KeyId> {
        let digest = text.strip_prefix("sha256:")?;
        let is_digest =
            digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        is_digest.then(|| KeyId(text.to_owned()))
    }

    /// Returns the id with its prefix `sha256:`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the 64 digits.
    pub fn digest(&self) -> &str {
        self.0.strip_prefix("sha256:").unwrap_or(&self.0)
    }

    /// Returns the first 16 digits, for messages.
    pub fn short(&self) -> &str {
        self.0.get("sha256:".len().."sha256:".len() + 16).unwrap_or(&self.0)
    }
}

impl TryFrom<String> for KeyId {
    type Error = String;

    fn try_from(text: String) -> Result<KeyId, String> {
        KeyId::parse(&text).ok_or_else(|| format!("`{text}` is not sha256: and 64 digits"))
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> String {
        id.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A secret Ed25519 key, which signs.
pub struct SecretKey(SigningKey);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.public().id().short())
    }
}

impl SecretKey {
    /// Generates a new key.
    ///
    /// # Errors
    /// [`KeyError::NoRandomness`].
    pub fn generate() -> Result<SecretKey, KeyError> {
        let mut seed = Zeroizing::new([0_u8; 32]);
        getrandom::fill(&mut seed[..]).map_err(|error| KeyError::NoRandomness(error.to_string()))?;
        Ok(SecretKey(SigningKey::from_bytes(&seed)))
    }

    /// Returns the key as PEM, encrypted with the passphrase (scrypt N=2^14 r=8 p=1, AES-256-CBC), or
    /// unencrypted without a passphrase.
    ///
    /// # Errors
    /// [`KeyError::NoRandomness`].
    pub fn to_pem(&self, passphrase: Option<&Passphrase>) -> Result<Zeroizing<String>, KeyError> {
        // PKCS#8 version 1: older OpenSSL refuses the public key that version 2 adds.
        let bytes = KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        let pem = match passphrase {
            Some(passphrase) => bytes.to_pkcs8_encrypted_pem(passphrase.0.as_bytes(), LineEnding::LF),
            None => bytes.to_pkcs8_pem(LineEnding::LF),
        };
        pem.map_err(|error| KeyError::NoRandomness(error.to_string()))
    }

    /// Reads a key from PEM. Checks the cost of the key derivation before deriving.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_pem(pem: &str, passphrase: Option<&Passphrase>) -> Result<SecretKey, KeyError> {
        let not_a_key = |reason: String| KeyError::NotAKey { expected: "secret Ed25519 key", reason };
        let (label, document) = SecretDocument::from_pem(pem).map_err(|error| not_a_key(error.to_string()))?;
        match label {
            "PRIVATE KEY" => {}
            "PUBLIC KEY" => return Err(not_a_key("it is a public key; signing needs the secret one".to_owned())),
            label if EncryptedPrivateKeyInfoRef::validate_pem_label(label).is_ok() => {
                let info = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
                    .map_err(|error| not_a_key(error.to_string()))?;
                check_cost(&info.encryption_algorithm)?;
                let passphrase = passphrase.ok_or(KeyError::NeedsPassphrase)?;
                let key = info.decrypt(passphrase.0.as_bytes()).map_err(|_| KeyError::WrongPassphrase)?;
                return SigningKey::from_pkcs8_der(key.as_bytes())
                    .map(SecretKey)
                    .map_err(|_| KeyError::WrongPassphrase);
            }
            other => return Err(not_a_key(format!("it holds a `{other}`"))),
        }
        SigningKey::from_pkcs8_der(document.as_bytes()).map(SecretKey).map_err(|error| not_a_key(error.to_string()))
    }

    /// Returns the public key.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

fn check_cost(scheme: &EncryptionScheme) -> Result<(), KeyError> {
    let EncryptionScheme::Pbes2(parameters) = scheme else {
        return Err(KeyError::Costly("an encryption that is not PBES2".to_owned()));
    };
    match &parameters.kdf {
        // A cost of zero would make the derivation panic; zero is not a power of two.
        pbes2::Kdf::Scrypt(scrypt)
            if scrypt.cost_parameter.is_power_of_two()
                && scrypt.cost_parameter <= MAX_SCRYPT_COST
                && scrypt.block_size <= 8
                && scrypt.parallelization <= 4 =>
        {
            Ok(())
        }
        pbes2::Kdf::Scrypt(scrypt) => Err(KeyError::Costly(format!(
            "scrypt with N={} r={} p={}",
            scrypt.cost_parameter, scrypt.block_size, scrypt.parallelization
        ))),
        pbes2::Kdf::Pbkdf2(pbkdf2) if pbkdf2.iteration_count <= MAX_PBKDF2_ROUNDS => Ok(()),
        _ => Err(KeyError::Costly("a derivation that is not scrypt or a reasonable PBKDF2".to_owned())),
    }
}

/// A public Ed25519 key, which verifies signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads a key from PEM (`-----BEGIN PUBLIC KEY-----`).
    ///
    /// # Errors
    /// [`KeyError::NotAKey`], also for weak keys whose signatures anyone could forge.
    pub fn from_pem(pem: &str) -> Result<PublicKey, KeyError> {
        let not_a_key = |reason: String| KeyError::NotAKey { expected: "public Ed25519 key", reason };
        if pem.contains("PRIVATE KEY-----") {
            return Err(not_a_key("it is a secret key; give its public half, and the secret one to nobody".to_owned()));
        }
        VerifyingKey::from_public_key_pem(pem).map_err(|error| not_a_key(error.to_string())).and_then(PublicKey::strong)
    }

    /// Reads a key from `SubjectPublicKeyInfo` in DER: 44 bytes.
    ///
    /// # Errors
    /// [`KeyError::NotAKey`], also for weak keys.
    pub fn from_der(der: &[u8]) -> Result<PublicKey, KeyError> {
        let not_a_key = |reason: String| KeyError::NotAKey { expected: "public Ed25519 key", reason };
        VerifyingKey::from_public_key_der(der).map_err(|error| not_a_key(error.to_string())).and_then(PublicKey::strong)
    }

    fn strong(key: VerifyingKey) -> Result<PublicKey, KeyError> {
        if !key.is_weak() {
            return Ok(PublicKey(key));
        }
        let reason = "it is one of the weak points of the curve".to_owned();
        Err(KeyError::NotAKey { expected: "public Ed25519 key", reason })
    }

    /// Returns `SubjectPublicKeyInfo` in DER: 44 bytes.
    pub fn to_der(&self) -> Vec<u8> {
        // Encoding 32 bytes into a fixed structure cannot fail.
        self.0.to_public_key_der().map(|der| der.as_bytes().to_vec()).unwrap_or_default()
    }

    /// Returns the key as PEM (`-----BEGIN PUBLIC KEY-----`).
    pub fn to_pem(&self) -> String {
        // Encoding 32 bytes into a fixed structure cannot fail.
        self.0.to_public_key_pem(LineEnding::LF).unwrap_or_default()
    }

    /// Returns the key's id.
    pub fn id(&self) -> KeyId {
        KeyId(format!("sha256:{}", sha256_hex(&self.to_der())))
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|signature| self.0.verify_strict(message, &signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_file_and_only_opens_with_its_passphrase() {
        let key = SecretKey::generate().unwrap();
        let passphrase = Passphrase::new("秘密 with a line end\n".to_owned());
        let pem = key.to_pem(Some(&passphrase)).unwrap();
        assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
        let again = SecretKey::from_pem(&pem, Some(&Passphrase::new("秘密 with a line end".to_owned()))).unwrap();
        assert_eq!(again.public().id(), key.public().id());
        assert_eq!(SecretKey::from_pem(&pem, None).unwrap_err(), KeyError::NeedsPassphrase);
        let wrong = SecretKey::from_pem(&pem, Some(&Passphrase::new("secret".to_owned())));
        assert_eq!(wrong.unwrap_err(), KeyError::WrongPassphrase);
        assert_eq!(PublicKey::from_pem(&key.public().to_pem()).unwrap().id(), key.public().id());
    }

    #[test]
    fn other_files_are_named_for_what_they_are() {
        let public = SecretKey::generate().unwrap().public().to_pem();
        assert!(SecretKey::from_pem(&public, None).unwrap_err().to_string().contains("public key"));
        assert!(SecretKey::from_pem("hello", None).is_err());
        assert!(PublicKey::from_pem("hello").is_err());
    }

    /// Project Wycheproof's test vectors: signatures that careless verifiers accept or refuse wrongly.
    #[test]
    fn every_vector_of_wycheproof_is_judged_as_it_should_be() {
        let set = wycheproof::eddsa::TestSet::load(wycheproof::eddsa::TestName::Ed25519).unwrap();
        let mut judged = 0;
        for group in &set.test_groups {
            let key = PublicKey::from_der(&group.der).unwrap();
            for test in &group.tests {
                let must_fail = test.result.must_fail();
                assert_eq!(key.verifies(&test.msg, &test.sig), !must_fail, "{}: {}", test.tc_id, test.comment);
                judged += 1;
            }
        }
        assert!(judged > 100, "{judged} vectors");
    }
}
