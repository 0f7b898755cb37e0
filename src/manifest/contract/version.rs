//! The versions of the host API.

use wit_parser::{PackageId, Resolve, SourceMap, WorldId};

use super::border::InterfaceSet;

/// A version of the host API, as in `wit/`.
#[derive(Debug)]
pub struct HostApi {
    /// The name of the folder under `wit/`; for legacy, also the value of `abi` in a manifest.
    pub name: &'static str,
    /// The value of `[runtime] abi` in a manifest.
    pub abi: &'static str,
    /// The world for a manifest that names none.
    pub default_world: &'static str,
    /// The worlds that a plugin may implement.
    pub worlds: &'static [&'static str],
    /// The text of the WIT.
    pub wit: &'static str,
}

/// The platform's first contract.
pub static LEGACY: HostApi = HostApi {
    name: "legacy",
    abi: "legacy",
    default_world: "plugin-world",
    worlds: &["plugin-world"],
    wit: erp_wit::LEGACY,
};

/// Version 1.0.0: structured errors, call context, layered worlds.
pub static V1_0_0: HostApi = HostApi {
    name: "1.0.0",
    abi: "erp:plugin@1.0.0",
    default_world: "entity-plugin",
    worlds: &[
        "minimal-plugin",
        "processor-plugin",
        "action-plugin",
        "event-plugin",
        "entity-plugin",
        "integration-plugin",
        "node-plugin",
        "full-plugin",
    ],
    wit: erp_wit::V1_0_0,
};

/// Every version, the oldest first.
pub fn versions() -> [&'static HostApi; 2] {
    [&LEGACY, &V1_0_0]
}

/// The version of an `abi`; `None` if it is unknown.
pub fn find(abi: &str) -> Option<&'static HostApi> {
    versions().into_iter().find(|version| version.abi == abi)
}

/// A world of a version, with its types resolved.
#[derive(Debug, Clone)]
pub struct World {
    /// The version that it belongs to.
    pub host_api: &'static HostApi,
    /// The name; for a world that imports further interfaces, the name of the world that it extends.
    pub name: String,
    /// The resolved types and packages of the world.
    pub resolve: Resolve,
    /// The id of the world in `resolve`.
    pub id: WorldId,
    /// The texts of further packages and the interfaces that it imports. Two different worlds of a version differ in
    /// this list or in their names.
    pub beside: Vec<String>,
}

impl HostApi {
    /// True for the platform's first contract.
    pub fn is_legacy(&self) -> bool {
        self.abi == LEGACY.abi
    }

    /// Creates a world of this version that imports further interfaces. `packages` holds the WIT texts of their
    /// packages.
    ///
    /// # Errors
    /// The message of the WIT parser.
    pub fn world_importing(
        &'static self,
        name: &str,
        packages: &[String],
        interfaces: &[String],
    ) -> Result<World, String> {
        let whole =
            if self.is_legacy() { format!("erp:plugin/{name}") } else { format!("erp:plugin/{name}@{}", self.name) };
        let imports: Vec<String> = interfaces.iter().map(|interface| format!("import {interface};")).collect();
        let (resolve, id) = self.written_world(packages, &format!("include {whole}; {}", imports.join(" ")))?;
        let beside = packages.iter().chain(interfaces).cloned().collect();
        Ok(World { host_api: self, name: name.to_owned(), resolve, id, beside })
    }

    /// Creates a world that is not declared in `wit/`: all imports of this version, further packages as text, and the
    /// imports and exports in `items`, such as `import acme:tax/rates@1.0.0; export erp:plugin/base@1.0.0;`.
    ///
    /// # Errors
    /// The message of the WIT parser.
    pub fn world_of_text(&'static self, packages: &[String], items: &str) -> Result<(Resolve, WorldId), String> {
        // The legacy version has no world that only imports.
        let all = if self.is_legacy() { "import erp:plugin/host-api;" } else { "include erp:plugin/host-full@1.0.0;" };
        self.written_world(packages, &format!("{all} {items}"))
    }

    fn written_world(&'static self, packages: &[String], items: &str) -> Result<(Resolve, WorldId), String> {
        let (mut resolve, _) = self.resolve();
        let mut left: Vec<&String> = packages.iter().collect();
        // A package may use another one, so add each package after those that it uses.
        while !left.is_empty() {
            let (mut next, mut why) = (Vec::new(), String::new());
            for text in &left {
                let mut attempt = resolve.clone();
                match attempt.push_str("part.wit", text) {
                    Ok(_) => resolve = attempt,
                    Err(error) => {
                        why = format!("{error:#}");
                        next.push(*text);
                    }
                }
            }
            if next.len() == left.len() {
                return Err(why);
            }
            left = next;
        }
        let text = format!("package part:made; world made {{ {items} }}");
        let package = resolve.push_str("made.wit", &text).map_err(|error| format!("{error:#}"))?;
        let world = resolve.packages[package].worlds.get("made").copied();
        world.map(|world| (resolve, world)).ok_or_else(|| "the world is not there".to_owned())
    }

    /// A world of this version, by name.
    pub fn world(&'static self, name: &str) -> Option<World> {
        let (resolve, package) = self.resolve();
        let id = *resolve.packages[package].worlds.get(name)?;
        Some(World { host_api: self, name: name.to_owned(), resolve, id, beside: Vec::new() })
    }

    /// Parses the WIT of this version: its types, and the id of its package.
    ///
    /// # Panics
    /// Never: the WIT is part of the binary, and a test parses every version.
    #[expect(clippy::panic, reason = "the text is embedded; a test parses every version")]
    pub fn resolve(&self) -> (Resolve, PackageId) {
        let mut map = SourceMap::new();
        map.push_str(&format!("wit/{}/plugin.wit", self.name), self.wit);
        let group = match map.parse() {
            Ok(group) => group,
            Err((map, error)) => panic!("embedded WIT: {}", error.render(&map)),
        };
        let mut resolve = Resolve::default();
        match resolve.push_group(group) {
            Ok(package) => (resolve, package),
            Err(error) => panic!("embedded WIT: {}", error.render(&resolve.source_map)),
        }
    }
}

impl World {
    /// The interfaces of the world, with the signatures of their functions.
    pub fn border(&self) -> InterfaceSet {
        InterfaceSet::of(&self.resolve, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_parses_and_has_its_worlds() {
        for version in versions() {
            for world in version.worlds {
                let world = version.world(world).unwrap_or_else(|| panic!("{} lacks {world}", version.name));
                assert!(!world.border().exports.is_empty(), "{} exports nothing", world.name);
            }
            assert!(version.worlds.contains(&version.default_world));
        }
    }

    #[test]
    fn every_declaration_of_a_version_says_since_when_it_is_there() {
        for interface in V1_0_0.wit.match_indices("\ninterface ") {
            let before = &V1_0_0.wit[..interface.0];
            assert!(before.ends_with("@since(version = 1.0.0)"), "{}", &V1_0_0.wit[interface.0..interface.0 + 40]);
        }
    }
}
