//! Publishes events and delivers them to the plugins that subscribed.

use std::sync::Arc;

use erp_manifest::codes::errors;
use erp_manifest::{EventType, TenantId};
use erp_runtime::{Invocation, Trigger, lock};
use erp_storage::{Scope, StoreError, StoredEvent};
use erp_store::Database;
use serde_json::Value;

use super::call::Occasion;
use super::{Origin, Platform, PlatformError};

/// Maximum number of attempts to deliver an event to a plugin that fails with a retryable error.
const MAX_ATTEMPTS: u32 = 3;

/// Publishes events and delivers them to the plugins that subscribed.
#[derive(Debug)]
pub struct Deliveries<'p> {
    pub(crate) platform: &'p mut Platform,
    pub(crate) origin: Origin,
}

impl Deliveries<'_> {
    /// Works for a request. Plugins receive its events in their own language, also if the client has disconnected.
    #[must_use]
    pub fn on_behalf_of(self, origin: Origin) -> Self {
        Self { origin: Origin { language: None, interrupt: None, ..origin }, ..self }
    }

    /// Publishes an event as the platform's base modules do, and delivers it and all events that follow from it.
    ///
    /// # Errors
    /// [`PlatformError`] if the event cannot be written. The activity has the results of the deliveries.
    pub fn publish_event(
        &mut self,
        tenant: &TenantId,
        event_type: &EventType,
        payload: &Value,
    ) -> Result<(), PlatformError> {
        self.announce(tenant, event_type, payload)?;
        self.deliver_events_of(tenant).map_err(PlatformError::from)
    }

    /// Publishes an event that another thread delivers.
    ///
    /// # Errors
    /// [`PlatformError`] if the event cannot be written.
    pub fn announce(
        &mut self,
        tenant: &TenantId,
        event_type: &EventType,
        payload: &Value,
    ) -> Result<(), PlatformError> {
        let now = self.platform.now();
        let id = lock(&self.platform.surroundings).uuid();
        let scope = Scope::of_tenant(tenant, now);
        self.platform.unit::<_, StoreError>(|database, _| {
            database.events().add_event(&scope, &id, event_type, "platform", payload, 0)
        })?;
        Ok(())
    }

    /// Delivers all pending events of a tenant, oldest first. Waits while another lane does so, because a plugin must
    /// get the events of a tenant in their order.
    ///
    /// # Errors
    /// As [`Deliveries::deliver_events`].
    pub fn deliver_events_of(&mut self, tenant: &TenantId) -> Result<(), StoreError> {
        let turns = Arc::clone(&self.platform.turns);
        let _turn = turns.take(tenant);
        self.deliver_all(|database| database.events().next_event_of(tenant))
    }

    /// Delivers all pending events, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails. A plugin that fails misses the event (after three attempts if its
    /// error is retryable); [`Deliveries::redeliver`] delivers it again.
    pub fn deliver_events(&mut self) -> Result<(), StoreError> {
        self.deliver_all(|database| database.events().next_event())
    }

    fn deliver_all(
        &mut self,
        next: impl Fn(&mut Database) -> Result<Option<StoredEvent>, StoreError>,
    ) -> Result<(), StoreError> {
        loop {
            let next = next(&mut self.platform.database.lock())?;
            let Some(event) = next.map(Arc::new) else { return Ok(()) };
            for plugin in self.platform.listeners(&event.event_type) {
                self.deliver(plugin.as_str(), &event)?;
            }
            self.platform.unit(|database, _| database.events().finish_event(event.seq))?;
        }
    }

    /// Delivers one event to one plugin. The delivery is recorded in the call's own transaction, so that
    /// a finished delivery is not repeated after a crash.
    fn deliver(&mut self, plugin: &str, event: &Arc<StoredEvent>) -> Result<(), StoreError> {
        let Some(manifest) = self.platform.manifest(plugin) else { return Ok(()) };
        let id = &manifest.metadata.id;
        for _ in 0..MAX_ATTEMPTS {
            // Another host on the same database may have delivered it meanwhile.
            let before = self.platform.database.lock().events().delivery(event.seq, id)?;
            if matches!(before, Some((_, true))) {
                return Ok(());
            }
            let attempt = before.map_or(1, |(attempts, _)| attempts + 1);
            let invocation = Invocation::Event { event: Arc::clone(event), attempt };
            let occasion =
                Occasion::of(&event.tenant, Trigger::Event).after_events(event.depth).caused_by(&self.origin);
            let Some(loaded) = self.platform.routed(plugin, &self.origin) else { return Ok(()) };
            let mut was_done = false;
            let look = |database: &mut Database| {
                database.events().lock_delivery(event.seq, id)?;
                was_done = matches!(database.events().delivery(event.seq, id)?, Some((_, true)));
                if was_done { Err(StoreError::BadQuery("delivered already".to_owned())) } else { Ok(()) }
            };
            let done = |database: &mut Database| database.events().record_delivery(event.seq, id, None);
            let Err(error) = self.platform.call_loaded(&loaded, &occasion, &invocation, look, done) else {
                if self.platform.call_settings.delivers_events_twice {
                    // As if a message broker missed the first delivery's end. The activity has the result.
                    let invocation = Invocation::Event { event: Arc::clone(event), attempt: attempt + 1 };
                    let _ = self.platform.call_loaded(&loaded, &occasion, &invocation, |_| Ok(()), |_| Ok(()));
                }
                return Ok(());
            };
            if was_done {
                return Ok(());
            }
            if error.is_interrupted() {
                // The host is shutting down: the event stays pending until the next start.
                return Err(StoreError::Busy);
            }
            let why = error.to_string();
            self.platform.unit(|database, _| database.events().record_delivery(event.seq, id, Some(&why)))?;
            if !error.is_retryable() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Delivers an event again, only to the subscribers without a successful delivery.
    ///
    /// # Errors
    /// 404 if the event does not exist.
    pub fn redeliver(&mut self, id: &str) -> Result<(), PlatformError> {
        let tenant = self.platform.database.lock().events().tenant_of_event(id)?;
        let Some(tenant) = tenant else {
            return Err(PlatformError::new(errors::EVENT_NOT_FOUND, format!("there is no event `{id}`")));
        };
        self.platform.unit::<_, StoreError>(|database, _| database.events().reopen_event(id))?;
        self.deliver_events_of(&tenant).map_err(PlatformError::from)
    }
}
