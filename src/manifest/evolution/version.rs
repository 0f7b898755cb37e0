//! The lowest version number that a new version may have.

use std::collections::BTreeSet;

use semver::Version;
use serde::Serialize;

use super::change::{ChangeEffect, ChangeKind};
use super::diff::SchemaDiff;
use crate::manifest::Manifest;

/// A part of a version number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Bump {
    /// Nothing that others rest upon changed.
    Patch,
    /// Something is new.
    Minor,
    /// Something that others rest upon is gone or means something else.
    Major,
}

/// Why a part must be raised.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct BumpReason {
    /// The part.
    pub bump: Bump,
    /// In words.
    pub reason: String,
}

impl Bump {
    /// Raises a version by this part. Below 1.0.0 the minor part replaces the major one, as in Cargo.
    pub fn apply(self, version: &Version) -> Version {
        let Version { major, minor, patch, .. } = *version;
        match self {
            Bump::Major if major > 0 => Version::new(major + 1, 0, 0),
            Bump::Minor if major > 0 => Version::new(major, minor + 1, 0),
            Bump::Major => Version::new(0, minor + 1, 0),
            Bump::Minor | Bump::Patch => Version::new(major, minor, patch + 1),
        }
    }
}

/// Returns the reasons to raise the version, the most important ones first: changes that users of the plugin or other
/// plugins can notice. `imports` holds the interfaces that the two components import (`erp:plugin/host-db`), if they
/// are known.
pub fn required_bump(
    old: &Manifest,
    new: &Manifest,
    imports: Option<(&BTreeSet<String>, &BTreeSet<String>)>,
) -> Vec<BumpReason> {
    let mut reasons = Vec::new();
    let mut add = |bump: Bump, reason: String| reasons.push(BumpReason { bump, reason });
    for change in SchemaDiff::of(old, new).changes {
        let bump = match (&change.kind, change.effect) {
            // Code that writes rows without the field is refused.
            (ChangeKind::FieldAdded, ChangeEffect::Narrows | ChangeEffect::Migrated) => Bump::Major,
            (
                ChangeKind::EntityAdded
                | ChangeKind::FieldAdded
                | ChangeKind::ComputedChanged
                | ChangeKind::RuleChanged { .. },
                _,
            ) => Bump::Minor,
            _ => Bump::Major,
        };
        add(bump, change.to_string());
    }
    let texts = |items: Vec<&str>| items.into_iter().map(str::to_owned).collect::<BTreeSet<String>>();
    let permissions =
        |manifest: &Manifest| texts(manifest.permissions.iter().map(|permission| permission.code.as_str()).collect());
    let told =
        |manifest: &Manifest| texts(manifest.events.publishes.iter().map(|event| event.r#type.as_str()).collect());
    let heard = |manifest: &Manifest| texts(manifest.events.subscribe.iter().map(|pattern| pattern.as_str()).collect());
    let settings =
        |manifest: &Manifest| texts(manifest.settings.fields.iter().map(|field| field.key.as_str()).collect());
    let pages = |manifest: &Manifest| texts(manifest.ui.pages.iter().map(crate::manifest::Page::route).collect());
    let actions = |manifest: &Manifest| texts(manifest.ui.actions.iter().map(|action| action.name.as_str()).collect());
    for (what, before, after, gone) in [
        ("the permission", permissions(old), permissions(new), Bump::Major),
        ("the event", told(old), told(new), Bump::Major),
        ("the subscription", heard(old), heard(new), Bump::Minor),
        ("the setting", settings(old), settings(new), Bump::Major),
        ("the page", pages(old), pages(new), Bump::Major),
        ("the action", actions(old), actions(new), Bump::Major),
    ] {
        for name in before.difference(&after) {
            add(gone, format!("{what} `{name}` is gone"));
        }
        for name in after.difference(&before) {
            add(Bump::Minor, format!("{what} `{name}` is new"));
        }
    }
    let (before, after) = (old.runtime.abi.as_str(), new.runtime.abi.as_str());
    if before != after {
        add(Bump::Major, format!("the host API is {after}, was {before}"));
    }
    if let Some((before, after)) = imports {
        for name in after.difference(before) {
            add(Bump::Minor, format!("the component now imports {name}"));
        }
    }
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.bump));
    reasons
}
