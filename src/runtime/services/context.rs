//! Host functions about the calling user and their permissions.

use erp_manifest::PermissionCode;
use erp_manifest::codes::errors;
use erp_manifest::contract::HostFunction;
use serde_json::{Value, json};

use super::super::caller::EffectiveScope;
use super::super::error::ServiceError;
use super::Services;
use super::shown::Json;
use crate::Caller;

impl Services {
    pub(super) fn current_user(&mut self) -> Result<Json, ServiceError> {
        self.call(
            HostFunction::CurrentUser,
            "",
            || Value::Null,
            |services| match &services.context.caller {
                Some(caller) => {
                    let department = caller.department.as_ref().map(|department| &department.id);
                    let user = json!({
                        "id": caller.id, "name": caller.name, "permissions": caller.permissions,
                        "department": department,
                    });
                    Ok(Json::from(user))
                }
                None => Err(ServiceError::new(errors::AUTH_ANONYMOUS, "no user is calling")),
            },
        )
    }

    pub(super) fn check_permission(&mut self, code: &str) -> bool {
        let allowed = self.call(
            HostFunction::CheckPermission,
            code,
            || json!({ "code": code }),
            |services| {
                let code = PermissionCode::new(code);
                let caller = services.context.caller.as_ref();
                Ok(code.is_some_and(|code| caller.is_some_and(|caller| caller.may(&code))))
            },
        );
        allowed.unwrap_or(false)
    }

    /// Returns whose rows of an entity the caller may see, as a word; `all` if no user is calling.
    pub(super) fn data_scope(&mut self, entity: &str, action: &str) -> String {
        let code = format!("{entity}.{action}");
        let scope = self.call(
            HostFunction::DataScope,
            &code,
            || json!({ "entity": entity, "action": action }),
            |services| {
                let caller = services.context.caller.as_ref();
                let scope = |caller: &Caller| {
                    PermissionCode::new(code.clone()).map_or(EffectiveScope::Nobody, |code| caller.scope(&code))
                };
                Ok(caller.map_or(EffectiveScope::All, scope).word().to_owned())
            },
        );
        scope.unwrap_or_else(|_| EffectiveScope::Nobody.word().to_owned())
    }
}
