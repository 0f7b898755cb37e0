//! A hermetic place to run the program in.

mod client;
pub mod expensive;
pub mod faulty;
mod guest;
pub mod hostile;
mod http;
mod postgres;
mod random;
mod sandbox;
pub mod zips;

pub use client::Client;
pub use guest::{buildable, debug_component, fixture_component, fixture_project, one_build, template_component};
pub use http::{Answer, FaultServer, request};
pub use postgres::{empty_database, postgres_address, postgres_url};
pub use random::Random;
pub use sandbox::{DevHost, Sandbox, erp_plugin, repository};

use std::path::Path;

/// Compares a text with a file of expected output; with `ERP_PLUGIN_BLESS=1`, writes the file instead.
pub fn expect_file(file: &Path, actual: &str) {
    if std::env::var_os("ERP_PLUGIN_BLESS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, actual).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        expected == actual,
        "{} is not up to date (ERP_PLUGIN_BLESS=1 writes it anew).\n--- expected\n{expected}\n--- actual\n{actual}",
        file.display()
    );
}
