//! Envelopes of signatures, and the statements in them.
#![no_main]

use erp_package::archive::Statement;
use erp_package::signing::{Circumstances, Envelope, Receipt, Rotation, TrustStore};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(envelope) = Envelope::parse(bytes) else { return };
    assert_eq!(Envelope::parse(envelope.to_json().as_bytes()).expect("what was read can be read again"), envelope);
    let _ = Statement::of_envelope(&envelope);
    let _ = Receipt::of_envelope(&envelope);
    let _ = Rotation::open(&envelope);
    let now = "2026-04-15T08:00:00Z".parse().expect("a moment");
    let judged = TrustStore::default().judge(&envelope, &Circumstances { plugin: "erp-x", now, accepted_at: None });
    assert!(judged.refusal().is_some(), "nobody is trusted");
});
