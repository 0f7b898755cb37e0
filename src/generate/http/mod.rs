//! The HTTP API that the platform gives to the entities of plugins: described as OpenAPI, and as a client in TypeScript.

mod model;
mod openapi;
mod typescript;

pub use openapi::openapi;
pub use typescript::typescript_client;
