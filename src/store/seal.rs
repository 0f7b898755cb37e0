//! Sealed secrets: the key is kept elsewhere, so that a copy of the database reveals no secret.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// The prefix of a sealed secret; a secret without it was stored before there was a key.
pub(super) const MARK: &str = "sealed:1:";

/// Seals and opens secrets with a key of 32 bytes.
pub struct Sealer(LessSafeKey);

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// The length of a key in bytes.
    pub const KEY_BYTES: usize = 32;

    /// A sealer with a key; `None` for a key of another length.
    pub fn new(key: &[u8]) -> Option<Sealer> {
        UnboundKey::new(&CHACHA20_POLY1305, key).ok().map(|key| Sealer(LessSafeKey::new(key)))
    }

    /// Seals a secret for its place: it cannot be opened for another one. `None` if the system gives no random bytes.
    pub(super) fn seal(&self, place: &str, secret: &str) -> Option<String> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).ok()?;
        let mut sealed = secret.as_bytes().to_vec();
        let unique = Nonce::assume_unique_for_key(nonce);
        self.0.seal_in_place_append_tag(unique, Aad::from(place), &mut sealed).ok()?;
        Some(format!("{MARK}{}", STANDARD.encode([nonce.as_slice(), &sealed].concat())))
    }

    /// Opens a secret that [`Sealer::seal`] sealed for the same place with the same key.
    fn open(&self, place: &str, text: &str) -> Option<String> {
        let bytes = STANDARD.decode(text.strip_prefix(MARK)?).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let secret = self.0.open_in_place(nonce, Aad::from(place), &mut sealed).ok()?;
        String::from_utf8(secret.to_vec()).ok()
    }
}

/// Returns a stored secret in plain text; `None` if it was sealed with another key.
pub(super) fn open(sealer: Option<&Sealer>, place: &str, stored: String) -> Option<String> {
    if stored.starts_with(MARK) { sealer?.open(place, &stored) } else { Some(stored) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_in_its_place_with_its_key_alone() {
        let (sealer, other) = (Sealer::new(&[7; 32]).unwrap(), Sealer::new(&[8; 32]).unwrap());
        let sealed = sealer.seal("a/b/c", "geheim 密").unwrap();
        assert!(!sealed.contains("geheim") && sealed != sealer.seal("a/b/c", "geheim 密").unwrap());
        assert_eq!(open(Some(&sealer), "a/b/c", sealed.clone()).as_deref(), Some("geheim 密"));
        assert_eq!(open(Some(&sealer), "a/b/d", sealed.clone()), None);
        assert_eq!(open(Some(&other), "a/b/c", sealed.clone()), None);
        assert_eq!(open(None, "a/b/c", sealed), None);
        assert_eq!(open(None, "a/b/c", "old".to_owned()).as_deref(), Some("old"));
        assert!(Sealer::new(&[1; 31]).is_none());
    }
}
