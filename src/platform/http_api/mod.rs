//! The HTTP API as data. Each route is declared once, with its path, its access, its request, its response and its
//! effect.
//!
//! ```text
//! routes ──┬── matching      which route a request has
//!          ├── platform      who may, which keys, which function answers
//!          ├── dev_host      which threads answer
//!          ├── openapi       the description for other programs
//!          ├── generate      clients
//!          └── docs/http-api.md
//! ```
//!
//! To add a route, add a name and an entry in `routes.rs`, and the match arm that the compiler then requires.

mod docs_table;
mod entity;
mod matching;
mod openapi;
mod permissions;
mod route;
mod routes;
mod schemas;
mod shape;

pub use docs_table::docs_table;
pub use entity::{ApiEntity, ApiField, ValueKind};
pub use matching::{Match, find};
pub use openapi::openapi;
pub use permissions::{PLATFORM_PERMISSIONS, PLUGIN_ADMIN};
pub use route::{Access, Effect, Exists, Method, QueryKey, QueryValue, Route};
pub use routes::{HostOperation, Operation, PlatformOperation, ROUTES};
pub use schemas::{reference, schemas};
pub use shape::{BodyShape, RequestShape as RequestBody};
