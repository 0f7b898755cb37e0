//! What the platform's own modules give to plugins: users, departments and roles, which fields and events refer to.

use serde_json::{Value, json};

use super::{Answer, Request, Response};
use crate::platform::{Identity, Platform};

/// Events that the platform's own modules tell, each with a payload as an example. Their names are the platform's; the
/// payloads are what is known of them (`docs/http-api.md` says so too).
pub const BASE_EVENTS: [(&str, &str); 12] = [
    ("user.created", r#"{"user_id":"<user>","name":"李雷"}"#),
    ("user.updated", r#"{"user_id":"<user>","name":"李雷"}"#),
    ("user.deleted", r#"{"user_id":"<user>"}"#),
    ("department.created", r#"{"department_id":"sales","name":"销售部","parent_id":null}"#),
    ("department.updated", r#"{"department_id":"sales","name":"销售一部","parent_id":null}"#),
    ("role.created", r#"{"role":"clerk","permissions":[]}"#),
    ("role.updated", r#"{"role":"clerk","permissions":[]}"#),
    ("workflow.instance.started", r#"{"instance_id":"<id>","workflow":"approval","entity":"","row_id":"<id>"}"#),
    ("workflow.instance.completed", r#"{"instance_id":"<id>","workflow":"approval","outcome":"approved"}"#),
    ("workflow.task.created", r#"{"task_id":"<id>","instance_id":"<id>","assignee":"<user>"}"#),
    ("workflow.task.completed", r#"{"task_id":"<id>","instance_id":"<id>","outcome":"approved"}"#),
    ("message.sent", r#"{"message_id":"<id>","to":"<user>","channel":"inbox","subject":""}"#),
];

impl Platform {
    /// `/api/v1/users`, `/departments`, `/roles`: those of the user's tenant, to look at and to refer to.
    pub(super) fn base(&self, request: &Request, path: &[&str]) -> Answer {
        let own = request.user()?;
        if request.method != "GET" {
            return Err(request.no_route());
        }
        let directory = &self.directory;
        let colleagues = || directory.users().filter(|user| user.tenant == own.tenant);
        match path {
            ["users"] => {
                request.only(&["search"])?;
                let wanted = request.query("search").unwrap_or_default().to_lowercase();
                let found = colleagues().filter(|user| user.caller.name.to_lowercase().contains(&wanted));
                Ok(Response::json(200, json!({ "items": found.map(user_json).collect::<Vec<_>>() })))
            }
            ["users", "me"] => Ok(Response::json(200, user_json(own))),
            ["users", id] => colleagues()
                .find(|user| user.caller.id == *id)
                .map(|user| Response::json(200, user_json(user)))
                .ok_or_else(|| request.no_route()),
            ["departments"] => {
                let departments = directory.departments().map(|(id, parent)| {
                    let members =
                        colleagues().filter(|user| user.caller.department.as_ref().is_some_and(|own| own.id == id));
                    json!({ "id": id, "name": id, "parent_id": parent, "users": members.count() })
                });
                Ok(Response::json(200, json!({ "items": departments.collect::<Vec<_>>() })))
            }
            ["roles"] => {
                let mut roles: Vec<Value> = Vec::new();
                for user in colleagues() {
                    let role = user.caller.name.split('@').next().unwrap_or_default();
                    roles.push(json!({ "role": role, "permissions": user.caller.permissions }));
                }
                Ok(Response::json(200, json!({ "items": roles })))
            }
            _ => Err(request.no_route()),
        }
    }
}

fn user_json(user: &Identity) -> Value {
    json!({
        "id": user.caller.id, "name": user.caller.name, "tenant": user.tenant, "permissions": user.caller.permissions,
        "department_id": user.caller.department.as_ref().map(|department| department.id.clone()),
    })
}
