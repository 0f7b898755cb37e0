//! `/api/v1/registry`: the registry's key, and what it says of keys and packages.

use serde_json::Value;

use super::{Answer, Request, Response, no_route, object, require};
use crate::platform::Platform;

impl Platform {
    pub(super) fn registry_route(&mut self, request: &Request, path: &[&str]) -> Answer {
        match (request.method.as_str(), path) {
            ("GET", ["key"]) => Ok(Response::json(200, self.registry_key()?)),
            ("GET", ["revocations"]) => Ok(Response::json(200, self.revocations()?)),
            ("POST", ["revocations"]) => {
                require(request, "plugin.admin")?;
                let more = Value::Object(object(request)?);
                Ok(Response::json(201, self.revoke(&more)?))
            }
            ("POST", ["rotations"]) => {
                require(request, "plugin.admin")?;
                Ok(Response::json(201, self.take_rotation(&request.body)?))
            }
            _ => Err(no_route(request)),
        }
    }
}
