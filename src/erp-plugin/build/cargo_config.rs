//! Settings that users give cargo outside `Cargo.toml`: flags of rustc, linkers and profiles, in configuration files
//! and environment variables.
//!
//! cargo does not print them on its stable channel, so this module reads the files by the rules of cargo's manual. The
//! file of a folder takes precedence over those of its parents, and the file in cargo's home comes last.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use cargo_metadata::cargo_platform::{Cfg, Platform};
use erp_manifest::digest::sha256_hex;

use super::toolchain::TARGET;

/// The part of `rustc --print cfg` for [`TARGET`] that people use in conditions.
const CONDITIONS: [&str; 9] = [
    "panic=\"abort\"",
    "target_abi=\"\"",
    "target_arch=\"wasm32\"",
    "target_endian=\"little\"",
    "target_env=\"p2\"",
    "target_family=\"wasm\"",
    "target_os=\"wasi\"",
    "target_pointer_width=\"32\"",
    "target_vendor=\"unknown\"",
];

/// Settings of cargo from environment variables.
#[derive(Debug, Clone, Default)]
pub struct CargoVariables {
    /// `CARGO_ENCODED_RUSTFLAGS`, else `RUSTFLAGS`: they replace all other flags.
    pub rustflags: Vec<String>,
    /// `CARGO_BUILD_RUSTFLAGS`.
    pub build_rustflags: Vec<String>,
    /// `CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS`.
    pub target_rustflags: Vec<String>,
    /// `CARGO_TARGET_WASM32_WASIP2_LINKER`.
    pub linker: Option<String>,
    /// `CARGO_HOME`, else `.cargo` in the user's home.
    pub home: Option<PathBuf>,
}

/// A linker that a file or a variable configures, with the place that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedLinker {
    /// The linker's name or path.
    pub linker: String,
    /// The file or the variable that names it.
    pub place: String,
}

/// The part of cargo's configuration that affects builds of plugins.
#[derive(Debug, Clone, Default)]
pub struct CargoConfig {
    /// Flags of `[build]`, which flags on the command line would replace; empty where cargo ignores them.
    pub(super) build_rustflags: Vec<String>,
    /// The configured linker; none where rustc's own is used.
    pub(super) linker: Option<NamedLinker>,
    /// SHA-256 of all settings that affect the output.
    pub(super) digest: String,
}

impl CargoConfig {
    /// Returns the SHA-256 of all settings that affect the output.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Reads the configuration for a project in `root`, an absolute path.
    pub fn read(root: &Path, variables: &CargoVariables) -> CargoConfig {
        let mut folders: Vec<PathBuf> = root.ancestors().map(|folder| folder.join(".cargo")).collect();
        folders.extend(variables.home.clone());
        folders.dedup();
        let mut files = Vec::new();
        for folder in folders {
            let file = ["config", "config.toml"].map(|name| folder.join(name)).into_iter().find(|file| file.is_file());
            let Some(file) = file.filter(|file| files.iter().all(|(known, _)| known != file)) else { continue };
            // cargo itself reports a file that it cannot read.
            if let Some(table) = fs_err::read_to_string(&file).ok().and_then(|text| text.parse::<toml::Table>().ok()) {
                files.push((file, table));
            }
        }
        let mut build_rustflags = Vec::new();
        let mut target_rustflags = Vec::new();
        // Lists are joined; the values of nearer files come later.
        for (_, table) in files.iter().rev() {
            build_rustflags.extend(words(table.get("build").and_then(|build| build.get("rustflags"))));
            for target in targets(table) {
                target_rustflags.extend(words(target.get("rustflags")));
            }
        }
        build_rustflags.extend(variables.build_rustflags.iter().cloned());
        target_rustflags.extend(variables.target_rustflags.iter().cloned());
        let linker = variables.linker.clone().map(|linker| NamedLinker {
            linker,
            place: format!("CARGO_TARGET_{}_LINKER", TARGET.to_uppercase().replace('-', "_")),
        });
        let linker = linker.or_else(|| {
            files.iter().find_map(|(file, table)| {
                let linker = targets(table).find_map(|target| target.get("linker")?.as_str());
                linker.map(|linker| NamedLinker { linker: linker.to_owned(), place: file.display().to_string() })
            })
        });
        let profiles: Vec<&toml::Value> = files.iter().filter_map(|(_, table)| table.get("profile")).collect();
        let variables_win = !variables.rustflags.is_empty();
        let flags = if variables_win { &variables.rustflags } else { &target_rustflags };
        let digest = sha256_hex(
            format!("{flags:?}\n{build_rustflags:?}\n{:?}\n{profiles:?}", linker.as_ref().map(|named| &named.linker))
                .as_bytes(),
        );
        // cargo uses the flags of `[build]` only where no other place sets flags.
        if variables_win || !target_rustflags.is_empty() {
            build_rustflags.clear();
        }
        CargoConfig { build_rustflags, linker, digest }
    }
}

