//! Where a project's source comes from, as git knows it.

use std::path::Path;
use std::process::{Command, Stdio};

/// The source of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRevision {
    /// Where others find it; none where no remote is set.
    pub repository: Option<String>,
    /// The commit.
    pub commit: String,
    /// Files were changed since.
    pub is_modified: bool,
}

impl SourceRevision {
    /// The revision of a folder; none where it is in no repository of git, or there is no git.
    pub fn of(folder: &Path) -> Option<SourceRevision> {
        let commit = git(folder, &["rev-parse", "HEAD"])?;
        let changes = git(folder, &["status", "--porcelain", "--untracked-files=no", "--", "."]);
        Some(SourceRevision {
            repository: git(folder, &["remote", "get-url", "origin"]).map(|url| without_secrets(&url)),
            commit,
            is_modified: changes.is_none_or(|changes| !changes.is_empty()),
        })
    }
}

/// The address without a user and a password, which belong to whoever cloned it.
fn without_secrets(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) =
                rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, format!("/{path}")));
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            format!("{scheme}://{host}{path}")
        }
        None => url.to_owned(),
    }
}

fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .current_dir(folder)
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
    #[test]
    fn passwords_of_a_remote_are_left_out() {
        assert_eq!(
            super::without_secrets("https://me:secret@git.example.com/a/b.git"),
            "https://git.example.com/a/b.git"
        );
        assert_eq!(super::without_secrets("https://git.example.com/a@b.git"), "https://git.example.com/a@b.git");
        assert_eq!(super::without_secrets("git@git.example.com:a/b.git"), "git@git.example.com:a/b.git");
    }
}
