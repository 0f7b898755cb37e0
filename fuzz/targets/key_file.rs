//! Key files: opening one costs little, whatever parameters it contains.
#![no_main]

use erp_manifest::diagnostics::SourceFile;
use erp_package::signing::{Passphrase, PublicKey, SecretKey, TrustStore};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(key) = PublicKey::from_pem(text) {
        assert_eq!(PublicKey::from_pem(&key.to_pem()).expect("what was read can be read again"), key);
    }
    let _ = SecretKey::from_pem(text, None);
    let _ = SecretKey::from_pem(text, Some(&Passphrase::new("correct horse".to_owned())));
    let _ = TrustStore::parse(&SourceFile::new("trust.toml", text));
});
