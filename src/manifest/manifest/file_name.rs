//! The rule for names of files in projects and packages: a valid name means the same on every file system.

/// The maximum length of a name, in bytes.
const MAX_BYTES: usize = 200;
/// The maximum number of folders in a name.
const MAX_FOLDERS: usize = 7;
/// The maximum length of one part of a name, in bytes.
const MAX_PART_BYTES: usize = 100;

/// Returns why a name is refused; `None` for a valid name.
pub fn name_problem(name: &str) -> Option<String> {
    if name.is_empty() || name.len() > MAX_BYTES {
        return Some(format!("a name has 1 to {MAX_BYTES} bytes"));
    }
    let parts: Vec<&str> = name.split('/').collect();
    if parts.len() > MAX_FOLDERS + 1 {
        return Some(format!("more than {MAX_FOLDERS} folders deep"));
    }
    parts.into_iter().find_map(|part| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let stem = part.split('.').next().unwrap_or(part).to_ascii_lowercase();
        let numbered = |prefix: &str| {
            stem.strip_prefix(prefix).is_some_and(|rest| rest.len() == 1 && rest.as_bytes()[0].is_ascii_digit())
        };
        if part.is_empty() {
            Some("an empty part: it begins or ends with a slash, or has two in a row".to_owned())
        } else if part.len() > MAX_PART_BYTES {
            Some(format!("`{part}` has more than {MAX_PART_BYTES} bytes"))
        } else if !part.bytes().all(allowed) {
            Some("only ASCII letters, digits, `.`, `_` and `-` are allowed".to_owned())
        } else if part.starts_with(['.', '-']) || part.ends_with('.') {
            Some(format!("`{part}` begins with `.` or `-`, or ends with `.`"))
        } else if matches!(stem.as_str(), "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt") {
            Some(format!("`{part}` is the name of a device on Windows"))
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_the_folder_or_mean_two_things_are_refused() {
        for bad in [
            "",
            "../x",
            "a/../x",
            "/abs",
            "//abs",
            "C:\\x",
            "a\\b",
            "./a",
            "a//b",
            "a/",
            "nul",
            "con.json",
            "COM1",
            "a.",
            "名.json",
            "a\0b",
            "a:b",
            " a",
            ".env",
            "a/b/c/d/e/f/g/h/i",
        ] {
            assert!(name_problem(bad).is_some(), "{bad:?}");
        }
        for good in
            ["component.wasm", "META/release.dsse.json", "assets/logo.svg", "i18n/zh-CN.json", "a/b/c/d/e/f/g/h", "_x"]
        {
            assert_eq!(name_problem(good), None, "{good:?}");
        }
    }
}
