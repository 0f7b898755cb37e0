//! SHA-256 and hexadecimal text, in the lower case that file formats and messages use.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// SHA-256 in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn digests_are_written_in_lower_case() {
        assert_eq!(super::hex(&[0, 0xab]), "00ab");
        assert!(super::sha256_hex(b"").starts_with("e3b0c442"));
    }
}
