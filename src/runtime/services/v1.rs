//! Host API 1.0.0 on the services.

use erp_manifest::codes::{ErrorCode, errors};
use erp_manifest::contract::HostFunction;
use erp_manifest::document::{did_you_mean, weight_of_text};
use erp_manifest::outgoing::HttpRequest;
use erp_storage::{BatchKind, BatchStep, BlobInfo};
use erp_wit::host::v1::erp::plugin::{
    host_blob, host_clock, host_config, host_context, host_db, host_events, host_expr, host_http, host_kv, host_log,
    host_memory, host_numbering, types,
};
use serde_json::{Map, Value, json};

use super::super::call_state::CallState;
use super::super::error::ServiceError;
use super::super::surroundings::Surroundings;
use super::super::trace::LogLevel;
use super::shown::Json;

/// The most bytes that the fields of a log record or the details of an error may take; larger ones are dropped.
const MAX_EXTRA_BYTES: u64 = 64 << 10;
/// The most random bytes that one host call returns.
const MAX_RANDOM_BYTES: u32 = 65_536;

impl From<ServiceError> for types::Error {
    fn from(error: ServiceError) -> types::Error {
        types::Error {
            code: error.code.to_string(),
            message: error.message,
            retryable: error.retryable,
            details: (!error.details.is_null()).then(|| error.details.to_string()),
        }
    }
}

impl From<types::Error> for ServiceError {
    fn from(error: types::Error) -> ServiceError {
        ServiceError {
            code: ErrorCode::of_text(&error.code),
            message: error.message,
            retryable: error.retryable,
            // Text that is not JSON is kept as a string.
            details: error.details.map_or(Value::Null, value_or_text),
        }
        .bounded()
    }
}

/// Parses log fields or error details: JSON, a string if the text is not JSON, or null if it is too large.
fn value_or_text(text: String) -> Value {
    if weight_of_text(&text) > MAX_EXTRA_BYTES {
        return Value::Null;
    }
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

fn texts(rows: Vec<Json>) -> Vec<String> {
    rows.into_iter().map(|row| row.text).collect()
}

fn optional(value: Option<Json>) -> Option<String> {
    value.map(|value| value.text)
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
        let fields = fields.map_or(Value::Null, value_or_text);
        self.services.log(level, &message, fields);
    }
}

impl host_context::Host for CallState {
    fn current(&mut self) -> types::CallContext {
        self.services.context.to_v1(&self.services.manifest)
    }

    fn current_user(&mut self) -> Result<String, types::Error> {
        Ok(self.services.current_user()?.text)
    }

    fn check_permission(&mut self, code: String) -> bool {
        self.services.check_permission(&code)
    }

    fn data_scope(&mut self, entity: String, action: String) -> String {
        self.services.data_scope(&entity, &action)
    }
}

impl host_clock::Host for CallState {
    fn now(&mut self) -> u64 {
        let now = |surroundings: &mut Surroundings| surroundings.now().unix_ms.max(0).cast_unsigned();
        self.services.entropy(now).saturating_mul(1_000_000)
    }

    fn monotonic_now(&mut self) -> u64 {
        host_clock::Host::now(self)
    }

    fn random_bytes(&mut self, len: u32) -> wasmtime::Result<Vec<u8>> {
        if len > MAX_RANDOM_BYTES {
            wasmtime::bail!("{len} random bytes were asked for at once; at most {MAX_RANDOM_BYTES}");
        }
        Ok(self.services.random_bytes(len as usize))
    }

    fn random_u64(&mut self) -> u64 {
        self.services.entropy(Surroundings::random_u64)
    }

    fn uuid_v7(&mut self) -> String {
        self.services.entropy(Surroundings::uuid)
    }
}

impl host_db::Host for CallState {
    fn insert(&mut self, entity: String, row: String) -> Result<String, types::Error> {
        let row = self.services.parse_object((HostFunction::DbInsert, &entity), "the row", &row)?;
        Ok(self.services.db_insert(&entity, &row)?.text)
    }

    fn get(&mut self, entity: String, id: String) -> Result<Option<String>, types::Error> {
        Ok(optional(self.services.db_get(&entity, &id)?))
    }

