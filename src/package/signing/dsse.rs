//! The DSSE v1 envelope: a payload with signatures over it and its type.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use erp_manifest::codes::Code;
use serde_json::{Value, json};
use thiserror::Error;

use super::{KeyId, PublicKey, SecretKey, codes};

/// Maximum number of signatures of an envelope.
const MAX_SIGNATURES: usize = 8;

/// A payload and the signatures over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The media type of the payload.
    pub payload_type: String,
    /// The signed bytes.
    pub payload: Vec<u8>,
    /// The signatures.
    pub signatures: Vec<SignatureEntry>,
}

/// A signature, and the key that it claims to be made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureEntry {
    /// The key id in the envelope, a claim until the key with that id verifies the signature.
    pub key_id: KeyId,
    /// The key, if the envelope includes it. It shows an intact signature even if the verifier does not trust the key.
    pub public_key: Option<PublicKey>,
    /// The signature; a valid one has 64 bytes.
    pub signature: Vec<u8>,
}

/// Why an envelope cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// It is not strict JSON, or a field is missing or wrong.
    #[error("the signature envelope cannot be read: {0}")]
    Unreadable(String),
    /// It has more than 8 signatures.
    #[error("the envelope has {0} signatures; at most {MAX_SIGNATURES}")]
    TooManySignatures(usize),
}

impl EnvelopeError {
    /// Returns the stable code.
    pub fn code(&self) -> Code {
        match self {
            EnvelopeError::Unreadable(_) => codes::ENVELOPE,
            EnvelopeError::TooManySignatures(_) => codes::TOO_MANY,
        }
    }
}

impl Envelope {
    /// Creates an envelope without signatures.
    pub fn unsigned(payload_type: &str, payload: Vec<u8>) -> Envelope {
        Envelope { payload_type: payload_type.to_owned(), payload, signatures: Vec::new() }
    }

    /// Adds a signature, or replaces the one of the same key.
    ///
    /// # Errors
    /// [`EnvelopeError::TooManySignatures`]; the envelope is then unchanged.
    pub fn sign(&mut self, key: &SecretKey) -> Result<(), EnvelopeError> {
        let public_key = key.public();
        let key_id = public_key.id();
        let signature = key.sign(&self.signed_bytes()).to_vec();
        let others = self.signatures.iter().filter(|entry| entry.key_id != key_id).count();
        if others >= MAX_SIGNATURES {
            return Err(EnvelopeError::TooManySignatures(others + 1));
        }
        self.signatures.retain(|entry| entry.key_id != key_id);
        self.signatures.push(SignatureEntry { key_id, public_key: Some(public_key), signature });
        self.signatures.sort_by(|left, right| left.key_id.cmp(&right.key_id));
        Ok(())
    }

    /// Returns whether the key signed this envelope.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        let (id, message) = (key.id(), self.signed_bytes());
        self.signatures.iter().any(|entry| entry.key_id == id && key.verifies(&message, &entry.signature))
    }

    /// Returns the bytes that a signature covers: DSSE's pre-authentication encoding.
    pub(super) fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes =
            format!("DSSEv1 {} {} {} ", self.payload_type.len(), self.payload_type, self.payload.len()).into_bytes();
        bytes.extend(&self.payload);
        bytes
    }

    /// Returns the envelope as JSON.
    pub fn to_json(&self) -> String {
        let signatures: Vec<Value> = self
            .signatures
            .iter()
            .map(|entry| {
                let mut signature = json!({ "keyid": entry.key_id, "sig": STANDARD.encode(&entry.signature) });
                if let Some(key) = &entry.public_key {
                    signature["publicKey"] = STANDARD.encode(key.to_der()).into();
                }
                signature
            })
            .collect();
        json!({ "payload": STANDARD.encode(&self.payload), "payloadType": self.payload_type, "signatures": signatures })
            .to_string()
    }

    /// Reads an envelope. Ignores fields that DSSE does not define, as DSSE requires.
    ///
    /// # Errors
    /// [`EnvelopeError`].
    pub fn parse(bytes: &[u8]) -> Result<Envelope, EnvelopeError> {
        let unreadable = |why: &str| EnvelopeError::Unreadable(why.to_owned());
        let document = erp_manifest::document::parse_strict_json(bytes).map_err(EnvelopeError::Unreadable)?;
        let text = |value: &Value, what: &str| value.as_str().map(str::to_owned).ok_or_else(|| unreadable(what));
        let payload_type = text(&document["payloadType"], "`payloadType` is missing")?;
        let payload = decode(&text(&document["payload"], "`payload` is missing")?)
            .ok_or_else(|| unreadable("`payload` is not base64"))?;
        let entries = document["signatures"].as_array().ok_or_else(|| unreadable("`signatures` is missing"))?;
        if entries.len() > MAX_SIGNATURES {
            return Err(EnvelopeError::TooManySignatures(entries.len()));
        }
        let mut signatures = Vec::with_capacity(entries.len());
        for entry in entries {
            let key_id = KeyId::parse(&text(&entry["keyid"], "`keyid` is missing")?)
                .ok_or_else(|| unreadable("`keyid` is not sha256: and 64 digits"))?;
            let signature =
                decode(&text(&entry["sig"], "`sig` is missing")?).ok_or_else(|| unreadable("`sig` is not base64"))?;
            let public_key = match entry.get("publicKey") {
                None => None,
                Some(key) => {
                    let key = key.as_str().and_then(decode).and_then(|der| PublicKey::from_der(&der).ok());
                    // The id is the key's digest, so another key under this id is forged.
                    let key = key.filter(|key| key.id() == key_id);
                    Some(key.ok_or_else(|| unreadable("`publicKey` is not the key that `keyid` names"))?)
                }
            };
            if signatures.iter().any(|known: &SignatureEntry| known.key_id == key_id) {
                return Err(unreadable("a key has signed twice"));
            }
            signatures.push(SignatureEntry { key_id, public_key, signature });
        }
        Ok(Envelope { payload_type, payload, signatures })
    }
}

/// Decodes base64. DSSE requires readers to accept both alphabets; padding and trailing bits are checked.
fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pre_authentication_encoding_is_that_of_the_protocol() {
        let envelope = Envelope::unsigned("http://example.com/HelloWorld", b"hello world".to_vec());
        assert_eq!(envelope.signed_bytes(), b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn an_envelope_survives_its_text() {
        let mut envelope = Envelope::unsigned("text/plain", b"payload".to_vec());
        envelope.sign(&SecretKey::generate().unwrap()).unwrap();
        assert_eq!(Envelope::parse(envelope.to_json().as_bytes()).unwrap(), envelope);
        assert!(Envelope::parse(b"{}").is_err());
    }
}
