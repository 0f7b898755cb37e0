//! Scenario files, read with the manifest of the inventory template.
#![no_main]

use std::sync::LazyLock;

use erp_manifest::diagnostics::SourceFile;
use erp_manifest::{Manifest, parse};
use erp_plugin::scenario::read_suite;
use libfuzzer_sys::fuzz_target;

static MANIFEST: LazyLock<Manifest> = LazyLock::new(|| {
    let text = include_str!("../seeds/manifest/inventory.toml");
    parse(&SourceFile::new("plugin.toml", text)).0.expect("a good manifest")
});

fuzz_target!(|text: &str| {
    let _ = read_suite(&SourceFile::new("x.test.toml", text), &MANIFEST);
});