/// The tables of `[target]` that apply to [`TARGET`].
fn targets(table: &toml::Table) -> impl Iterator<Item = &toml::Value> {
    let conditions: Vec<Cfg> = CONDITIONS.iter().filter_map(|condition| Cfg::from_str(condition).ok()).collect();
    let all = table.get("target").and_then(toml::Value::as_table).into_iter().flatten();
    all.filter(move |(name, _)| Platform::from_str(name).is_ok_and(|platform| platform.matches(TARGET, &conditions)))
        .map(|(_, target)| target)
}

/// Flags in either form that cargo accepts: a list, or a text that is split at spaces.
fn words(value: Option<&toml::Value>) -> Vec<String> {
    match value {
        Some(toml::Value::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
        Some(toml::Value::Array(list)) => list.iter().filter_map(|flag| flag.as_str()).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str, variables: &CargoVariables) -> CargoConfig {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir(folder.path().join(".cargo")).unwrap();
        erp_files::write(&folder.path().join(".cargo/config.toml"), text.as_bytes(), erp_files::FileAccess::Shared)
            .unwrap();
        CargoConfig::read(&fs_err::canonicalize(folder.path()).unwrap(), variables)
    }

    #[test]
    fn flags_of_the_build_count_where_nothing_else_names_flags() {
        let none = CargoVariables::default();
        let flags = |text: &str, variables: &CargoVariables| config(text, variables).build_rustflags;
        assert_eq!(flags("[build]\nrustflags = \"--cfg a\"", &none), ["--cfg", "a"]);
        assert_eq!(flags("[build]\nrustflags = [\"--cfg\", \"a b\"]", &none), ["--cfg", "a b"]);
        let own = "[build]\nrustflags = \"-a\"\n[target.wasm32-wasip2]\nrustflags = [\"-b\"]";
        assert_eq!(flags(own, &none), [""; 0]);
        let by_condition =
            "[build]\nrustflags = \"-a\"\n[target.'cfg(target_family = \"wasm\")']\nrustflags = [\"-b\"]";
        assert_eq!(flags(by_condition, &none), [""; 0]);
        let of_others = "[build]\nrustflags = \"-a\"\n[target.'cfg(unix)']\nrustflags = [\"-b\"]";
        assert_eq!(flags(of_others, &none), ["-a"]);
        let variables = CargoVariables { build_rustflags: vec!["-v".to_owned()], ..none.clone() };
        assert_eq!(flags("[build]\nrustflags = \"-a\"", &variables), ["-a", "-v"]);
        let variables = CargoVariables { rustflags: vec!["-v".to_owned()], ..none };
        assert_eq!(flags("[build]\nrustflags = \"-a\"", &variables), [""; 0]);
    }

    #[test]
    fn a_linker_is_known_by_the_place_that_names_it() {
        let none = CargoVariables::default();
        let named = config("[target.wasm32-wasip2]\nlinker = \"rust-lld\"", &none).linker.unwrap();
        assert_eq!(named.linker, "rust-lld");
        assert!(named.place.ends_with("config.toml"));
        assert_eq!(config("[target.x86_64-unknown-linux-gnu]\nlinker = \"clang\"", &none).linker, None);
        let variables = CargoVariables { linker: Some("own".to_owned()), ..none.clone() };
        assert_eq!(config("", &variables).linker.unwrap().place, "CARGO_TARGET_WASM32_WASIP2_LINKER");
        assert_ne!(config("", &variables).digest, config("", &none).digest);
    }
}
