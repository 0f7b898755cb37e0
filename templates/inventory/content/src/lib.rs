//! Stock follows events: approved purchase orders add to it, shipped sales orders take from it.

mod bindings;
mod stock;
mod table;

use bindings::erp::plugin::types::{CallContext, Error};
use bindings::erp::plugin::{host_events, host_log};
use bindings::exports::erp::plugin::{actions, base, event_handler, tenant_hooks};
use serde_json::{Value, json};
use table::{failure, parse};

const APPROVED: &str = "inventory.purchase_order.approved";
const SHIPPED: &str = "sales.order.shipped";

struct Plugin;

bindings::export!(Plugin);

impl base::Guest for Plugin {
    fn init(_context: CallContext) -> Result<(), Error> {
        Ok(())
    }
}

impl tenant_hooks::Guest for Plugin {
    fn on_tenant_created(_context: CallContext, tenant_id: String) -> Result<(), Error> {
        host_log::log(host_log::Level::Info, &format!("stock is ready for {tenant_id}"), None);
        Ok(())
    }
}

impl event_handler::Guest for Plugin {
    /// An event may come again, so every effect asks first whether it has happened.
    fn handle_event(_context: CallContext, event: event_handler::Event) -> Result<(), Error> {
        let payload = parse(&event.payload)?;
        match event.event_type.as_str() {
            APPROVED => stock::receive(&payload),
            SHIPPED => stock::ship(&payload),
            other => Err(failure("inventory.unknown_event", &format!("nobody told us what `{other}` means"))),
        }
    }
}

impl actions::Guest for Plugin {
    fn invoke(_context: CallContext, action: String, input: String) -> Result<String, Error> {
        let input = parse(&input)?;
        match action.as_str() {
            "approve" => approve(&input).map(|order| order.to_string()),
            other => Err(failure("inventory.unknown_action", &format!("there is no action `{other}`"))),
        }
    }
}

/// Approves an order that has lines. The event leaves when the host has committed the call.
fn approve(input: &Value) -> Result<Value, Error> {
    let id = input["id"].as_str().unwrap_or_default();
    let order = table::get("purchase_order", id)?;
    if order["status"] != "draft" {
        return Err(failure("inventory.not_a_draft", "only a draft can be approved"));
    }
    if table::rows("purchase_line", &json!({ "order_id": id }))?.is_empty() {
        return Err(failure("inventory.no_lines", "an order without lines cannot be approved"));
    }
    let version = order["version"].as_u64().and_then(|version| version.try_into().ok());
    let order = table::update("purchase_order", id, &json!({ "status": "approved" }), version)?;
    let payload = json!({ "order_id": id, "code": order["code"] });
    host_events::publish(APPROVED, &payload.to_string())?;
    Ok(order)
}
