//! Manifests: parsing, and every rule on a manifest that could be parsed.
#![no_main]

use erp_check::{CheckSubject, check_manifest};
use erp_manifest::diagnostics::SourceFile;
use erp_manifest::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let source = SourceFile::new("plugin.toml", text);
    let (manifest, _) = parse(&source);
    if let Some(manifest) = manifest {
        let _ = check_manifest(&CheckSubject { manifest: &manifest, source: &source, file: &|_| None });
    }
});
