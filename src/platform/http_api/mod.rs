//! The HTTP API as data: each route stands here once, with its path, who may use it, what it takes, what it gives and
//! what answering it touches.
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
//! A new route: a name and an entry in `routes.rs`, and the arm that the compiler asks for.

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
