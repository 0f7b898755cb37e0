//! Several plugins in one folder.

use std::path::{Path, PathBuf};

use ignore::WalkBuilder;
use thiserror::Error;

use super::{MANIFEST_FILE, Project, ProjectError, manifest_in};

/// How many levels below the root a manifest may be.
const DEPTH: usize = 5;
/// Folders that hold no plugins of their own.
const SKIPPED: [&str; 4] = ["target", "dist", "node_modules", "venv"];

/// A plugin of a workspace.
#[derive(Debug, Clone)]
pub struct Member {
    /// The plugin's id.
    pub id: String,
    /// The manifest's file.
    pub manifest_file: PathBuf,
    /// The folder's name, which is usually also the name of the cargo package.
    pub folder: String,
    /// Ids of the plugins that it requires.
    needs: Vec<String>,
    /// Ids of the plugins that it uses if they are installed.
    optional_dependencies: Vec<String>,
}

/// Why a folder is no workspace.
#[derive(Debug, Error)]
pub enum WorkspaceError {
    /// No plugin was found in it.
    #[error("there is no {MANIFEST_FILE} in {} or below it", .0.display())]
    Empty(PathBuf),
    /// A manifest cannot be read.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// Two plugins have the same id.
    #[error("`{id}` is the id of {} and of {}", one.display(), other.display())]
    Twice {
        /// The id.
        id: String,
        /// A manifest.
        one: PathBuf,
        /// Another one.
        other: PathBuf,
    },
    /// Plugins depend on each other in a circle.
    #[error("{0} depend on each other in a circle")]
    Circle(String),
}

/// The root of a workspace: the outermost folder at or above `folder` whose `Cargo.toml` names members, or else
/// `folder` itself.
pub fn workspace_root(folder: &Path) -> PathBuf {
    let names_members = |folder: &&Path| {
        let text = fs_err::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        text.parse::<toml::Table>()
            .is_ok_and(|cargo| cargo.get("workspace").is_some_and(|own| own.get("members").is_some()))
    };
    folder.ancestors().filter(names_members).last().unwrap_or(folder).to_path_buf()
}

/// The plugins of a workspace; those that others depend on come first.
///
/// # Errors
/// [`WorkspaceError`].
pub fn members(root: &Path) -> Result<Vec<Member>, WorkspaceError> {
    let mut walk = WalkBuilder::new(root);
    walk.max_depth(Some(DEPTH - 1))
        .require_git(false)
        .sort_by_file_name(std::cmp::Ord::cmp)
        .filter_entry(|entry| !entry.file_name().to_str().is_some_and(|name| SKIPPED.contains(&name)));
    let mut found: Vec<Member> = Vec::new();
    let folders = walk.build().flatten().filter(|entry| entry.file_type().is_some_and(|kind| kind.is_dir()));
    for file in folders.filter_map(|entry| manifest_in(entry.path())) {
        let project = Project::open(&file, root)?;
        let Some(manifest) = project.manifest().0 else {
            // The command that reads this manifest reports its errors.
            let folder = folder_name(&file);
            found.push(Member {
                id: folder.clone(),
                manifest_file: file,
                folder,
                needs: Vec::new(),
                optional_dependencies: Vec::new(),
            });
            continue;
        };
        let needs = manifest.needs().map(|(id, _)| id.to_owned()).collect();
        let optional_dependencies = manifest.optional_dependencies().map(str::to_owned).collect();
        let id = manifest.metadata.id.to_string();
        if let Some(other) = found.iter().find(|known| known.id == id) {
            let (one, other) = (other.manifest_file.clone(), file);
            return Err(WorkspaceError::Twice { id, one, other });
        }
        found.push(Member { id, folder: folder_name(&file), manifest_file: file, needs, optional_dependencies });
    }
    if found.is_empty() {
        return Err(WorkspaceError::Empty(root.to_path_buf()));
    }
    in_order(found)
}

fn folder_name(manifest: &Path) -> String {
    manifest.parent().and_then(Path::file_name).map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn in_order(mut left: Vec<Member>) -> Result<Vec<Member>, WorkspaceError> {
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let is_there = |id: &String| left.iter().all(|other| other.id != *id);
        let is_free = |member: &Member| member.needs.iter().all(is_there);
        // A plugin that is only optional comes first if possible, and does not delay others otherwise.
        let is_best = |member: &Member| is_free(member) && member.optional_dependencies.iter().all(is_there);
        let Some(next) = left.iter().position(is_best).or_else(|| left.iter().position(is_free)) else {
            let ids: Vec<String> = left.into_iter().map(|member| member.id).collect();
            return Err(WorkspaceError::Circle(ids.join(", ")));
        };
        ordered.push(left.remove(next));
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, needs: &[&str]) -> Member {
        let needs = needs.iter().map(|need| (*need).to_owned()).collect();
        Member {
            id: id.to_owned(),
            manifest_file: PathBuf::new(),
            folder: id.to_owned(),
            needs,
            optional_dependencies: Vec::new(),
        }
    }

    fn wishing(id: &str, wish: &str) -> Member {
        Member { optional_dependencies: vec![wish.to_owned()], ..member(id, &[]) }
    }

    #[test]
    fn what_others_need_comes_first() {
        let ids =
            |members: Vec<Member>| in_order(members).map(|all| all.into_iter().map(|one| one.id).collect::<Vec<_>>());
        let sorted = ids(vec![member("a", &["b", "elsewhere"]), member("b", &["c"]), member("c", &[])]);
        assert_eq!(sorted.unwrap(), ["c", "b", "a"]);
        assert!(matches!(ids(vec![member("a", &["b"]), member("b", &["a"])]), Err(WorkspaceError::Circle(_))));
        assert_eq!(ids(vec![wishing("a", "b"), member("b", &[])]).unwrap(), ["b", "a"]);
        assert_eq!(ids(vec![wishing("a", "b"), wishing("b", "a")]).unwrap(), ["a", "b"]);
    }
}
