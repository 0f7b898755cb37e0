//! The platform's contract on a loopback port: the HTTP server around `platform`.

mod place;
mod server;
mod state_folder;

pub use place::HostPlace;
pub use server::{DevHost, DevHostError, Options};
pub use state_folder::{StateFolder, StateFolderError, Token};