    fn query(&mut self, entity: String, query: String) -> Result<host_db::Page, types::Error> {
        let query = self.services.parse_object((HostFunction::DbQuery, &entity), "the query", &query)?;
        let page = self.services.db_query(&entity, &query)?;
        Ok(host_db::Page { rows: texts(page.rows), next_cursor: page.next_cursor, total: page.total })
    }

    fn count(&mut self, entity: String, filter: Option<String>) -> Result<u64, types::Error> {
        let filter = filter.map_or(Ok(Value::Null), |filter| {
            self.services.parse_json((HostFunction::DbCount, &entity), "the filter", &filter)
        })?;
        Ok(self.services.db_count(&entity, filter)?)
    }

    fn update(
        &mut self,
        entity: String,
        id: String,
        patch: String,
        expected_version: Option<u32>,
    ) -> Result<String, types::Error> {
        let patch = self.services.parse_object((HostFunction::DbUpdate, &entity), "the patch", &patch)?;
        Ok(self.services.db_update(&entity, &id, &patch, expected_version)?.text)
    }

    fn delete(&mut self, entity: String, id: String, expected_version: Option<u32>) -> Result<(), types::Error> {
        Ok(self.services.db_delete(&entity, &id, expected_version)?)
    }

    fn restore(&mut self, entity: String, id: String) -> Result<String, types::Error> {
        Ok(self.services.db_restore(&entity, &id)?.text)
    }

    fn aggregate(&mut self, entity: String, query: String) -> Result<String, types::Error> {
        let query = self.services.parse_json((HostFunction::DbAggregate, &entity), "the query", &query)?;
        Ok(self.services.db_aggregate(&entity, &query)?.text)
    }

    fn batch(&mut self, ops: Vec<host_db::Op>) -> Result<Vec<String>, types::Error> {
        self.services.bound_items((HostFunction::DbBatch, ""), ops.len())?;
        let mut steps = Vec::with_capacity(ops.len());
        for op in ops {
            let kind = BatchKind::from_word(&op.kind).ok_or_else(|| {
                let help = did_you_mean(&op.kind, BatchKind::WORDS.iter().copied()).unwrap_or_default();
                ServiceError::new(errors::DB_BAD_QUERY, format!("unknown kind of step `{}`; {help}", op.kind))
            })?;
            let data = op.data.map_or(Ok(Map::new()), |data| {
                self.services.parse_object((HostFunction::DbBatch, &op.entity), "the data of a step", &data)
            })?;
            steps.push(BatchStep {
                kind,
                entity: op.entity,
                id: op.id,
                data,
                expected_version: op.expected_version,
                name: op.name,
            });
        }
        Ok(texts(self.services.db_batch(&steps)?))
    }

    fn resolve_labels(&mut self, entity: String, ids: Vec<String>) -> Result<String, types::Error> {
        self.services.bound_items((HostFunction::DbResolveLabels, &entity), ids.len())?;
        Ok(self.services.db_labels(&entity, &ids)?.text)
    }
}

impl host_events::Host for CallState {
    fn publish(&mut self, event_type: String, payload: String) -> Result<(), types::Error> {
        let payload = self.services.parse_json((HostFunction::EventsPublish, &event_type), "the payload", &payload)?;
        Ok(self.services.publish(&event_type, payload)?)
    }
}

impl host_config::Host for CallState {
    fn get(&mut self, key: String) -> Result<Option<String>, types::Error> {
        Ok(optional(self.services.config(&key)?))
    }

    fn setting(&mut self, key: String) -> Result<String, types::Error> {
        Ok(self.services.setting(&key)?.text)
    }

    fn secret(&mut self, key: String) -> Result<String, types::Error> {
        Ok(self.services.secret(&key)?)
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
        Ok(optional(self.services.kv_get(&key)?))
    }

    fn set(&mut self, key: String, value: String, ttl_seconds: Option<u32>) -> Result<(), types::Error> {
        let value = self.services.parse_json((HostFunction::KvSet, &key), "the value", &value)?;
        Ok(self.services.kv_set(&key, &value, ttl_seconds)?)
    }

