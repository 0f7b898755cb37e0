//! Environment variables. No other module reads them.
//!
//! Some flags have a variable too, which clap reads. This module reads the others.

use std::ffi::OsString;
use std::path::PathBuf;

use jiff::Timestamp;
use zeroize::Zeroizing;

/// The variables that belong to no flag, with their meaning for the documentation.
pub const VARIABLES: &[(&str, &str)] = &[
    ("ERP_PLUGIN_TOKEN", "The token for `publish` and `host`."),
    ("ERP_PLUGIN_SIGNING_KEY", "A secret key as PEM, for `--key -`."),
    ("ERP_PLUGIN_KEY_PASSPHRASE", "The passphrase of a secret key."),
    ("ERP_PLUGIN_RUST_TOOLCHAIN", "The rustup toolchain that builds plugins, instead of the one that is found."),
    (
        "ERP_PLUGIN_NOW",
        "The moment that commands take for now, such as `2026-04-15T08:00:00Z`: signatures, revocations and made-up rows; for tests.",
    ),
    ("PGPASSWORD", "The password of `--database`."),
    ("NO_COLOR", "Set and not empty: no colour."),
    ("CLICOLOR_FORCE", "Set and not `0`: colour also without a terminal."),
    ("TERM", "`dumb`: no colour and no progress bars."),
    ("CI", "Set and not empty: no progress bars and no questions."),
    ("GITHUB_ACTIONS", "`true`: `check` writes annotations where no `--format` is given."),
    ("CARGO", "The cargo that builds plugins."),
    ("CARGO_HOME", "Where cargo keeps crates; its name stays out of components."),
    (
        "RUSTFLAGS",
        "Flags of rustc, also `CARGO_ENCODED_RUSTFLAGS`, `CARGO_BUILD_RUSTFLAGS` and `CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS`, as cargo takes them; release builds add their own.",
    ),
    ("CARGO_TARGET_WASM32_WASIP2_LINKER", "A linker instead of rustc's own; one that makes core modules is refused."),
    ("SOURCE_DATE_EPOCH", "The moment that release builds may stamp; 1980-01-01 where it is not set."),
    ("XDG_CACHE_HOME", "Where compiled components are kept."),
    ("XDG_CONFIG_HOME", "Where keys and the trust file are kept."),
    ("XDG_DATA_HOME", "Where the toolchain from Debian's packages is kept."),
    ("HTTPS_PROXY", "A proxy for `publish`; also `HTTP_PROXY` and `NO_PROXY`."),
];

/// The settings that environment variables hold.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `NO_COLOR` is set and not empty: no colour.
    pub no_color: bool,
    /// `CLICOLOR_FORCE` is set and not `0`: colour also without a terminal.
    pub force_color: bool,
    /// `TERM` is `dumb`: no colour and no progress bars.
    pub dumb_terminal: bool,
    /// `CI` is set and not empty: no progress bars and no questions.
    pub ci: bool,
    /// `GITHUB_ACTIONS` is `true`.
    pub github_actions: bool,
    /// `CARGO`: the cargo that builds plugins.
    pub cargo: Option<OsString>,
    /// `CARGO_HOME`, or `.cargo` in `HOME`.
    pub cargo_home: Option<PathBuf>,
    /// Flags of rustc, from `CARGO_ENCODED_RUSTFLAGS`, else from `RUSTFLAGS`.
    pub rustflags: Vec<String>,
    /// `CARGO_BUILD_RUSTFLAGS`, which applies only if no other source sets flags.
    pub build_rustflags: Vec<String>,
    /// `CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS`.
    pub target_rustflags: Vec<String>,
    /// `CARGO_TARGET_WASM32_WASIP2_LINKER`.
    pub linker: Option<String>,
    /// `ERP_PLUGIN_NOW`: the time that commands use as the current time.
    pub now: Option<String>,
    /// `SOURCE_DATE_EPOCH`: the time that release builds may stamp.
    pub source_date_epoch: Option<String>,
    /// `ERP_PLUGIN_RUST_TOOLCHAIN`: the rustup toolchain that builds plugins.
    pub rust_toolchain: Option<String>,
    /// The user's home folder: `HOME`, or `USERPROFILE`.
    pub home: Option<PathBuf>,
    /// `XDG_CACHE_HOME`.
    pub cache_home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub config_home: Option<PathBuf>,
    /// `XDG_DATA_HOME`.
    pub data_home: Option<PathBuf>,
}

impl Environment {
    /// The variables that hold secrets.
    pub(super) const SECRETS: [&str; 4] =
        ["ERP_PLUGIN_TOKEN", "ERP_PLUGIN_SIGNING_KEY", "ERP_PLUGIN_KEY_PASSPHRASE", "PGPASSWORD"];

