//! Stock and its moves.

use std::collections::BTreeMap;

use crate::erp::entities::{
    InventoryItem, NewStockMove, PurchaseLine, PurchaseOrder, PurchaseOrderStatus, StockMove,
};
use crate::erp::events::LowStock;
use crate::erp::{self, Batch, Entity, Error, Fields, Id, Result, refuse};

/// Adds the lines of an approved order to stock, and marks the order as received in the same
/// transaction: a second event finds it received and does nothing.
pub fn receive(order: &Id<PurchaseOrder>) -> Result<()> {
    let order = PurchaseOrder::get(order)?;
    match order.status {
        PurchaseOrderStatus::Received => return Ok(()),
        PurchaseOrderStatus::Approved => {}
        PurchaseOrderStatus::Draft => {
            return Err(refuse(
                "inventory.not_approved",
                "the order is not approved",
            ));
        }
    }
    for line in PurchaseLine::filter(PurchaseLine::ORDER_ID.eq(&order.id)).all()? {
        move_stock(
            &line.item_id,
            line.quantity,
            &order.code,
            &format!("purchase_line:{}", line.id),
        )?;
    }
    order
        .update(PurchaseOrder::patch().set(PurchaseOrder::STATUS, PurchaseOrderStatus::Received))?;
    Ok(())
}

/// What left the house: the sales order, and how much of each item.
pub struct Shipment {
    order: String,
    quantities: BTreeMap<String, i64>,
}

impl Shipment {
    /// The shipment of an event that another plugin tells.
    pub fn read(payload: &Fields) -> Result<Shipment> {
        let mut quantities: BTreeMap<String, i64> = BTreeMap::new();
        for line in payload
            .get::<Vec<serde_json::Value>>("lines")
            .map_err(bad_payload)?
        {
            let sku = line["sku"]
                .as_str()
                .ok_or_else(|| bad_payload("a line has no `sku`"))?;
            let quantity = line["quantity"].as_i64().filter(|quantity| *quantity > 0);
            let quantity = quantity
                .ok_or_else(|| bad_payload("a line's `quantity` is no whole number above 0"))?;
            *quantities.entry(sku.to_owned()).or_default() += quantity;
        }
        Ok(Shipment {
            order: payload.get("order_id").map_err(bad_payload)?,
            quantities,
        })
    }
}

/// Takes the lines of a shipped sales order from stock, each item of the order once. Stock may fall
/// below zero: what was shipped was shipped, whatever the books said.
pub fn ship(shipment: &Shipment) -> Result<()> {
    let order = &shipment.order;
    for (sku, quantity) in &shipment.quantities {
        match InventoryItem::filter(InventoryItem::SKU.eq(sku)).first()? {
            Some(item) => move_stock(&item.id, -quantity, order, &format!("sales:{order}:{sku}"))?,
            None => erp::log::warn(&format!("{order} ships {sku}, which is no item of ours")),
        }
    }
    Ok(())
}

/// Writes a move, changes the item's quantity with it, and tells when the item is below its threshold.
/// A source that has moved stock before moves none.
fn move_stock(item: &Id<InventoryItem>, delta: i64, reason: &str, source: &str) -> Result<()> {
    if StockMove::filter(StockMove::SOURCE.eq(source)).exists()? {
        return Ok(());
    }
    let mut batch = Batch::default();
    batch.insert::<StockMove>(&NewStockMove::new(item, delta, reason, source));
    let item = batch.increment(item, InventoryItem::QUANTITY, delta);
    let item = batch.run()?.row(&item)?;
    if item.quantity < item.threshold {
        LowStock {
            item_id: item.id.of(),
            sku: item.sku,
            quantity: item.quantity,
            threshold: item.threshold,
        }
        .publish()?;
    }
    Ok(())
}

fn bad_payload(why: impl ToString) -> Error {
    refuse("inventory.bad_payload", why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::erp::entities::NewInventoryItem;
    use crate::erp::mock;

    fn shipment(quantity: i64) -> Shipment {
        Shipment {
            order: "SO-1".to_owned(),
            quantities: BTreeMap::from([("A-001".to_owned(), quantity)]),
        }
    }

    #[test]
    fn a_shipment_moves_stock_once_and_tells_when_little_is_left() -> Result<()> {
        mock::start();
        let screws = NewInventoryItem {
            quantity: Some(12),
            ..NewInventoryItem::new("A-001", "螺丝")
        };
        let screws = InventoryItem::insert(&screws)?;
        ship(&shipment(3))?;
        ship(&shipment(3))?;
        assert_eq!(InventoryItem::get(&screws.id)?.quantity, 9);
        assert_eq!(StockMove::query().count()?, 1);
        assert_eq!(mock::with(|mock| mock.events.len()), 1);
        Ok(())
    }

    #[test]
    fn what_is_no_item_of_ours_is_told_in_the_log() -> Result<()> {
        mock::start();
        ship(&shipment(3))?;
        assert!(mock::with(|mock| mock.logs[0].1.contains("A-001")));
        Ok(())
    }
}
