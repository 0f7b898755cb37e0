//! The platform's contract on a loopback port: the HTTP server around `platform`.

mod place;
mod plugin_folder;
mod server;
mod state_folder;

pub use place::HostPlace;
pub use plugin_folder::{FolderEvent, FolderOutcome, PluginFolder, Settling};
pub use server::{DevHost, DevHostError, Options};
pub use state_folder::{StateFolder, StateFolderError, Token};
