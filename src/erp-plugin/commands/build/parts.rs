//! `[[link]]`: components that the plugin's own is composed with.

use std::path::Path;

use erp_manifest::contract::World;
use erp_manifest::{Language, Link};
use erp_package::archive;
use erp_package::strict_zip::Limits;

use super::build_options;
use crate::build::{Profile, compile};
use crate::command_error::{CommandError, codes};
use crate::commands::generate::world_of;
use crate::commands::open_project::OpenProject;
use crate::context::Context;
use crate::link::{self, Part, own_packages};

/// The parts of a plugin, ready to be composed, and the world that its own code is written for.
pub(in crate::commands) struct LinkedParts {
    pub(in crate::commands) parts: Vec<Part>,
    pub(in crate::commands) world: World,
}

/// Builds or reads every part, links WASI away from it, and adds what it exports to the plugin's world.
pub(in crate::commands) fn parts(
    context: &Context,
    open: &OpenProject,
    profile: &Profile,
) -> Result<LinkedParts, CommandError> {
    let manifest = &open.manifest;
    let base = world_of(manifest)?;
    let (mut parts, mut packages) = (Vec::new(), Vec::new());
    let mut interfaces: Vec<String> = Vec::new();
    for declared in &manifest.link {
        let bytes = source(context, open, declared, profile)?;
        let info = erp_component::read(&bytes).map_err(|finding| {
            CommandError::from_finding(*finding).hint(format!("the part is `{}` of [[link]]", *declared.name))
        })?;
        let linked = link::link(&bytes, &info, base.host_api)?;
        let texts = own_packages(&info).map_err(|why| failed(declared, &why))?;
        packages.extend(texts.into_iter().filter(|text| !packages.contains(text)).collect::<Vec<_>>());
        let exports = info.border.exports.iter().map(|export| export.name.clone());
        let is_own =
            |name: &String| !name.starts_with("erp:plugin/") && !name.starts_with("wasi:") && name.contains('/');
        let exports: Vec<String> = exports.filter(is_own).collect();
        if exports.is_empty() {
            return Err(failed(declared, "it exports nothing that a plugin could import"));
        }
        if let Some(twice) = exports.iter().find(|name| interfaces.contains(name)) {
            return Err(failed(declared, &format!("another part exports `{twice}` already")));
        }
        interfaces.extend(exports);
        parts.push(Part { name: declared.name.to_string(), component: linked.component });
    }
    if parts.is_empty() {
        return Ok(LinkedParts { parts, world: base });
    }
    if *manifest.build.language != Language::Rust {
        return Err(failed(&manifest.link[0], "only plugins in Rust are composed"));
    }
    let name = base.name.clone();
    let world = base.host_api.world_importing(&name, &packages, &interfaces);
    let world = world.map_err(|why| {
        CommandError::new(codes::LINK, format!("the parts and the host API do not go together: {why}"))
    })?;
    Ok(LinkedParts { parts, world })
}

/// The parts of a plugin that is not composed with other components.
pub(in crate::commands) fn parts_without_links(world: World) -> LinkedParts {
    LinkedParts { parts: Vec::new(), world }
}

/// The bytes of a part, before linking.
fn source(context: &Context, open: &OpenProject, link: &Link, profile: &Profile) -> Result<Vec<u8>, CommandError> {
    let root = &open.project.root;
    match (&link.path, &link.file, &link.package) {
        (Some(path), None, None) => {
            let crate_root = root.join(path.as_str());
            if !crate_root.join("Cargo.toml").is_file() {
                return Err(failed(link, &format!("there is no Cargo.toml in {}", path.as_str())));
            }
            let project = crate::project::Project { root: crate_root, ..open.project.clone() };
            let options = build_options(context, &project, profile.clone())?;
            context.ui.status("Building", format!("{} for [[link]]", path.as_str()));
            let compiled = compile(&options, |message| context.ui.print_foreign(message))?;
            context.read(&compiled.artifact)
        }
        (None, Some(file), None) => read(context, root, file.as_str(), link),
        (None, None, Some(package)) => {
            let bytes = read(context, root, package.as_str(), link)?;
            let opened = archive::open(&bytes, &Limits::default()).map_err(|problems| {
                failed(link, &problems.first().map_or_else(String::new, |problem| problem.message.clone()))
            })?;
            Ok(opened.component().to_vec())
        }
        _ => Err(failed(link, "it must say where it comes from: one of `path`, `file`, `package`")),
    }
}

fn read(context: &Context, root: &Path, path: &str, link: &Link) -> Result<Vec<u8>, CommandError> {
    let path = erp_files::inside(root, Path::new(path)).map_err(|error| failed(link, &error.to_string()))?;
    if path.is_file() {
        context.read(&path)
    } else {
        Err(failed(link, &format!("there is no {}", context.shown(&path))))
    }
}

fn failed(link: &Link, why: &str) -> CommandError {
    CommandError::new(codes::LINK, format!("`{}` of [[link]]: {why}", *link.name))
}
