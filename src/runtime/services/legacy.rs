//! The legacy host API on the same services: JSON as bytes, errors as text.

use erp_manifest::codes::errors;
use erp_manifest::contract::HostFunction;
use erp_wit::host::legacy::erp::plugin::host_api;
use serde_json::{Map, Value};

use super::super::call_state::CallState;
use super::super::error::ServiceError;
use super::super::quirks::Quirk;
use super::super::trace::LogLevel;
use super::shown::Json;
use super::{CallSubject, Services};

/// Formats an error as the legacy contract does: the code comes first, so that guests can distinguish errors.
#[expect(clippy::needless_pass_by_value, reason = "what `map_err` takes")]
fn as_text(error: ServiceError) -> String {
    format!("{}: {}", error.code, error.message)
}

fn bytes(value: Json) -> Vec<u8> {
    value.text.into_bytes()
}

fn utf8<'a>(what: &str, bytes: &'a [u8]) -> Result<&'a str, ServiceError> {
    std::str::from_utf8(bytes).map_err(|_| ServiceError::new(errors::DB_BAD_JSON, format!("{what} is not UTF-8")))
}

impl Services {
    fn object(&mut self, asked: CallSubject<'_>, what: &str, bytes: &[u8]) -> Result<Map<String, Value>, String> {
        // The platform reads empty input as an empty object.
        if bytes.is_empty() {
            return Ok(Map::new());
        }
        match utf8(what, bytes).and_then(|text| self.read_object(what, text)) {
            Err(_) if self.meets(Quirk::BadJsonIsEmpty) => Ok(Map::new()),
            read => read.or_else(|error| self.refuse(asked, error)).map_err(as_text),
        }
    }
}

impl host_api::Host for CallState {
    fn db_insert(&mut self, entity: String, data: Vec<u8>) -> Result<Vec<u8>, String> {
        let row = self.services.object((HostFunction::DbInsert, &entity), "the data", &data)?;
        self.services.db_insert(&entity, &row).map(bytes).map_err(as_text)
    }

    fn db_query(&mut self, entity: String, filter: Vec<u8>, pagination: Vec<u8>) -> Result<Vec<u8>, String> {
        let mut query = self.services.object((HostFunction::DbQuery, &entity), "the pagination", &pagination)?;
        let filter = self.services.object((HostFunction::DbQuery, &entity), "the filter", &filter)?;
        query.insert("filter".to_owned(), Value::Object(filter));
        let page = self.services.db_query(&entity, &query).map_err(as_text)?;
        let rows: Vec<String> = page.rows.into_iter().map(|row| row.text).collect();
        Ok(format!("[{}]", rows.join(",")).into_bytes())
    }

    fn db_update(&mut self, entity: String, id: String, data: Vec<u8>, version: i64) -> Result<Vec<u8>, String> {
        let patch = self.services.object((HostFunction::DbUpdate, &entity), "the data", &data)?;
        let version =
            u32::try_from(version).map_err(|_| format!("db.version_conflict: there is no version {version}"))?;
        self.services.db_update(&entity, &id, &patch, Some(version)).map(bytes).map_err(as_text)
    }

    fn db_delete(&mut self, entity: String, id: String) -> Result<(), String> {
        self.services.db_delete(&entity, &id, None).map_err(as_text)
    }

    fn db_aggregate(&mut self, entity: String, query: Vec<u8>) -> Result<Vec<u8>, String> {
        let query = self.services.object((HostFunction::DbAggregate, &entity), "the query", &query)?;
        self.services.db_aggregate(&entity, &Value::Object(query)).map(bytes).map_err(as_text)
    }

    fn event_publish(&mut self, event_type: String, payload: Vec<u8>) -> Result<(), String> {
        let asked = (HostFunction::EventsPublish, event_type.as_str());
        let payload = utf8("the payload", &payload);
        let payload = payload.and_then(|text| self.services.parse_json(asked, "the payload", text)).map_err(as_text)?;
        self.services.publish(&event_type, payload).map_err(as_text)
    }

    fn config_get(&mut self, key: String) -> Result<Vec<u8>, String> {
        let value = self.services.config(&key).map_err(as_text)?;
        Ok(value.map_or_else(|| b"null".to_vec(), bytes))
    }

    fn log_write(&mut self, level: String, message: String) {
        let level = LogLevel::from_word(&level.to_lowercase()).unwrap_or(LogLevel::Info);
        self.services.log(level, &message, Value::Null);
    }

    fn current_user(&mut self) -> Result<Vec<u8>, String> {
        self.services.current_user().map(bytes).map_err(as_text)
    }

    fn check_permission(&mut self, permission: String) -> Result<bool, String> {
        Ok(self.services.check_permission(&permission))
    }

    fn numbering_generate(&mut self, entity: String) -> Result<String, String> {
        let rule = self.services.manifest.numbering.iter().find(|rule| rule.entity.as_str() == entity);
        let rule = rule
            .map(|rule| rule.name.to_string())
            .ok_or_else(|| as_text(ServiceError::new(errors::NUMBERING_UNKNOWN, format!("`{entity}` has no rule"))))?;
        self.services.next_number(&rule).map_err(as_text)
    }

    fn setting_get(&mut self, key: String) -> Result<Vec<u8>, String> {
        self.services.setting(&key).map(bytes).map_err(as_text)
    }
}
