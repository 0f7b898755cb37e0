//! Stock and its moves.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::bindings::erp::plugin::types::Error;
use crate::bindings::erp::plugin::{host_events, host_log};
use crate::table::{self, failure};

const LOW_STOCK: &str = "inventory.low_stock";

/// Adds the lines of an approved order to stock, and marks the order as received in the same
/// transaction: a second event finds it received and does nothing.
pub fn receive(payload: &Value) -> Result<(), Error> {
    let order_id = payload["order_id"].as_str().ok_or_else(|| bad_payload("`order_id` is missing"))?;
    let order = table::get("purchase_order", order_id)?;
    match order["status"].as_str() {
        Some("received") => return Ok(()),
        Some("approved") => {}
        _ => return Err(failure("inventory.not_approved", "the order is not approved")),
    }
    for line in table::rows("purchase_line", &json!({ "order_id": order_id }))? {
        let item_id = line["item_id"].as_str().unwrap_or_default();
        let quantity = line["quantity"].as_i64().unwrap_or(0);
        let source = format!("purchase_line:{}", line["id"].as_str().unwrap_or_default());
        move_stock(item_id, quantity, order["code"].as_str().unwrap_or_default(), &source)?;
    }
    table::update("purchase_order", order_id, &json!({ "status": "received" }), None)?;
    Ok(())
}

/// Takes the lines of a shipped sales order from stock, each item of the order once. Stock may fall
/// below zero: what was shipped was shipped, whatever the books said.
pub fn ship(payload: &Value) -> Result<(), Error> {
    let order = payload["order_id"].as_str().ok_or_else(|| bad_payload("`order_id` is missing"))?;
    let lines = payload["lines"].as_array().ok_or_else(|| bad_payload("`lines` is missing"))?;
    let mut shipped: BTreeMap<&str, i64> = BTreeMap::new();
    for line in lines {
        let sku = line["sku"].as_str().ok_or_else(|| bad_payload("a line has no `sku`"))?;
        let quantity = line["quantity"].as_i64().filter(|quantity| *quantity > 0);
        let quantity = quantity.ok_or_else(|| bad_payload("a line's `quantity` is no whole number above 0"))?;
        *shipped.entry(sku).or_default() += quantity;
    }
    for (sku, quantity) in shipped {
        let Some(item) = table::rows("inventory_item", &json!({ "sku": sku }))?.pop() else {
            host_log::log(host_log::Level::Warn, &format!("{order} ships {sku}, which is no item of ours"), None);
            continue;
        };
        let item_id = item["id"].as_str().unwrap_or_default();
        move_stock(item_id, -quantity, order, &format!("sales:{order}:{sku}"))?;
    }
    Ok(())
}

/// Writes a move, changes the item's quantity with it, and tells when the item is below its threshold.
/// A source that has moved stock before moves none.
fn move_stock(item_id: &str, delta: i64, reason: &str, source: &str) -> Result<(), Error> {
    if !table::rows("stock_move", &json!({ "source": source }))?.is_empty() {
        return Ok(());
    }
    let row = json!({ "item_id": item_id, "delta": delta, "reason": reason, "source": source });
    let rows = table::batch(&[
        table::step("insert", "stock_move", None, &row),
        table::step("increment", "inventory_item", Some(item_id), &json!({ "quantity": delta })),
    ])?;
    let Some(item) = rows.last() else { return Ok(()) };
    let (quantity, threshold) = (item["quantity"].as_i64(), item["threshold"].as_i64());
    if quantity < threshold {
        let payload = json!({ "item_id": item_id, "sku": item["sku"], "quantity": quantity, "threshold": threshold });
        host_events::publish(LOW_STOCK, &payload.to_string())?;
    }
    Ok(())
}

fn bad_payload(why: &str) -> Error {
    failure("inventory.bad_payload", why)
}
