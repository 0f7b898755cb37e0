//! The request of a call (context, limits, invocation) and its outcome.

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
        /// An action, such as a button.
        Action = "action",
        /// A step of a workflow.
        Node = "node",
        /// A developer or a test.
        Call = "call",
        /// The plugin's lifecycle, such as `init`.
        Lifecycle = "lifecycle",
    }
}

/// The tenant, user and trigger of a call.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The id of the request; a call and all calls that it causes share it.
    pub request_id: String,
    /// The tenant.
    pub tenant: TenantId,
    /// The user; none for events and the plugin's lifecycle.
    pub caller: Option<Caller>,
    /// What made the host call the plugin.
    pub trigger: Trigger,
    /// The locale, a BCP 47 tag.
    pub locale: String,
    /// The number of events in the chain that led to this call.
    pub event_depth: u32,
}

impl CallContext {
    /// Creates the context of a call without a request or a user.
    pub(super) fn of_tenant(tenant: TenantId) -> CallContext {
        let (request_id, locale) = (String::new(), String::new());
        CallContext { request_id, tenant, caller: None, trigger: Trigger::Call, locale, event_depth: 0 }
    }
}

/// An action that a migration calls for a tenant.
#[derive(Debug, Clone)]
pub struct UpgradeHandler {
    /// The name of the action.
    pub name: String,
    /// The input, any JSON value.
    pub input: Value,
    /// The tenant that the action runs for.
    pub tenant: TenantId,
}

/// What to call.
#[derive(Debug, Clone)]
pub enum Invocation {
    /// `init`: the plugin is enabled.
    Init,
    /// A new version replaces a running one: `init`, and then the actions of migrations.
    Upgrade(Vec<UpgradeHandler>),
    /// `on-tenant-created`: a tenant was added.
    TenantCreated,
    /// An event is delivered.
    Event {
        /// The event.
        event: Arc<StoredEvent>,
        /// The number of the attempt to deliver it, from 1.
        attempt: u32,
    },
    /// An action, such as a pressed button.
    Action {
        /// The name of the action.
        name: String,
        /// The input, any JSON value.
        input: Value,
    },
    /// The definitions of the plugin's nodes.
    NodeDefinitions,
    /// A node of a workflow.
    Node(NodeCall),
    /// A call of the processor.
    Process(Arc<ProcessCall>),
    /// Any export, as WAVE: `interface.function(arguments)`.
    Wave(String),
    /// Any export, with an object of arguments by name; a missing `ctx` is filled in from the call.
    Named {
        /// `interface.function`.
        function: String,
        /// The arguments, by the names of the parameters.
        arguments: Map<String, Value>,
    },
}

/// The request of a call: context, limits and invocation.
#[derive(Debug, Clone)]
pub struct CallRequest<'a> {
    /// The tenant, user and trigger of the call.
    pub context: CallContext,
    /// The limits of the call.
    pub limits: CallLimits,
    /// How much detail the trace keeps.
    pub detail: Detail,
    /// The probe that watches the call; only for plugins of [`Runtime::for_probes`](super::Runtime::for_probes).
    pub probe: Option<Probe>,
    /// Ends the call early when it is set.
    pub interrupt: Interrupt,
    /// The number of the attempt, from 1: a call is retried if its unit of work conflicts with another one.
    pub attempt: u32,
    /// What to call.
    pub invocation: &'a Invocation,
}

/// The outcome of a call.
#[derive(Debug)]
pub struct CallOutcome {
    /// The guest's result: JSON for actions, nodes and processors, WAVE text for calls by name, null for the rest.
    pub result: Result<Value, CallError>,
    /// The trace of the call.
    pub trace: Trace,
}
