//! `/api/v1/registry`: the registry's key, and what it says of keys and packages.

use serde_json::Value;

use super::{Answer, Request, Response};
use crate::platform::Platform;
use crate::platform::permission::PLUGIN_ADMIN;

impl Platform {
    pub(super) fn registry_route(&mut self, request: &Request, path: &[&str]) -> Answer {
        match (request.method.as_str(), path) {
            ("GET", ["key"]) => {
                request.user()?;
                Ok(Response::json(200, self.registry_key()?))
            }
            ("GET", ["revocations"]) => {
                request.user()?;
                Ok(Response::json(200, self.revocations()?))
            }
            ("POST", ["revocations"]) => {
                request.require(PLUGIN_ADMIN)?;
                let more = Value::Object(request.object()?);
                Ok(Response::json(201, self.revoke(&more)?))
            }
            ("POST", ["rotations"]) => {
                request.require(PLUGIN_ADMIN)?;
                Ok(Response::json(201, self.take_rotation(&request.body)?))
            }
            _ => Err(request.no_route()),
        }
    }
}
