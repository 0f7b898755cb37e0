//! Calls of plugins' exports by their names.

use erp_manifest::TenantId;
use erp_runtime::{CallError, Invocation, Trigger};
use serde_json::{Map, Value};

use super::call::Occasion;
use super::{Identity, Origin, Platform};

/// Calls exports of running plugins by their names, as a console or a command does.
#[derive(Debug)]
pub struct ExportCalls<'p> {
    pub(crate) platform: &'p mut Platform,
    pub(crate) origin: Origin,
}

impl ExportCalls<'_> {
    /// Works for a request.
    #[must_use]
    pub fn on_behalf_of(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }

    /// Calls an export written in WAVE, with its arguments; returns the result as WAVE.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn call_wave(&mut self, plugin: &str, identity: &Identity, call: &str) -> Result<Value, CallError> {
        let occasion = self.occasion(call.split('(').next().unwrap_or_default(), identity);
        self.platform.call(plugin, &occasion, &Invocation::Wave(call.to_owned()), |_| Ok(()))
    }

    /// Calls an export with named arguments in JSON; returns the result as WAVE.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn call(
        &mut self,
        plugin: &str,
        identity: &Identity,
        function: &str,
        arguments: &Map<String, Value>,
    ) -> Result<Value, CallError> {
        let occasion = self.occasion(function, identity);
        let invocation = Invocation::Named { function: function.to_owned(), arguments: arguments.clone() };
        self.platform.call(plugin, &occasion, &invocation, |_| Ok(()))
    }

    /// Returns the occasion of a call by function name. `init` always runs without a tenant and a user.
    fn occasion(&self, function: &str, identity: &Identity) -> Occasion {
        let occasion = if function.trim().rsplit(['.', '/', '#']).next() == Some("init") {
            Occasion::of(&TenantId::nil(), Trigger::Lifecycle)
        } else {
            Occasion::of(&identity.tenant, Trigger::Call).by(&identity.caller)
        };
        occasion.caused_by(&self.origin)
    }
}
