//! Every code of a finding: those of the rules, and those of the rooms whose readers the rules build on.

use super::{capabilities, component, evolution, files, nodes, rules, scenarios};
use crate::codes::Code;
use crate::{document, expression, manifest};

/// Every code that a finding about a project can have.
pub(crate) fn finding_codes() -> impl Iterator<Item = Code> + Clone {
    let own = [capabilities::CODES, component::CODES, evolution::CODES, files::CODES, nodes::CODES, scenarios::CODES];
    let read = [crate::component::codes::CODES, document::codes::CODES, expression::CODES];
    let families = rules::CODES.iter().chain(manifest::CODES);
    own.into_iter().chain(read).chain(families.copied()).flatten().copied()
}
