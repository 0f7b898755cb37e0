//! in-toto statements: a predicate about the files of a subject.

use erp_manifest::digest::sha256_hex;
use erp_manifest::document::parse_strict_json;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Envelope;

/// The payload type of an envelope around a statement.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// The predicate of a statement.
pub trait Predicate: Serialize + DeserializeOwned {
    /// The URI that names its format and version.
    const TYPE: &'static str;
    /// The word for the statement in messages, such as `receipt`.
    const WHAT: &'static str;
}

/// An in-toto statement v1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attestation<P> {
    #[serde(rename = "_type")]
    kind: String,
    /// The files or keys that the statement is about.
    pub subject: Vec<StatementSubject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    /// The content of the statement.
    pub predicate: P,
}

/// A file or key, and its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatementSubject {
    /// The name, such as the path of a file in a package.
    pub name: String,
    /// The digests; only SHA-256 is used.
    pub digest: Digests,
}

/// Digests of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digests {
    /// 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// A statement that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the {what} cannot be read: {why}")]
pub struct AttestationError {
    what: &'static str,
    why: String,
}

impl StatementSubject {
    /// Creates a subject from its bytes.
    pub fn of(name: impl Into<String>, bytes: &[u8]) -> StatementSubject {
        StatementSubject::digested(name, sha256_hex(bytes))
    }

    /// Creates a subject from a known digest: 64 lower-case hexadecimal digits.
    pub fn digested(name: impl Into<String>, sha256: impl Into<String>) -> StatementSubject {
        StatementSubject { name: name.into(), digest: Digests { sha256: sha256.into() } }
    }
}

impl<P: Predicate> Attestation<P> {
    /// Creates a statement of the supported version.
    pub fn new(subject: Vec<StatementSubject>, predicate: P) -> Attestation<P> {
        Attestation { kind: STATEMENT_TYPE.to_owned(), subject, predicate_type: P::TYPE.to_owned(), predicate }
    }

    /// Returns the statement as JSON. The same statement gives the same text.
    pub fn to_json(&self) -> String {
        // Structures of text and numbers always serialize.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Wraps the statement in an envelope without signatures.
    pub fn seal(&self) -> Envelope {
        Envelope::unsigned(PAYLOAD_TYPE, self.to_json().into_bytes())
    }

    /// Reads the statement in an envelope. Does not check its signatures.
    ///
    /// # Errors
    /// [`AttestationError`].
    pub fn of_envelope(envelope: &Envelope) -> Result<Attestation<P>, AttestationError> {
        if envelope.payload_type != PAYLOAD_TYPE {
            let why = format!("its envelope holds `{}`", envelope.payload_type);
            return Err(AttestationError { what: P::WHAT, why });
        }
        Attestation::parse(&envelope.payload)
    }

    /// Reads a statement.
    ///
    /// # Errors
    /// [`AttestationError`], also for a statement of another kind or version.
    pub fn parse(bytes: &[u8]) -> Result<Attestation<P>, AttestationError> {
        let unreadable = |why: String| AttestationError { what: P::WHAT, why };
        let document = parse_strict_json(bytes).map_err(unreadable)?;
        let (kind, predicate) = (document["_type"].as_str(), document["predicateType"].as_str());
        if (kind, predicate) != (Some(STATEMENT_TYPE), Some(P::TYPE)) {
            return Err(unreadable(format!("it is a statement of another kind ({})", predicate.unwrap_or("none"))));
        }
        serde_json::from_value(document).map_err(|error| unreadable(error.to_string()))
    }
}
