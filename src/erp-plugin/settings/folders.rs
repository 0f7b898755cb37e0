//! The user's folders, according to the XDG base directory specification.

use std::path::PathBuf;

use super::Environment;

/// The folders for this user's files. Elsewhere, the program writes only to the project and to files that flags name.
#[derive(Debug, Clone)]
pub struct Folders {
    /// Files that can be created again: compiled components.
    pub cache: Option<PathBuf>,
    /// Keys and the trust file.
    pub config: Option<PathBuf>,
    /// The toolchain from Debian's packages.
    pub data: Option<PathBuf>,
}

impl Folders {
    /// The folders that the environment names, or the XDG defaults in the home folder.
    pub fn of(environment: &Environment) -> Folders {
        let under = |explicit: &Option<PathBuf>, default: &str| {
            explicit
                .clone()
                .or_else(|| environment.home.as_ref().map(|home| home.join(default)))
                .map(|folder| folder.join("erp-plugin"))
        };
        Folders {
            cache: under(&environment.cache_home, ".cache"),
            config: under(&environment.config_home, ".config"),
            data: under(&environment.data_home, ".local/share"),
        }
    }
}
