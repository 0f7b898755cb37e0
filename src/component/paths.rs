//! Finds paths of the build machine in a component: they reveal who built it, and make builds of two machines differ.

use std::path::Path;

/// The prefixes of home folders on the systems where plugins are built, and of the folders of common build services.
const HOMES: [&str; 11] = [
    "/home/",
    "/Users/",
    "/root/",
    ":\\Users\\",
    "/builds/",
    "/workspace/",
    "/workspaces/",
    "/__w/",
    "/var/lib/jenkins/",
    "/var/folders/",
    "/tmp/",
];
/// The most bytes of a path that are shown.
const SHOWN: usize = 80;

/// Returns the first path in a component that leads into such a folder.
pub fn local_path(component: &[u8]) -> Option<String> {
    let starts = component.iter().enumerate().filter(|(_, byte)| matches!(byte, b'/' | b':'));
    let mut starts =
        starts.map(|(at, _)| at).filter(|at| HOMES.iter().any(|home| component[*at..].starts_with(home.as_bytes())));
    starts.find_map(|at| {
        let is_path = |byte: &&u8| byte.is_ascii_graphic() || !byte.is_ascii();
        let path: Vec<u8> = component[at..].iter().take(SHOWN).take_while(is_path).copied().collect();
        let home = HOMES.iter().find(|home| path.starts_with(home.as_bytes()))?;
        // A folder must follow: `/home/` alone may be a text of the plugin itself.
        let inside = path.get(home.len()..)?.iter().any(|byte| matches!(byte, b'/' | b'\\'));
        inside.then(|| shown(&path))
    })
}

/// Cuts a path after the name of a source file, if it contains one: texts in a component have no terminator, so that
/// other text may follow.
fn shown(path: &[u8]) -> String {
    // `.c` would cut `.cargo`.
    const ENDINGS: [&str; 5] = [".rs", ".cpp", ".hpp", ".ts", ".py"];
    let text = String::from_utf8_lossy(path);
    let ends = ENDINGS.iter().filter_map(|ending| Some(text.find(ending)? + ending.len()));
    ends.min().map_or_else(|| text.to_string(), |end| text[..end].to_owned())
}

/// Returns the first path in a component that leads into one of these folders, for a caller that knows where it was
/// built.
pub fn path_into(component: &[u8], folders: &[&Path]) -> Option<String> {
    let folders: Vec<String> = folders.iter().map(|folder| format!("{}/", folder.display())).collect();
    let starts = component.iter().enumerate().filter(|(_, byte)| matches!(byte, b'/' | b':')).map(|(at, _)| at);
    let mut found = starts.filter(|at| {
        // `/` and other short folders occur in every text.
        folders.iter().any(|folder| folder.len() > 4 && component[*at..].starts_with(folder.as_bytes()))
    });
    let at = found.next()?;
    let is_path = |byte: &&u8| byte.is_ascii_graphic() || !byte.is_ascii();
    let path: Vec<u8> = component[at..].iter().take(SHOWN).take_while(is_path).copied().collect();
    Some(shown(&path))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{local_path, path_into};

    #[test]
    fn only_paths_into_a_home_are_found() {
        assert_eq!(local_path(b"\0\x01/home/li/erp/src/lib.rs\0").as_deref(), Some("/home/li/erp/src/lib.rs"));
        let glued = b"/home/li/.cargo/registry/src/serde-1.0/lib.rscapacity overflow";
        assert_eq!(local_path(glued).as_deref(), Some("/home/li/.cargo/registry/src/serde-1.0/lib.rs"));
        assert_eq!(local_path(b"C:\\Users\\li\\x.rs\0").as_deref(), Some(":\\Users\\li\\x.rs"));
        let known = [Path::new("/srv/erp/shared"), Path::new("/")];
        assert_eq!(path_into(b"\0/srv/erp/shared/src/lib.rs\0", &known).as_deref(), Some("/srv/erp/shared/src/lib.rs"));
        assert_eq!(path_into(b"/srv/erp/shared-more/x /x/y", &known), None);
        assert_eq!(local_path(b"/plugin/src/lib.rs /home/ /api/v1/home/x"), None);
    }
}
