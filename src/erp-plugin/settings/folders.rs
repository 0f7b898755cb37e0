//! The user's folders, after the XDG base directory specification.

use std::path::PathBuf;

use super::Environment;

/// Where things of this user are kept. Nothing is written outside of them and the project.
#[derive(Debug, Clone)]
pub struct Folders {
    /// What can be made anew: compiled components.
    pub cache: Option<PathBuf>,
    /// Keys and the trust file.
    pub config: Option<PathBuf>,
    /// The toolchain from Debian's packages.
    pub data: Option<PathBuf>,
}

impl Folders {
    /// The folders that the environment names.
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
