//! Files that are not meant to be published: keys, tokens, settings with passwords.

/// Names and endings of files that mark a secret, and what such a file holds.
const NAMES: [(&str, &str); 12] = [
    (".env", "settings of a machine"),
    ("id_rsa", "a private key"),
    ("id_ed25519", "a private key"),
    (".npmrc", "tokens of npm"),
    (".pypirc", "tokens of PyPI"),
    (".netrc", "passwords"),
    (".git-credentials", "passwords"),
    ("credentials.toml", "tokens of cargo"),
    (".pem", "a key"),
    (".p12", "a key"),
    (".pfx", "a key"),
    (".key", "a key"),
];

/// Texts that begin a secret: the prefix, the least number of characters of a token after it, and what it is.
const MARKS: [(&str, usize, &str); 33] = [
    ("-----BEGIN PRIVATE KEY-----", 0, "a private key"),
    ("-----BEGIN ENCRYPTED PRIVATE KEY-----", 0, "a private key"),
    ("-----BEGIN RSA PRIVATE KEY-----", 0, "a private key"),
    ("-----BEGIN EC PRIVATE KEY-----", 0, "a private key"),
    ("-----BEGIN OPENSSH PRIVATE KEY-----", 0, "a private key"),
    ("-----BEGIN PGP PRIVATE KEY BLOCK-----", 0, "a private key"),
    ("AKIA", 16, "a key of AWS"),
    ("ASIA", 16, "a key of AWS"),
    ("LTAI", 16, "a key of Alibaba Cloud"),
    ("AKID", 32, "a key of Tencent Cloud"),
    ("AKLT", 40, "a key of Volcengine"),
    ("HPUA", 16, "a key of Huawei Cloud"),
    ("ALTAK", 20, "a key of Baidu AI Cloud"),
    ("JDC_", 28, "a key of JD Cloud"),
    ("gitee_pat_", 32, "a token of Gitee"),
    ("gho_", 36, "a token of GitHub"),
    ("ghs_", 36, "a token of GitHub"),
    ("ghu_", 36, "a token of GitHub"),
    ("ghr_", 36, "a token of GitHub"),
    ("gldt-", 20, "a token of GitLab"),
    ("glrt-", 20, "a token of GitLab"),
    ("ATBB", 24, "a token of Bitbucket"),
    ("cio", 32, "a token of crates.io"),
    ("sk-ant-", 40, "a key of Anthropic"),
    ("ghp_", 36, "a token of GitHub"),
    ("github_pat_", 40, "a token of GitHub"),
    ("glpat-", 20, "a token of GitLab"),
    ("xoxb-", 20, "a token of Slack"),
    ("xoxp-", 20, "a token of Slack"),
    ("npm_", 36, "a token of npm"),
    ("pypi-AgE", 40, "a token of PyPI"),
    ("sk_live_", 20, "a key of Stripe"),
    ("AIza", 35, "a key of Google"),
];

/// Something that looks like a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundSecret {
    /// What it looks like.
    pub what: &'static str,
    /// Its line, from 1; none if the file's name marks the secret.
    pub line: Option<usize>,
}

/// Finds what in a file looks like a secret: first by its name, then by its text. The text itself is not returned.
pub fn find_secret(name: &str, bytes: &[u8]) -> Option<FoundSecret> {
    let file = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    let public = file.ends_with(".pub.pem");
    let is_named = |known: &str| file == known || (known.starts_with('.') && file.ends_with(known) && !public);
    if let Some((_, what)) =
        NAMES.iter().find(|(known, _)| is_named(known) || (*known == ".env" && file.starts_with(".env.")))
    {
        return Some(FoundSecret { what, line: None });
    }
    MARKS.iter().find_map(|(mark, follows, what)| {
        let at = find_mark(bytes, mark.as_bytes(), *follows)?;
        let line = bytes[..at].split(|byte| *byte == b'\n').count();
        Some(FoundSecret { what, line: Some(line) })
    })
}

/// Finds a token in a built component. The heads of key files do not count: every library that reads keys holds them.
pub fn find_token(component: &[u8]) -> Option<&'static str> {
    let tokens = MARKS.iter().filter(|(_, follows, _)| *follows > 0);
    tokens.into_iter().find_map(|(mark, follows, what)| find_mark(component, mark.as_bytes(), *follows).map(|_| *what))
}

fn find_mark(bytes: &[u8], mark: &[u8], follows: usize) -> Option<usize> {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let first = *mark.first()?;
    let starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == first).map(|(at, _)| at);
    starts.filter(|at| bytes[*at..].starts_with(mark)).find(|at| {
        // The middle of a longer word is no token.
        let begins = follows == 0 || *at == 0 || !is_token(&bytes[*at - 1]);
        let token = bytes.get(*at + mark.len()..*at + mark.len() + follows);
        begins && token.is_some_and(|token| token.iter().all(is_token))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_by_name_and_by_text() {
        let what = |name: &str, text: &str| find_secret(name, text.as_bytes()).map(|found| found.what);
        assert_eq!(what("assets/.env", ""), Some("settings of a machine"));
        assert_eq!(what("assets/.env.production", ""), Some("settings of a machine"));
        assert_eq!(what("assets/server.key", ""), Some("a key"));
        assert_eq!(what("assets/own.pub.pem", "-----BEGIN PUBLIC KEY-----"), None);
        let token = format!("a\nb = \"ghp_{}\"", "a1B2".repeat(9));
        assert_eq!(
            find_secret("x.js", token.as_bytes()),
            Some(FoundSecret { what: "a token of GitHub", line: Some(2) })
        );
        assert_eq!(what("x.js", "AKIA is a word, and MAKIAABCDEFGHIJKLMNOPQ is a longer one"), None);
        assert_eq!(what("README.md", "keep your npm_token secret"), None);
        for (mark, follows, kind) in MARKS {
            let token = "aB3".repeat(follows)[..follows].to_owned();
            assert_eq!(what("x.js", &format!("x = '{mark}{token}'")), Some(kind), "{mark}");
            if follows > 0 {
                assert_eq!(what("x.js", &format!("x = '{mark}'")), None, "{mark} alone is a word");
            }
        }
    }
}
