//! Data of the platform's base modules, which fields and events refer to: users, departments and roles.

use serde_json::{Value, json};

use super::{Answer, Request, Response};
use crate::{Identity, Platform, PlatformError};

/// The routes of users, departments and roles.
#[derive(Debug)]
pub(crate) struct DirectoryRoutes<'p> {
    pub(crate) platform: &'p Platform,
}

impl DirectoryRoutes<'_> {
    fn colleagues(&self, request: &Request) -> Result<Vec<&Identity>, PlatformError> {
        let own = request.user()?;
        Ok(self.platform.directory.users().filter(|user| user.tenant == own.tenant).collect())
    }

    pub(super) fn users(&self, request: &Request) -> Answer {
        let wanted = request.query("search").unwrap_or_default().to_lowercase();
        let users = self.colleagues(request)?.into_iter();
        let found = users.filter(|user| user.caller.name.to_lowercase().contains(&wanted)).map(user_json);
        Ok(Response::json(200, json!({ "items": found.collect::<Vec<_>>() })))
    }

    pub(super) fn user(&self, request: &Request, id: &str) -> Answer {
        let found = self.colleagues(request)?.into_iter().find(|user| user.caller.id == id);
        found.map(|user| Response::json(200, user_json(user))).ok_or_else(|| request.no_route())
    }

    pub(super) fn departments(&self, request: &Request) -> Answer {
        let colleagues = self.colleagues(request)?;
        let departments = self.platform.directory.departments().map(|(id, parent)| {
            let is_member = |user: &&&Identity| user.caller.department.as_ref().is_some_and(|own| own.id == id);
            let members = colleagues.iter().filter(is_member).count();
            json!({ "id": id, "name": id, "parent_id": parent, "users": members })
        });
        Ok(Response::json(200, json!({ "items": departments.collect::<Vec<_>>() })))
    }

    pub(super) fn roles(&self, request: &Request) -> Answer {
        let roles = self.colleagues(request)?.into_iter().map(|user| {
            let role = user.caller.name.split('@').next().unwrap_or_default();
            json!({ "role": role, "permissions": user.caller.permissions })
        });
        Ok(Response::json(200, json!({ "items": roles.collect::<Vec<_>>() })))
    }
}

pub(super) fn user_json(user: &Identity) -> Value {
    json!({
        "id": user.caller.id, "name": user.caller.name, "tenant": user.tenant, "permissions": user.caller.permissions,
        "department_id": user.caller.department.as_ref().map(|department| department.id.clone()),
    })
}
