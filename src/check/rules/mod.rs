//! The rules on a manifest, one file for each family.

mod build;
mod events;
mod expressions;
mod i18n;
pub(crate) mod identity;
pub(crate) mod migrations;
mod nodes;
mod pages;
mod permissions;
pub(crate) mod relations;
mod runtime;
pub(super) mod schema;
mod storage;

use erp_manifest::codes::Code;

use super::{CheckSubject, Findings, settings};

/// A rule, or a family of rules.
pub(super) type Rule = fn(&CheckSubject<'_>, &mut Findings<'_>);

/// Every family, sorted by name.
pub(super) const ALL: &[Rule] = &[
    build::check,
    events::check,
    expressions::check,
    i18n::check,
    identity::check,
    migrations::check,
    nodes::check,
    pages::check,
    permissions::check,
    relations::check,
    runtime::check,
    schema::check,
    storage::check,
    settings::check,
];

/// The codes of every family that has its own.
pub(super) const CODES: &[&[Code]] = &[
    events::CODES,
    expressions::CODES,
    i18n::CODES,
    identity::CODES,
    migrations::CODES,
    nodes::CODES,
    pages::CODES,
    permissions::CODES,
    relations::CODES,
    runtime::CODES,
    schema::CODES,
    storage::CODES,
];
