//! The origin of a project's source, as git reports it.

use std::path::Path;
use std::process::Stdio;

use crate::settings::command;

/// The origin of a project's source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRevision {
    /// The public address of `origin`; none where there is no such remote or its address is not public.
    pub repository: Option<String>,
    /// The commit.
    pub commit: String,
    /// Whether files differ from the commit; also true where git cannot list them.
    pub is_modified: bool,
}

impl SourceRevision {
    /// Returns the revision of a folder; none where it is in no git repository or git is missing.
    pub fn of(folder: &Path) -> Option<SourceRevision> {
        let commit = git(folder, &["rev-parse", "HEAD"])?;
        let changes =
            git(folder, &["status", "--porcelain", "--untracked-files=normal", "--", ".", ":!target", ":!dist"]);
        Some(SourceRevision {
            repository: git(folder, &["remote", "get-url", "origin"]).and_then(|url| public_address(&url)),
            commit,
            is_modified: changes.is_none_or(|changes| !changes.is_empty()),
        })
    }
}

/// Returns an address without user, password and query, which belong to the person who cloned it. None for a folder of
/// this machine.
fn public_address(url: &str) -> Option<String> {
    if let Some((scheme, rest)) = url.split_once("://") {
        let rest = rest.split(['?', '#']).next().unwrap_or(rest);
        let (host, path) = rest.split_once('/')?;
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        return matches!(scheme, "https" | "ssh" | "git").then(|| format!("{scheme}://{host}/{path}"));
    }
    // `git@host:path`, and not a path of this machine.
    let (host, path) = url.split_once(':')?;
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    (!host.contains('/') && host.contains('.')).then(|| format!("ssh://{host}/{}", path.trim_start_matches('/')))
}

fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = command("git")
        .current_dir(folder)
        // With the repository's own settings, git could run programs.
        .args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"])
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::public_address;

    #[test]
    fn only_what_others_may_know_is_told() {
        let known = |url| public_address(url);
        assert_eq!(
            known("https://me:secret@git.example.com/a/b.git?x=1").as_deref(),
            Some("https://git.example.com/a/b.git")
        );
        assert_eq!(known("https://git.example.com/a@b.git").as_deref(), Some("https://git.example.com/a@b.git"));
        assert_eq!(known("git@git.example.com:a/b.git").as_deref(), Some("ssh://git.example.com/a/b.git"));
        for own in ["/home/li/mirror.git", "file:///home/li/mirror.git", "../mirror", "C:/mirror"] {
            assert_eq!(known(own), None, "{own}");
        }
    }
}
