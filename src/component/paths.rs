//! Names of folders of the machine that built a component: they tell a stranger who built it, and no two machines
//! build the same.

/// Where people's own folders begin, on the systems that plugins are built on.
const HOMES: [&str; 4] = ["/home/", "/Users/", "/root/", ":\\Users\\"];
/// Bytes of a path that are shown.
const SHOWN: usize = 80;

/// The first path into somebody's own folder that is in a component.
pub fn local_path(component: &[u8]) -> Option<String> {
    let starts = component.iter().enumerate().filter(|(_, byte)| matches!(byte, b'/' | b':'));
    let mut starts =
        starts.map(|(at, _)| at).filter(|at| HOMES.iter().any(|home| component[*at..].starts_with(home.as_bytes())));
    starts.find_map(|at| {
        let is_path = |byte: &&u8| byte.is_ascii_graphic() || !byte.is_ascii();
        let path: Vec<u8> = component[at..].iter().take(SHOWN).take_while(is_path).copied().collect();
        let home = HOMES.iter().find(|home| path.starts_with(home.as_bytes()))?;
        // Something must stand behind it: `/home/` alone may be a word of the plugin's own.
        let inside = path.get(home.len()..)?.iter().any(|byte| matches!(byte, b'/' | b'\\'));
        inside.then(|| String::from_utf8_lossy(&path).into_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::local_path;

    #[test]
    fn only_paths_into_a_home_are_found() {
        assert_eq!(local_path(b"\0\x01/home/li/erp/src/lib.rs\0").as_deref(), Some("/home/li/erp/src/lib.rs"));
        assert_eq!(local_path(b"C:\\Users\\li\\x.rs\0").as_deref(), Some(":\\Users\\li\\x.rs"));
        assert_eq!(local_path(b"/plugin/src/lib.rs /home/ /api/v1/home/x"), None);
    }
}
