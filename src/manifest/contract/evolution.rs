//! The changes between two texts of a WIT package, and their effect on plugins.

use std::collections::BTreeMap;
use std::fmt;

use semver::Version;
use thiserror::Error;
use wit_parser::{Resolve, SourceMap};

use super::border::{Interface, InterfaceSet, serves};
use super::shape::Signature;

/// What a change asks of the version number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChangeClass {
    /// Nothing that a component could see.
    Patch,
    /// Something new; components for the old text load.
    Minor,
    /// Components for the old text may not load any more.
    Major,
}

impl fmt::Display for ChangeClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ChangeClass::Patch => "patch",
            ChangeClass::Minor => "minor",
            ChangeClass::Major => "major",
        })
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Change {
    /// What it asks of the version number.
    pub class: ChangeClass,
    /// What changed.
    pub what: String,
}

/// A parsed WIT package.
#[derive(Debug)]
pub struct WitText {
    /// The worlds by name. The names of their interfaces have no version.
    worlds: BTreeMap<String, InterfaceSet>,
    /// The name of the package, and its version if it has one.
    package: (String, Option<Version>),
    text: String,
}

/// The error of a text that is not valid WIT.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct WitError(String);

impl WitText {
    /// Parses a text. Messages use `name` as the name of the file.
    ///
    /// # Errors
    /// The message of the parser, with the place.
    pub fn parse(name: &str, text: &str) -> Result<WitText, WitError> {
        let mut map = SourceMap::new();
        map.push_str(name, text);
        let group = map.parse().map_err(|(map, error)| WitError(error.render(&map)))?;
        let mut resolve = Resolve::default();
        let package = match resolve.push_group(group) {
            Ok(package) => package,
            Err(error) => return Err(WitError(error.render(&resolve.source_map))),
        };
        let name = &resolve.packages[package].name;
        let named = (format!("{}:{}", name.namespace, name.name), name.version.clone());
        let worlds = resolve.packages[package]
            .worlds
            .iter()
            .map(|(name, world)| (name.clone(), without_versions(InterfaceSet::of(&resolve, *world))))
            .collect();
        Ok(WitText { worlds, package: named, text: text.to_owned() })
    }

    /// The version of the package, if it has one.
    pub fn version(&self) -> Option<&Version> {
        self.package.1.as_ref()
    }

    /// Returns whether a host with this text serves components built for the `old` text, judged only by name and
    /// version of the package.
    pub fn serves(&self, old: &WitText) -> bool {
        let name = |text: &WitText| match &text.package {
            (name, Some(version)) => format!("{name}@{version}"),
            (name, None) => name.clone(),
        };
        serves(&name(self), &name(old))
    }

    /// Its worlds, by name.
    pub fn worlds(&self) -> &BTreeMap<String, InterfaceSet> {
        &self.worlds
    }
}

/// Removes the versions from the names of interfaces, so that two versions of a package have the same names.
pub fn without_versions(mut border: InterfaceSet) -> InterfaceSet {
    for interface in border.imports.iter_mut().chain(&mut border.exports) {
        let base = interface.name.split('@').next().unwrap_or_default().to_owned();
        interface.name = base;
    }
    border
}

/// Returns the changes from `old` to `new`, the most severe ones first.
pub fn changes(old: &WitText, new: &WitText) -> Vec<Change> {
    let mut found: Vec<Change> = Vec::new();
    let mut add = |class: ChangeClass, what: String| {
        let change = Change { class, what };
        if !found.contains(&change) {
            found.push(change);
        }
    };
    if !new.serves(old) {
        let shown =
            |text: &WitText| text.version().map_or("no version".to_owned(), |version| format!("version {version}"));
        let what = format!(
            "the package `{}` has {} and had {}: components ask for the old one",
            new.package.0,
            shown(new),
            shown(old)
        );
        add(ChangeClass::Major, what);
    }
    for (name, before) in &old.worlds {
        let Some(after) = new.worlds.get(name) else {
            add(ChangeClass::Major, format!("the world `{name}` is gone"));
            continue;
        };
        imports(name, before, after, &mut add);
        exports(name, before, after, &mut add);
    }
    for name in new.worlds.keys().filter(|name| !old.worlds.contains_key(*name)) {
        add(ChangeClass::Minor, format!("the world `{name}` is new"));
    }
    if found.is_empty() && without_version_line(&old.text) != without_version_line(&new.text) {
        found.push(Change {
            class: ChangeClass::Patch,
            what: "comments or layout changed, and nothing else".to_owned(),
        });
    }
    found.sort_by(|left, right| right.class.cmp(&left.class).then_with(|| left.what.cmp(&right.what)));
    found
}

/// Removes the `package` line, whose version is compared separately.
fn without_version_line(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("package ")).collect::<Vec<_>>().join("\n")
}

