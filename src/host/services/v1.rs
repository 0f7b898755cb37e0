//! Host API 1.0.0 over the services.

use serde_json::{Map, Value, json};

use super::super::bindings::v1::erp::plugin::{
    host_clock, host_config, host_context, host_db, host_events, host_kv, host_log, host_numbering, types,
};
use super::super::call::CallState;
use super::super::error::ServiceError;
use super::super::lock;
use super::super::trace::LogLevel;
use super::database::list_query;
use super::{parse_json, parse_object};
use crate::store::BatchStep;

/// Most bytes that a guest gets at once.
const MAX_RANDOM_BYTES: u32 = 65_536;

impl From<ServiceError> for types::Error {
    fn from(error: ServiceError) -> types::Error {
        types::Error {
            code: error.code,
            message: error.message,
            retryable: error.retryable,
            details: (!error.details.is_null()).then(|| error.details.to_string()),
        }
    }
}

impl From<types::Error> for ServiceError {
    fn from(error: types::Error) -> ServiceError {
        ServiceError {
            code: error.code,
            message: error.message,
            retryable: error.retryable,
            // Text that is no JSON is kept as text.
            details: error
                .details
                .map_or(Value::Null, |text| serde_json::from_str(&text).unwrap_or(Value::String(text))),
        }
    }
}

fn text(value: &Value) -> String {
    value.to_string()
}

impl types::Host for CallState {}

impl host_log::Host for CallState {
    fn log(&mut self, level: host_log::Level, message: String, fields: Option<String>) {
        let level = match level {
            host_log::Level::Trace => LogLevel::Trace,
            host_log::Level::Debug => LogLevel::Debug,
            host_log::Level::Info => LogLevel::Info,
            host_log::Level::Warn => LogLevel::Warn,
            host_log::Level::Error => LogLevel::Error,
        };
        let fields = fields.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap_or(Value::String(text)));
        self.services.log(level, &message, fields);
    }
}

impl host_context::Host for CallState {
    fn current(&mut self) -> types::CallContext {
        self.services.context.to_v1(&self.services.manifest)
    }

    fn current_user(&mut self) -> Result<String, types::Error> {
        Ok(text(&self.services.current_user()?))
    }

    fn check_permission(&mut self, code: String) -> bool {
        self.services.check_permission(&code)
    }
}

impl host_clock::Host for CallState {
    fn now(&mut self) -> u64 {
        lock(&self.services.surroundings).now().unix_ms.max(0).cast_unsigned().saturating_mul(1_000_000)
    }

    fn monotonic_now(&mut self) -> u64 {
        host_clock::Host::now(self)
    }

    fn random_bytes(&mut self, len: u32) -> wasmtime::Result<Vec<u8>> {
        if len > MAX_RANDOM_BYTES {
            wasmtime::bail!("{len} random bytes were asked for at once; at most {MAX_RANDOM_BYTES}");
        }
        Ok(lock(&self.services.surroundings).random_bytes(len as usize))
    }

    fn random_u64(&mut self) -> u64 {
        lock(&self.services.surroundings).random_u64()
    }

    fn uuid_v7(&mut self) -> String {
        lock(&self.services.surroundings).uuid()
    }
}

impl host_db::Host for CallState {
    fn insert(&mut self, entity: String, row: String) -> Result<String, types::Error> {
        let row = parse_object("the row", &row)?;
        Ok(text(&self.services.db_insert(&entity, &row)?.to_flat()))
    }

    fn get(&mut self, entity: String, id: String) -> Result<Option<String>, types::Error> {
        Ok(self.services.db_get(&entity, &id)?.map(|row| text(&row.to_flat())))
    }

    fn query(&mut self, entity: String, query: String) -> Result<host_db::Page, types::Error> {
        let query = list_query(&parse_object("the query", &query)?)?;
        let page = self.services.db_query(&entity, &query)?;
        Ok(host_db::Page {
            rows: page.rows.iter().map(text).collect(),
            next_cursor: page.next_cursor,
            total: page.total,
        })
    }

    fn count(&mut self, entity: String, filter: Option<String>) -> Result<u64, types::Error> {
        let filter = filter.map_or(Ok(Value::Null), |filter| parse_json("the filter", &filter))?;
        Ok(self.services.db_count(&entity, filter)?)
    }

    fn update(
        &mut self,
        entity: String,
        id: String,
        patch: String,
        expected_version: Option<u32>,
    ) -> Result<String, types::Error> {
        let patch = parse_object("the patch", &patch)?;
        Ok(text(&self.services.db_update(&entity, &id, &patch, expected_version)?.to_flat()))
    }

