//! Every code of a finding: the codes of the rules, and those of the crates that the rules build on.

use erp_manifest::codes::Code;

use super::{capabilities, component, evolution, files, nodes, rules, scenarios};

/// Returns every code that a finding about a project can have.
pub fn finding_codes() -> impl Iterator<Item = Code> + Clone {
    let own = [capabilities::CODES, component::CODES, evolution::CODES, files::CODES, nodes::CODES, scenarios::CODES];
    let families = rules::CODES.iter().copied().chain(own).chain([erp_component::codes::CODES]);
    families.flatten().copied().chain(erp_manifest::finding_codes())
}
