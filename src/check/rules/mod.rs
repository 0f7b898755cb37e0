//! The rules on a manifest, a family a file.

mod build;
mod events;
mod expressions;
mod i18n;
mod identity;
mod migrations;
mod nodes;
mod pages;
mod permissions;
mod relations;
mod runtime;
mod schema;
mod storage;

use super::{Findings, Subject, settings};

/// A rule, or a family of them.
pub(super) type Rule = fn(&Subject<'_>, &mut Findings<'_>);

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