    fn delete(&mut self, entity: String, id: String, expected_version: Option<u32>) -> Result<(), types::Error> {
        Ok(self.services.db_delete(&entity, &id, expected_version)?)
    }

    fn restore(&mut self, entity: String, id: String) -> Result<String, types::Error> {
        Ok(text(&self.services.db_restore(&entity, &id)?.to_flat()))
    }

    fn aggregate(&mut self, entity: String, query: String) -> Result<String, types::Error> {
        let query = parse_json("the query", &query)?;
        Ok(text(&self.services.db_aggregate(&entity, &query)?))
    }

    fn batch(&mut self, ops: Vec<host_db::Op>) -> Result<Vec<String>, types::Error> {
        let mut steps = Vec::with_capacity(ops.len());
        for op in ops {
            steps.push(BatchStep {
                kind: op.kind,
                entity: op.entity,
                id: op.id,
                data: op.data.map_or(Ok(Map::new()), |data| parse_object("the data of a step", &data))?,
                expected_version: op.expected_version,
                name: op.name,
            });
        }
        Ok(self.services.db_batch(&steps)?.iter().map(text).collect())
    }

    fn resolve_labels(&mut self, entity: String, ids: Vec<String>) -> Result<String, types::Error> {
        Ok(text(&self.services.db_labels(&entity, &ids)?))
    }
}

impl host_events::Host for CallState {
    fn publish(&mut self, event_type: String, payload: String) -> Result<(), types::Error> {
        let payload = parse_json("the payload", &payload)?;
        Ok(self.services.publish(&event_type, payload)?)
    }
}

impl host_config::Host for CallState {
    fn get(&mut self, key: String) -> Result<Option<String>, types::Error> {
        Ok(self.services.config(&key)?.as_ref().map(text))
    }

    fn setting(&mut self, key: String) -> Result<String, types::Error> {
        Ok(text(&self.services.setting(&key)?))
    }
}

impl host_numbering::Host for CallState {
    fn next(&mut self, rule: String) -> Result<String, types::Error> {
        Ok(self.services.next_number(&rule)?)
    }

    fn peek(&mut self, rule: String) -> Result<String, types::Error> {
        Ok(self.services.peek_number(&rule)?)
    }
}

impl host_kv::Host for CallState {
    fn get(&mut self, key: String) -> Result<Option<String>, types::Error> {
        Ok(self.services.kv_get(&key)?.as_ref().map(text))
    }

    fn set(&mut self, key: String, value: String, ttl_seconds: Option<u32>) -> Result<(), types::Error> {
        let value = parse_json("the value", &value)?;
        Ok(self.services.kv_set(&key, &value, ttl_seconds)?)
    }

    fn delete(&mut self, key: String) -> Result<bool, types::Error> {
        Ok(self.services.kv_delete(&key)?)
    }

    fn increment(&mut self, key: String, by: i64) -> Result<i64, types::Error> {
        Ok(self.services.kv_increment(&key, by)?)
    }

    fn compare_and_set(&mut self, key: String, expected: Option<String>, value: String) -> Result<bool, types::Error> {
        let expected = expected.map(|text| parse_json("the expected value", &text)).transpose()?;
        let value = parse_json("the value", &value)?;
        Ok(self.services.kv_compare_and_set(&key, expected.as_ref(), &value)?)
    }
}

impl super::super::call::CallContext {
    /// The context with the names of the WIT.
    pub(in crate::host) fn to_json(&self, manifest: &crate::manifest::Manifest) -> serde_json::Value {
        let context = self.to_v1(manifest);
        json!({
            "request-id": context.request_id, "plugin-id": context.plugin_id, "tenant-id": context.tenant_id,
            "user-id": context.user_id, "trigger": context.trigger, "locale": context.locale, "extra": context.extra,
        })
    }

    /// The context as host API 1.0.0 writes it.
    pub(in crate::host) fn to_v1(&self, manifest: &crate::manifest::Manifest) -> types::CallContext {
        types::CallContext {
            request_id: self.request_id.clone(),
            plugin_id: manifest.metadata.id.to_string(),
            tenant_id: self.tenant.to_string(),
            user_id: self.caller.as_ref().map(|caller| caller.id.clone()),
            trigger: self.trigger.word().to_owned(),
            locale: self.locale.clone(),
            extra: json!({}).to_string(),
        }
    }
}