/// The lowest version that a package with changes of this class may have.
pub fn least_version(old: &Version, class: ChangeClass) -> Version {
    match (class, old.major) {
        // Before 1.0, the minor number marks breaking changes.
        (ChangeClass::Major, 0) => Version::new(0, old.minor + 1, 0),
        (ChangeClass::Major, major) => Version::new(major + 1, 0, 0),
        (ChangeClass::Minor, 0) | (ChangeClass::Patch, _) => Version::new(old.major, old.minor, old.patch + 1),
        (ChangeClass::Minor, major) => Version::new(major, old.minor + 1, 0),
    }
}

type Add<'a> = dyn FnMut(ChangeClass, String) + 'a;

/// Compares the imports of a world: additions are minor changes; removals and changes are major.
fn imports(world: &str, before: &InterfaceSet, after: &InterfaceSet, add: &mut Add<'_>) {
    for old in &before.imports {
        let Some(new) = find(&after.imports, &old.name) else {
            add(ChangeClass::Major, format!("`{world}` no longer offers `{}`", old.name));
            continue;
        };
        for (name, signature) in &old.functions {
            function(&old.name, name, signature, new.functions.get(name), add);
        }
        for name in new.functions.keys().filter(|name| !old.functions.contains_key(*name)) {
            add(ChangeClass::Minor, format!("`{}` gains `{name}`", old.name));
        }
    }
    for new in after.imports.iter().filter(|new| find(&before.imports, &new.name).is_none()) {
        add(ChangeClass::Minor, format!("`{world}` offers `{}`", new.name));
    }
}

/// Compares the exports of a world: every change is major. An existing component without a new export would not load.
fn exports(world: &str, before: &InterfaceSet, after: &InterfaceSet, add: &mut Add<'_>) {
    for old in &before.exports {
        let Some(new) = find(&after.exports, &old.name) else {
            add(ChangeClass::Major, format!("`{world}` no longer calls `{}`", old.name));
            continue;
        };
        for (name, signature) in &old.functions {
            function(&old.name, name, signature, new.functions.get(name), add);
        }
        for name in new.functions.keys().filter(|name| !old.functions.contains_key(*name)) {
            let what = format!(
                "plugins of `{world}` must now have `{name}` of `{}`; a new interface would break none",
                old.name
            );
            add(ChangeClass::Major, what);
        }
    }
    for new in after.exports.iter().filter(|new| find(&before.exports, &new.name).is_none()) {
        add(
            ChangeClass::Major,
            format!("plugins of `{world}` must now have `{}`; a new world would break none", new.name),
        );
    }
}

fn function(interface: &str, name: &str, old: &Signature, new: Option<&Signature>, add: &mut Add<'_>) {
    match new {
        None => add(ChangeClass::Major, format!("`{interface}` loses `{name}`")),
        Some(new) => {
            if let Some(difference) = old.difference(new) {
                let what = format!(
                    "`{name}` of `{interface}`: {} was `{}` and is `{}`",
                    difference.place, difference.found, difference.offered
                );
                add(ChangeClass::Major, what);
            }
        }
    }
}

fn find<'b>(interfaces: &'b [Interface], name: &str) -> Option<&'b Interface> {
    interfaces.iter().find(|interface| interface.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "package a:b@1.0.0;
interface host { record row { id: string, n: u32 } get: func(id: string) -> option<row>; }
interface guest { run: func() -> result<_, string>; }
world w { import host; export guest; }";

    fn classes(new: &str) -> Vec<(ChangeClass, String)> {
        let (old, new) = (WitText::parse("old.wit", OLD).unwrap(), WitText::parse("new.wit", new).unwrap());
        changes(&old, &new).into_iter().map(|change| (change.class, change.what)).collect()
    }

    #[test]
    fn changes_are_classified_by_what_they_break() {
        assert_eq!(classes(OLD), []);
        assert_eq!(classes(&format!("// hello\n{OLD}"))[0].0, ChangeClass::Patch);
        let grown = OLD.replace("get:", "all: func() -> list<row>; get:").replace("1.0.0", "1.1.0");
        assert_eq!(classes(&grown), [(ChangeClass::Minor, "`a:b/host` gains `all`".to_owned())]);
        let moved = classes(&OLD.replace("1.0.0", "2.0.0"));
        assert_eq!(moved[0].0, ChangeClass::Major, "components ask for 1.0.0: {moved:?}");
        let one = Version::new(1, 2, 3);
        assert_eq!(least_version(&one, ChangeClass::Minor), Version::new(1, 3, 0));
        assert_eq!(least_version(&Version::new(0, 2, 3), ChangeClass::Major), Version::new(0, 3, 0));
        let wider = classes(&OLD.replace("n: u32", "n: u64"));
        assert_eq!(wider[0].0, ChangeClass::Major);
        assert!(wider[0].1.contains("field `n` was `u32` and is `u64`"), "{wider:?}");
        let field = classes(&OLD.replace("n: u32", "n: u32, more: bool"));
        assert!(field[0].1.contains("record row { id: string, n: u32, more: bool }"), "{field:?}");
        assert_eq!(classes(&OLD.replace("run:", "stop: func(); run:"))[0].0, ChangeClass::Major);
        assert_eq!(classes(&OLD.replace("get: func(id: string)", "get: func(key: string)"))[0].0, ChangeClass::Major);
    }
}
