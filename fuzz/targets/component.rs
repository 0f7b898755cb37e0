//! Components: bounds, local paths, validation, modules, producers, description.
#![no_main]

use erp_component::{Module, description, excess, local_path, producers, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = excess(bytes);
    let _ = local_path(bytes);
    if read(bytes).is_ok() {
        let _ = Module::all_of(bytes);
        let _ = producers(bytes);
        let _ = description(bytes);
    }
});
