//! The dev host: an HTTP server around `platform` on a loopback port, the projects that it follows, and the console.

mod call_book;
mod console;
mod followers;
mod form;
mod frames;
mod host;
mod hosted_platform;
mod http;
mod journal;
mod lanes;
mod place;
mod plugin_folder;
mod projects;
mod queues;
mod record;
mod request_body;
mod routes;
mod server;
mod shared;
mod slow_reads;
mod sockets;
mod state_folder;
mod stream;
mod terminal;
mod workshop;

pub use place::HostPlace;
pub use plugin_folder::{FolderEvent, FolderOutcome, PluginFolder, SettlingRule};
pub use server::{DevHost, DevHostError, Options, outlives_panics};
pub use state_folder::{StateFolder, StateFolderError, UserToken};
pub use workshop::{
    CheckedProject, FailureStage, FittingComponent, ProjectBuild, ProjectFailure, ProjectPlace, ProjectTools,
};
