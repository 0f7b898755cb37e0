//! Previews of forms that are being filled in. The same rules apply here and when the row is saved.

use erp_manifest::Field;
use erp_manifest::contract::MAX_PAGE_ROWS;
use erp_manifest::expression::Expression;
use erp_storage::{StoreError, condition_holds};
use serde_json::{Value, json};

use super::rows::Rows;
use super::{Answer, Request, Response};
use crate::PlatformError;

impl Rows<'_> {
    /// Takes `{"data": {…}}`. Returns the data with computed fields (and defaults, with `is_new`), the hidden and the
    /// required fields, and the problems so far.
    pub(super) fn preview(self, request: &Request) -> Answer {
        let Rows { platform, entity, .. } = self;
        let entity = &entity;
        let mut body = request.object()?;
        let Some(Value::Object(mut data)) = body.remove("data") else {
            return Err(super::rows::bad_query("the body is {\"data\": {…}}"));
        };
        let scope = platform.scope(request)?;
        let is_new = body.get("is_new").and_then(Value::as_bool).unwrap_or(false);
        if is_new {
            for (name, value) in erp_storage::defaults_of(entity, &scope) {
                data.entry(name).or_insert(value);
            }
        }
        let problems = erp_storage::judged(entity, &scope, &mut data, is_new);
        let holds = |condition: &Expression| condition_holds(condition, entity, &scope, &data);
        let hidden = |field: &&Field| field.visible_when.as_ref().is_some_and(|when| !holds(when));
        let required = |field: &&Field| field.required || field.required_when.as_ref().is_some_and(holds);
        let name = |field: &Field| json!(*field.name);
        let hidden: Vec<Value> = entity.fields.iter().filter(hidden).map(name).collect();
        let required: Vec<Value> = entity.fields.iter().filter(required).map(name).collect();
        let body = json!({ "data": data, "hidden": hidden, "required": required, "problems": problems });
        Ok(Response::json(200, body))
    }

    /// Takes `{"ids": […]}`. Returns, for each row, the actions that the user may run and whose conditions hold.
    pub(super) fn available_actions(self, request: &Request) -> Answer {
        let Rows { platform, entity, permission } = self;
        let (entity, permission) = (&entity, &permission);
        let identity = request.user()?;
        let body = request.object()?;
        let ids: Option<Vec<&str>> =
            body.get("ids").and_then(Value::as_array).and_then(|ids| ids.iter().map(Value::as_str).collect());
        let Some(ids) = ids.filter(|ids| ids.len() as u64 <= MAX_PAGE_ROWS) else {
            let message = format!("the body is {{\"ids\": […]}} with at most {MAX_PAGE_ROWS} ids");
            return Err(super::rows::bad_query(message));
        };
        let manifest = entity.manifest();
        let own = manifest.ui.actions.iter().filter(|action| *action.entity == *entity.name);
        let own: Vec<_> = own.filter(|action| identity.caller.may(&action.permission)).collect();
        let scope = platform.scope_for(request, permission)?;
        let mut available = serde_json::Map::new();
        for id in ids {
            let row = match platform.database.lock().reader().get(entity, &scope, id) {
                Ok(row) => row,
                Err(StoreError::NotFound { .. }) => continue,
                Err(error) => return Err(PlatformError::from(error)),
            };
            let open = own.iter().filter(|action| {
                action.when.as_ref().is_none_or(|when| condition_holds(when, entity, &scope, &row.data))
            });
            available.insert(id.to_owned(), open.map(|action| json!(*action.name)).collect());
        }
        Ok(Response::json(200, Value::Object(available)))
    }
}
