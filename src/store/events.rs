//! Events: stored by the unit of work that publishes them, delivered after it.

use erp_manifest::{EventType, PluginId, TenantId};
use erp_storage::{Scope, StoreError, StoredEvent};
use serde::Serialize;
use serde_json::Value;

use super::Database;
use super::sql::SqlValue;

/// The maximum length of all payloads in a list of events, in characters.
const MAX_SHOWN: i64 = 2 << 20;

/// The result of delivering an event to a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryRecord {
    /// The plugin.
    pub plugin: String,
    /// `done` or `failed`.
    pub state: String,
    /// The number of attempts.
    pub attempts: u32,
    /// The error of the last attempt; absent if it succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Events and their deliveries.
#[derive(Debug)]
pub struct EventLog<'d> {
    pub(crate) database: &'d mut Database,
}

impl EventLog<'_> {
    /// Stores an event as part of the unit of work.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn add_event(
        &mut self,
        scope: &Scope,
        id: &str,
        event_type: &EventType,
        source: &str,
        payload: &Value,
        depth: u32,
    ) -> Result<(), StoreError> {
        self.database.execute(
            "write an event",
            "insert into erp_events (id, tenant_id, event_type, source, payload, occurred_at_ms, depth) values (?, ?, ?, ?, ?, ?, ?)",
            [
                SqlValue::Text(id.to_owned()),
                SqlValue::Text(scope.tenant.as_str().to_owned()),
                SqlValue::Text(event_type.to_string()),
                SqlValue::Text(source.to_owned()),
                SqlValue::Text(payload.to_string()),
                SqlValue::Integer(scope.now.unix_ms),
                SqlValue::Integer(depth.into()),
            ],
        )?;
        Ok(())
    }

    /// The oldest event that was not delivered to all subscribers yet.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn next_event(&self) -> Result<Option<StoredEvent>, StoreError> {
        Ok(self.events_where("where dispatched = 0 order by seq limit 1", [])?.pop())
    }

    /// The oldest event of a tenant that was not delivered to all subscribers yet.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn next_event_of(&self, tenant: &TenantId) -> Result<Option<StoredEvent>, StoreError> {
        let own = [SqlValue::text(tenant.as_str())];
        Ok(self.events_where("where dispatched = 0 and tenant_id = ? order by seq limit 1", own)?.pop())
    }

    /// The tenant of an event; `None` for an unknown id.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn tenant_of_event(&self, id: &str) -> Result<Option<TenantId>, StoreError> {
        let found = self.events_where("where id = ?", [SqlValue::text(id)])?;
        Ok(found.into_iter().next().map(|event| event.tenant))
    }

    /// The newest events, the last one first: at most a hundred, and fewer if their payloads are large.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn recent_events(&self) -> Result<Vec<StoredEvent>, StoreError> {
        let sizes = self.database.rows(
            "read events",
            "select seq, length(payload) from erp_events order by seq desc limit 100",
            [],
            |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?)),
        )?;
        let mut bytes = 0;
        // The newest event is included whatever its size.
        let fits = sizes.iter().take_while(|(_, size)| {
            let is_first = bytes == 0;
            bytes += size;
            is_first || bytes <= MAX_SHOWN
        });
        let Some((first, _)) = fits.last() else { return Ok(Vec::new()) };
        self.events_where("where seq >= ? order by seq desc limit 100", [SqlValue::Integer(*first)])
    }

    fn events_where(&self, rest: &str, parameters: impl AsRef<[SqlValue]>) -> Result<Vec<StoredEvent>, StoreError> {
        let sql = format!(
            "select seq, id, tenant_id, event_type, source, payload, occurred_at_ms, depth from erp_events {rest}"
        );
        let rows = self.database.rows("read events", &sql, parameters, |row| {
            let tenant: String = row.get(2)?;
            let payload: String = row.get(5)?;
            // The tenant's name was checked when the event was written.
            let Some(tenant) = TenantId::new(tenant) else { return Ok(None) };
            Ok(Some(StoredEvent {
                seq: row.get(0)?,
                id: row.get(1)?,
                tenant,
                event_type: row.get(3)?,
                source: row.get(4)?,
                payload: serde_json::from_str(&payload).unwrap_or(Value::Null),
                occurred_at_ms: row.get(6)?,
                depth: row.get(7)?,
            }))
        })?;
        Ok(rows.into_iter().flatten().collect())
    }

    /// Marks an event as delivered to all subscribers.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn finish_event(&mut self, seq: i64) -> Result<(), StoreError> {
        self.database.execute(
            "finish an event",
            "update erp_events set dispatched = 1 where seq = ?",
            [SqlValue::Integer(seq)],
        )?;
        Ok(())
    }

    /// Marks an event as undelivered again; false if no event has this id.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn reopen_event(&mut self, id: &str) -> Result<bool, StoreError> {
        let sql = "update erp_events set dispatched = 0 where id = ?";
        Ok(self.database.execute("put an event on its way again", sql, [SqlValue::Text(id.to_owned())])? > 0)
    }

    /// Locks the delivery of an event to a plugin until the unit of work ends.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn lock_delivery(&self, seq: i64, plugin: &PluginId) -> Result<(), StoreError> {
        self.database.lock_alone(&["delivery", &seq.to_string(), plugin.as_str()])
    }

    /// Records the result of a delivery. Without an `error` it succeeded, which no later result of another host
    /// changes.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn record_delivery(&mut self, seq: i64, plugin: &PluginId, error: Option<&str>) -> Result<(), StoreError> {
        let state = if error.is_some() { "failed" } else { "done" };
        self.database.execute(
            "note a delivery",
            "insert into erp_event_deliveries (event_seq, plugin_id, state, attempts, error) values (?, ?, ?, 1, ?) \
             on conflict (event_seq, plugin_id) do update set state = excluded.state, \
             attempts = erp_event_deliveries.attempts + 1, error = excluded.error where erp_event_deliveries.state <> 'done'",
            [
                SqlValue::Integer(seq),
                SqlValue::Text(plugin.as_str().to_owned()),
                SqlValue::Text(state.to_owned()),
                SqlValue::text_or_null(error),
            ],
        )?;
        Ok(())
    }

    /// The deliveries of an event, ordered by plugin.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn deliveries(&self, seq: i64) -> Result<Vec<DeliveryRecord>, StoreError> {
        self.database.rows(
            "read deliveries",
            "select plugin_id, state, attempts, error from erp_event_deliveries where event_seq = ? order by plugin_id",
            [SqlValue::Integer(seq)],
            |row| {
                Ok(DeliveryRecord {
                    plugin: row.get(0)?,
                    state: row.get(1)?,
                    attempts: row.get(2)?,
                    error: row.get(3)?,
                })
            },
        )
    }

    /// The number of attempts to deliver an event to a plugin, and whether one succeeded; `None` before the first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn delivery(&self, seq: i64, plugin: &PluginId) -> Result<Option<(u32, bool)>, StoreError> {
        let found = self.database.rows(
            "read a delivery",
            "select attempts, state from erp_event_deliveries where event_seq = ? and plugin_id = ?",
            [SqlValue::Integer(seq), SqlValue::Text(plugin.as_str().to_owned())],
            |row| Ok((row.get::<u32>(0)?, row.get::<String>(1)? == "done")),
        )?;
        Ok(found.first().copied())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use erp_manifest::Moment;

    #[test]
    fn large_payloads_make_the_list_shorter_and_never_empty() {
        let mut database = Database::in_memory().unwrap();
        let scope = Scope::of_tenant(&TenantId::new("acme").unwrap(), Moment::of_system_clock());
        let mut add = |id: &str, bytes: usize| {
            database
                .events()
                .add_event(&scope, id, &EventType::of_platform("a.b"), "test", &json!({ "text": "x".repeat(bytes) }), 0)
                .unwrap();
            let shown = database.events().recent_events().unwrap();
            shown.into_iter().map(|event| event.id).collect::<Vec<_>>()
        };
        assert_eq!(add("small", 10), ["small"]);
        assert_eq!(add("large", 1 << 20), ["large", "small"]);
        assert_eq!(add("huge", 3 << 20), ["huge"]);
        assert_eq!(add("last", 10), ["last"]);
    }
}
