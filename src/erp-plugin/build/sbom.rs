//! The bill of materials: the packages that a component was built from, as `CycloneDX` 1.5.
//!
//! It depends only on the project and its lock file: it contains no serial number, no time and no path.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, Node, Package, PackageId, TargetKind};
use serde_json::{Value, json};

use super::cargo_project::CargoProject;

/// The product that the bill describes.
#[derive(Debug, Clone)]
pub struct Product<'a> {
    /// The plugin's id.
    pub id: &'a str,
    /// The plugin's version.
    pub version: &'a str,
    /// The plugin's licence, an SPDX expression.
    pub license: Option<&'a str>,
    /// SHA-256 of the component.
    pub component_sha256: &'a str,
    /// The version of this program, which makes the bill.
    pub tool_version: &'a str,
}

/// The part of a library in a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// It is part of the component.
    Linked,
    /// Only the build uses it.
    Builds,
}

/// Returns the bill of materials of a project, as cargo resolved it.
pub fn bill_of_materials(project: &CargoProject, product: &Product<'_>) -> Value {
    let lock = fs_err::read_to_string(project.lock_file()).unwrap_or_default();
    project.own().map_or(Value::Null, |own| bill(&project.metadata, own, &checksums(&lock), product))
}

fn bill(
    metadata: &Metadata,
    own: &Package,
    checksums: &BTreeMap<(String, String), String>,
    product: &Product<'_>,
) -> Value {
    let nodes: BTreeMap<&PackageId, &Node> =
        metadata.resolve.iter().flat_map(|resolve| &resolve.nodes).map(|node| (&node.id, node)).collect();
    let is_macro = |package: &&Package| package.targets.iter().any(|target| target.is_kind(TargetKind::ProcMacro));
    let macros = metadata.packages.iter().filter(is_macro).map(|package| &package.id).collect();
    let roles = roles(&nodes, &macros, &own.id);
    let mut packages: Vec<(&Package, Role)> = metadata
        .packages
        .iter()
        .filter(|package| package.id != own.id)
        .filter_map(|package| roles.get(&package.id).map(|role| (package, *role)))
        .collect();
    packages.sort_by_key(|(package, _)| purl(package));
    let product_ref = format!("pkg:generic/{}@{}", product.id, product.version);
    let reference = |package: &Package| if package.id == own.id { product_ref.clone() } else { purl(package) };
    let by_id: BTreeMap<&PackageId, &Package> =
        metadata.packages.iter().map(|package| (&package.id, package)).collect();
    let dependencies: Vec<Value> = std::iter::once(own)
        .chain(packages.iter().map(|(package, _)| *package))
        .map(|package| {
            let needs = nodes.get(&package.id).into_iter().flat_map(|node| &node.deps);
            let needs =
                needs.filter(|needed| needed.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development));
            let needs: BTreeSet<String> =
                needs.filter_map(|needed| by_id.get(&needed.pkg)).map(|package| purl(package)).collect();
            json!({ "ref": reference(package), "dependsOn": needs })
        })
        .collect();
    let mut about = json!({
        "type": "library", "bom-ref": product_ref, "name": product.id, "version": product.version,
        "hashes": [{ "alg": "SHA-256", "content": product.component_sha256 }],
    });
    if let Some(license) = product.license {
        about["licenses"] = json!([{ "expression": license }]);
    }
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "tools": { "components": [{ "type": "application", "name": "erp-plugin", "version": product.tool_version }] },
            "component": about,
        },
        "components": packages.iter().map(|(package, role)| component(package, *role, checksums)).collect::<Vec<_>>(),
        "dependencies": dependencies,
    })
}

fn component(package: &Package, role: Role, checksums: &BTreeMap<(String, String), String>) -> Value {
    let purl = purl(package);
    let mut component = json!({
        "type": "library", "bom-ref": purl, "name": *package.name, "version": package.version.to_string(),
        "scope": if role == Role::Linked { "required" } else { "excluded" }, "purl": purl,
    });
    if let Some(checksum) = checksums.get(&(package.name.to_string(), package.version.to_string())) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    if let Some(license) = &package.license {
        // Cargo once wrote `MIT/Apache-2.0`.
        component["licenses"] = json!([{ "expression": license.replace('/', " OR ") }]);
    }
    if let Some(repository) = &package.repository {
        component["externalReferences"] = json!([{ "type": "vcs", "url": repository }]);
    }
    component
}

/// The packages that the root needs, with their roles. A library that is linked and also helps to build counts as
/// linked.
fn roles<'m>(
    nodes: &BTreeMap<&'m PackageId, &'m Node>,
    macros: &BTreeSet<&PackageId>,
    root: &'m PackageId,
) -> BTreeMap<&'m PackageId, Role> {
    let mut roles = BTreeMap::new();
    let mut open = vec![(root, Role::Linked)];
    while let Some((id, role)) = open.pop() {
        // The dependencies of a macro run in the compiler and are not in the component.
        let role = if macros.contains(id) { Role::Builds } else { role };
        if roles.get(id).is_some_and(|known| *known <= role) {
            continue;
        }
        roles.insert(id, role);
        for dependency in nodes.get(id).into_iter().flat_map(|node| &node.deps) {
            let is = |kind: DependencyKind| dependency.dep_kinds.iter().any(|info| info.kind == kind);
            if is(DependencyKind::Normal) {
                open.push((&dependency.pkg, role));
            } else if is(DependencyKind::Build) {
                open.push((&dependency.pkg, Role::Builds));
            }
        }
    }
    roles
}

/// The package URL. `vcs_url` or the type `generic` marks a package from no registry, since a registry may have another
/// package of its name.
fn purl(package: &Package) -> String {
    let (name, version) = (&*package.name, &package.version);
    let source = package.source.as_ref().map(|source| source.repr.as_str());
    match source {
        Some(source) if source.starts_with("git+") => {
            let encode = |c: char| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("%{:02X}", c as u32) };
            let source: String = source.chars().filter(char::is_ascii).map(encode).collect();
            format!("pkg:cargo/{name}@{version}?vcs_url={source}")
        }
        Some(_) => format!("pkg:cargo/{name}@{version}"),
        None => format!("pkg:generic/{name}@{version}"),
    }
}

/// SHA-256 of each crate's archive by name and version, from `Cargo.lock`.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let lock: toml::Table = lock.parse().unwrap_or_default();
    let packages = lock.get("package").and_then(toml::Value::as_array).cloned().unwrap_or_default();
    packages
        .iter()
        .filter_map(|package| {
            let text = |key: &str| package.get(key)?.as_str().map(str::to_owned);
            Some(((text("name")?, text("version")?), text("checksum")?))
        })
        .collect()
}