    fn delete(&mut self, key: String) -> Result<bool, types::Error> {
        Ok(self.services.kv_delete(&key)?)
    }

    fn increment(&mut self, key: String, by: i64) -> Result<i64, types::Error> {
        Ok(self.services.kv_increment(&key, by)?)
    }

    fn compare_and_set(&mut self, key: String, expected: Option<String>, value: String) -> Result<bool, types::Error> {
        let asked = (HostFunction::KvCompareAndSet, key.as_str());
        let expected = expected.map(|text| self.services.parse_json(asked, "the expected value", &text)).transpose()?;
        let value = self.services.parse_json(asked, "the value", &value)?;
        Ok(self.services.kv_compare_and_set(&key, expected.as_ref(), &value)?)
    }
}

impl host_expr::Host for CallState {
    fn eval(&mut self, expression: String, vars: String) -> Result<String, types::Error> {
        let vars = self.services.parse_object((HostFunction::ExprEval, ""), "the values", &vars)?;
        Ok(self.services.evaluate(&expression, &vars)?.text)
    }

    fn render(&mut self, template: String, vars: String) -> Result<String, types::Error> {
        let vars = self.services.parse_object((HostFunction::ExprRender, ""), "the values", &vars)?;
        Ok(self.services.render(&template, &vars)?)
    }
}

impl host_http::Host for CallState {
    fn send(&mut self, request: host_http::Request) -> Result<host_http::Response, types::Error> {
        let host_http::Request { method, url, headers, body, timeout_ms } = request;
        let request = HttpRequest { method, url, headers, body };
        let response = self.services.send_http(&request, timeout_ms)?;
        Ok(host_http::Response { status: response.status, headers: response.headers, body: response.body })
    }
}

fn shown(info: BlobInfo) -> host_blob::BlobInfo {
    let BlobInfo { id, name, mime, size, sha256 } = info;
    host_blob::BlobInfo { id, name, mime, size, sha256 }
}

impl host_blob::Host for CallState {
    fn put(&mut self, name: String, mime: String, data: Vec<u8>) -> Result<host_blob::BlobInfo, types::Error> {
        Ok(shown(self.services.blob_put(&name, &mime, data)?))
    }

    fn get(&mut self, id: String, offset: u64, len: u32) -> Result<Vec<u8>, types::Error> {
        Ok(self.services.blob_get(&id, offset, len)?)
    }

    fn stat(&mut self, id: String) -> Result<host_blob::BlobInfo, types::Error> {
        Ok(shown(self.services.blob_stat(&id)?))
    }

    fn delete(&mut self, id: String) -> Result<(), types::Error> {
        Ok(self.services.blob_delete(&id)?)
    }
}

impl host_memory::Host for CallState {
    fn append(&mut self, session: String, item: String) -> Result<(), types::Error> {
        let item = self.services.parse_json((HostFunction::MemoryAppend, &session), "the item", &item)?;
        Ok(self.services.memory_append(&session, &item)?)
    }

    fn recent(&mut self, session: String, limit: u32) -> Result<Vec<String>, types::Error> {
        Ok(texts(self.services.memory_recall(HostFunction::MemoryRecent, &session, None, limit)?))
    }

    fn search(&mut self, session: String, text: String, limit: u32) -> Result<Vec<String>, types::Error> {
        Ok(texts(self.services.memory_recall(HostFunction::MemorySearch, &session, Some(&text), limit)?))
    }

    fn clear(&mut self, session: String) -> Result<(), types::Error> {
        Ok(self.services.memory_clear(&session)?)
    }
}

impl super::super::request::CallContext {
    /// Returns the context as JSON with the names of the WIT.
    pub(crate) fn to_json(&self, manifest: &erp_manifest::Manifest) -> serde_json::Value {
        let context = self.to_v1(manifest);
        json!({
            "request-id": context.request_id, "plugin-id": context.plugin_id, "tenant-id": context.tenant_id,
            "user-id": context.user_id, "trigger": context.trigger, "locale": context.locale, "extra": context.extra,
        })
    }

    /// Converts the context to the record of host API 1.0.0.
    pub(crate) fn to_v1(&self, manifest: &erp_manifest::Manifest) -> types::CallContext {
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
