//! What a call is: on whose behalf, of what, within which bounds, and how it went.

use std::sync::Arc;

use erp_manifest::TenantId;
use erp_manifest::document::words;
use erp_storage::StoredEvent;
use serde_json::{Map, Value};

use super::caller::Caller;
use super::error::CallError;
use super::interrupt::Interrupt;
use super::limits::CallLimits;
use super::node::NodeCall;
use super::probe::Probe;
use super::processing::ProcessCall;
use super::trace::{Detail, Trace};

words! {
    /// What made the host call a plugin.
    pub enum Trigger {
        /// A request of a user.
        Http = "http",
        /// An event.
        Event = "event",
        /// A button.
        Action = "action",
        /// A step of a workflow.
        Node = "node",
        /// A developer or a test.
        Call = "call",
        /// The plugin's own life.
        Lifecycle = "lifecycle",
    }
}

/// On whose behalf a call runs.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The same for a call and all that it causes.
    pub request_id: String,
    /// The tenant.
    pub tenant: TenantId,
    /// The user; none for events and the plugin's own life.
    pub caller: Option<Caller>,
    /// What made the host call.
    pub trigger: Trigger,
    /// BCP 47.
    pub locale: String,
    /// How many events led to this call.
    pub event_depth: u32,
}

impl CallContext {
    /// The context of a call without a request.
    pub(super) fn of_tenant(tenant: TenantId) -> CallContext {
        let (request_id, locale) = (String::new(), String::new());
        CallContext { request_id, tenant, caller: None, trigger: Trigger::Call, locale, event_depth: 0 }
    }
}

/// An action that a migration calls for a tenant.
#[derive(Debug, Clone)]
pub struct UpgradeHandler {
    /// Its name.
    pub name: String,
    /// JSON.
    pub input: Value,
    /// For whom.
    pub tenant: TenantId,
}

/// What to call.
#[derive(Debug, Clone)]
pub enum Invocation {
    /// The plugin is enabled.
    Init,
    /// A new version takes the place of a running one: `init`, and then what migrations call.
    Upgrade(Vec<UpgradeHandler>),
    /// A tenant came to the plugin.
    TenantCreated,
    /// An event is delivered.
    Event {
        /// The event.
        event: Arc<StoredEvent>,
        /// From 1.
        attempt: u32,
    },
    /// A button was pressed.
    Action {
        /// Its name.
        name: String,
        /// JSON.
        input: Value,
    },
    /// The definitions of the plugin's nodes.
    NodeDefinitions,
    /// A node of a workflow.
    Node(NodeCall),
    /// Bytes to be made of bytes.
    Process(Arc<ProcessCall>),
    /// Any export, as WAVE: `interface.function(arguments)`.
    Wave(String),
    /// Any export, with an object of arguments by their names; a `ctx` that is left out is the call's own.
    Named {
        /// `interface.function`.
        function: String,
        /// The arguments.
        arguments: Map<String, Value>,
    },
}

/// A call: on whose behalf, within which bounds, of what.
#[derive(Debug, Clone)]
pub struct CallRequest<'a> {
    /// On whose behalf.
    pub context: CallContext,
    /// Within which bounds.
    pub limits: CallLimits,
    /// How much of it is kept.
    pub detail: Detail,
    /// What watches it; the plugin's runtime must be one for probes.
    pub probe: Option<Probe>,
    /// What ends it early.
    pub interrupt: Interrupt,
    /// From 1: how often it was tried, where its unit of work met another one.
    pub attempt: u32,
    /// Of what.
    pub invocation: &'a Invocation,
}

/// How a call went.
#[derive(Debug)]
pub struct CallOutcome {
    /// What the guest gave, as JSON for actions and as WAVE text for named calls; null for the rest.
    pub result: Result<Value, CallError>,
    /// What happened.
    pub trace: Trace,
}
