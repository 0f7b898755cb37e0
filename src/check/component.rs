//! The rules on a component.

use crate::component::{self, ComponentInfo};
use crate::contract::{self, compare};
use crate::diagnostics::{Diagnostic, Report, codes};
use crate::manifest::{ByteSize, Manifest};

/// What a look at a component gave.
#[derive(Debug)]
pub struct CheckedComponent {
    /// What is in it; none where it could not be read.
    pub info: Option<ComponentInfo>,
    /// What is wrong with it.
    pub report: Report,
}

/// Holds a component against the world and the budget of its manifest.
pub fn check_component(bytes: &[u8], manifest: &Manifest) -> CheckedComponent {
    let mut report = Report::new();
    let size = ByteSize(bytes.len() as u64);
    let budget = *manifest.budget.wasm;
    if size > budget {
        report.push(
            Diagnostic::new(codes::COMPONENT_TOO_LARGE, format!("the component has {size}, its budget is {budget}"))
                .help("build with --release, or raise `[budget] wasm`"),
        );
    }
    let info = match component::read(bytes) {
        Ok(info) => info,
        Err(finding) => {
            report.push(*finding);
            return CheckedComponent { info: None, report };
        }
    };
    // An unknown ABI is a finding of the manifest already.
    let host_api = contract::find(&manifest.runtime.abi);
    let name = manifest.runtime.world.as_ref().map(|world| world.as_str());
    if let Some(world) = host_api.and_then(|host_api| host_api.world(name.unwrap_or(host_api.default_world))) {
        report.extend(compare(bytes, &info.interfaces, &world));
    }
    CheckedComponent { info: Some(info), report }
}
