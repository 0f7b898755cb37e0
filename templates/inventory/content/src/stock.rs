//! Stock and its moves.

use serde_json::{Value, json};

use crate::bindings::erp::plugin::types::Error;
use crate::bindings::erp::plugin::{host_events, host_log};
use crate::table::{self, failure};

const LOW_STOCK: &str = "inventory.low_stock";

/// Adds the lines of an approved order to stock, each line once.
pub fn receive(payload: &Value) -> Result<(), Error> {
    let order_id = payload["order_id"].as_str().unwrap_or_default();
    let order = table::get("purchase_order", order_id)?;
    if order["status"] != "approved" {
        return Err(failure("inventory.not_approved", "the order is not approved"));
    }
    for line in table::rows("purchase_line", &json!({ "order_id": order_id }))? {
        let item_id = line["item_id"].as_str().unwrap_or_default();
        let quantity = line["quantity"].as_i64().unwrap_or(0);
        let source = format!("purchase_line:{}", line["id"].as_str().unwrap_or_default());
        move_stock(item_id, quantity, order["code"].as_str().unwrap_or_default(), &source)?;
    }
    Ok(())
}

/// Takes the lines of a shipped sales order from stock, each line once.
pub fn ship(payload: &Value) -> Result<(), Error> {
    let order = payload["order_id"].as_str().unwrap_or_default();
    for line in payload["lines"].as_array().into_iter().flatten() {
        let sku = line["sku"].as_str().unwrap_or_default();
        let quantity = line["quantity"].as_i64().unwrap_or(0);
        let Some(item) = table::rows("inventory_item", &json!({ "sku": sku }))?.pop() else {
            host_log::log(host_log::Level::Warn, &format!("{order} ships {sku}, which is no item of ours"), None);
            continue;
        };
        let item_id = item["id"].as_str().unwrap_or_default();
        let Some(item) = move_stock(item_id, -quantity, order, &format!("sales:{order}:{sku}"))? else { continue };
        let (quantity, threshold) = (item["quantity"].as_i64(), item["threshold"].as_i64());
        if quantity < threshold {
            let payload = json!({ "item_id": item_id, "sku": sku, "quantity": quantity, "threshold": threshold });
            host_events::publish(LOW_STOCK, &payload.to_string())?;
        }
    }
    Ok(())
}

/// Writes a move and changes the item's quantity with it. Gives the item, or nothing where the same
/// source has moved stock before.
fn move_stock(item_id: &str, delta: i64, reason: &str, source: &str) -> Result<Option<Value>, Error> {
    if !table::rows("stock_move", &json!({ "source": source }))?.is_empty() {
        return Ok(None);
    }
    let row = json!({ "item_id": item_id, "delta": delta, "reason": reason, "source": source });
    let mut rows = table::batch(&[
        table::step("insert", "stock_move", None, &row),
        table::step("increment", "inventory_item", Some(item_id), &json!({ "quantity": delta })),
    ])?;
    Ok(rows.pop())
}
