//! The platform on this machine: plugins and their lifecycle, users, events, and the HTTP API
//! as a function from request to response.
//!
//! ```
//! use std::sync::Arc;
//!
//! use erp_platform::{Directory, Platform, Request};
//! use erp_runtime::{Compilation, Runtime, Surroundings};
//! use erp_store::Database;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = Arc::new(Runtime::new(Compilation::default())?);
//! let mut platform =
//!     Platform::new(runtime, Database::in_memory()?, Surroundings::of_this_machine(), Directory::default());
//! assert_eq!(platform.handle(&Request::new("GET", "/api/v1/plugins/erp-demo/item")).status, 401);
//! # Ok(())
//! # }
//! ```
//!
//! Scenarios and the dev host both use this crate, so that a test and a client of the dev host see the
//! same behaviour. It opens no socket. Its HTTP API is stable; its types change with the program.

mod activity;
mod api;
mod attempts;
mod call;
mod compiler;
mod data;
mod delivery;
mod dependencies;
mod directory;
mod exports;
mod gate;
pub mod http_api;
mod image;
mod labels;
mod lane;
mod lifecycle;
mod nodes;
mod origin;
mod otlp;
mod pages;
mod platform_error;
mod project_version;
mod registry;
mod settings;
mod state;
mod triggers;
mod unit;
mod upgrade;
mod upload;

pub use activity::{Activity, CallRecord, Counters};
pub use api::{Body, ModelRoutes, Request, Response, RowPage, media_type};
pub use compiler::PackageCompiler;
pub use data::PlatformData;
pub use delivery::Deliveries;
pub use directory::{Directory, Identity};
pub use exports::ExportCalls;
pub use gate::{Admission, AdmissionCheck, AdmittedPackage, Gate, Registrar};
pub use image::PlatformImage;
pub use lane::Snapshot;
pub use lifecycle::Lifecycle;
pub use nodes::{NodeRequest, NodeResult, Nodes};
pub use origin::{Origin, WorkBounds};
pub use pages::Pages;
pub use platform_error::PlatformError;
pub use project_version::ProjectVersion;
pub use settings::CallSettings;
pub use state::{Platform, PluginFiles};
pub use upgrade::VersionRule;
pub use upload::{UploadReceipt, package_of_parts};