    /// Reads the variables of this process.
    pub fn of_this_process() -> Environment {
        let flag = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
        let folder = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        Environment {
            no_color: flag("NO_COLOR"),
            force_color: variable("CLICOLOR_FORCE").is_some_and(|value| value != "0" && !value.is_empty()),
            dumb_terminal: variable("TERM").is_some_and(|value| value == "dumb"),
            ci: flag("CI"),
            github_actions: variable("GITHUB_ACTIONS").is_some_and(|value| value == "true"),
            cargo: variable("CARGO"),
            cargo_home: folder("CARGO_HOME").or_else(|| folder("HOME").map(|home| home.join(".cargo"))),
            rustflags: match text("CARGO_ENCODED_RUSTFLAGS") {
                Some(encoded) => encoded.split('\x1f').map(str::to_owned).collect(),
                None => words("RUSTFLAGS"),
            },
            build_rustflags: words("CARGO_BUILD_RUSTFLAGS"),
            target_rustflags: words("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS"),
            linker: text("CARGO_TARGET_WASM32_WASIP2_LINKER"),
            now: text("ERP_PLUGIN_NOW"),
            source_date_epoch: text("SOURCE_DATE_EPOCH"),
            rust_toolchain: text("ERP_PLUGIN_RUST_TOOLCHAIN"),
            home: folder("HOME").or_else(|| folder("USERPROFILE")),
            cache_home: folder("XDG_CACHE_HOME"),
            config_home: folder("XDG_CONFIG_HOME"),
            data_home: folder("XDG_DATA_HOME"),
        }
    }

    /// The current time for keys, signatures, revocations and receipts: `ERP_PLUGIN_NOW`, or the system clock.
    ///
    /// # Errors
    /// If `ERP_PLUGIN_NOW` is not a timestamp.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock for commands")]
    pub fn now(&self) -> Result<Timestamp, jiff::Error> {
        self.now.as_ref().map_or_else(|| Ok(Timestamp::now()), |moment| moment.parse())
    }

    /// The names of the set variables that belong to flags, so that a child process can start without them.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads variables")]
    pub(super) fn flag_variables() -> Vec<OsString> {
        let own = |name: &OsString| name.to_string_lossy().starts_with("ERP_PLUGIN_");
        // The toolchain is a property of this machine and not an option of one command.
        std::env::vars_os()
            .map(|(name, _)| name)
            .filter(|name| own(name) && name != "ERP_PLUGIN_RUST_TOOLCHAIN")
            .collect()
    }

    /// Whether `ERP_PLUGIN_FORMAT` requests JSON, for errors in a command line that clap cannot parse.
    pub fn asks_for_json() -> bool {
        text("ERP_PLUGIN_FORMAT").is_some_and(|format| format == "json")
    }

    /// `ERP_PLUGIN_TOKEN`: the token for `publish` and `host`. It is read when it is needed, and not stored.
    pub fn token() -> Option<Zeroizing<String>> {
        text("ERP_PLUGIN_TOKEN").map(Zeroizing::new)
    }

    /// `ERP_PLUGIN_SIGNING_KEY`: a secret key as PEM.
    pub fn signing_key() -> Option<Zeroizing<String>> {
        text("ERP_PLUGIN_SIGNING_KEY").map(Zeroizing::new)
    }

    /// `PGPASSWORD`: the password of a PostgreSQL database.
    pub fn database_password() -> Option<Zeroizing<String>> {
        text("PGPASSWORD").map(Zeroizing::new)
    }

    /// The value of a variable that the source of a plugin reads at compile time.
    pub fn read_by_source(name: &str) -> Option<OsString> {
        variable(name)
    }

    /// `ERP_PLUGIN_KEY_PASSPHRASE`: the passphrase of a secret key.
    pub fn key_passphrase() -> Option<Zeroizing<String>> {
        text("ERP_PLUGIN_KEY_PASSPHRASE").map(Zeroizing::new)
    }
}

fn words(name: &str) -> Vec<String> {
    text(name).iter().flat_map(|words| words.split_whitespace()).map(str::to_owned).collect()
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads variables")]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

fn text(name: &str) -> Option<String> {
    variable(name).and_then(|value| value.into_string().ok()).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_of_variables_has_every_one() {
        let page = include_str!("../../../docs/environment.md");
        for (name, meaning) in super::VARIABLES {
            assert!(page.contains(&format!("| `{name}` | {meaning} |")), "docs/environment.md lacks {name}");
        }
    }
}
