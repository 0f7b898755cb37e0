//! The HTTP API as data: each route stands here once, with its path, who may use it, what it takes, what it gives and
//! what answering it touches.
//!
//! ```text
//! routes ──┬── matching      which route a request has
//!          ├── platform      who may, which keys, which function answers
//!          ├── dev_host      which threads answer
//!          ├── generate      OpenAPI
//!          └── docs/http-api.md
//! ```
//!
//! A new route: a name in `operation.rs`, an entry in `routes.rs`, and the arm that the compiler asks for.

mod access;
mod matching;
mod operation;
mod reference;
mod route;
mod routes;
mod schemas;
mod shape;

pub use access::{PLATFORM_PERMISSIONS, PLUGIN_ADMIN};
pub use matching::{Match, find};
pub use operation::{HostOperation, Operation, PlatformOperation};
pub use reference::reference_table;
pub use route::{Access, Effect, Exists, Method, QueryKey, QueryValue, Route};
pub use routes::ROUTES;
pub use schemas::{reference, schemas};
pub use shape::{Request as RequestBody, Shape};
