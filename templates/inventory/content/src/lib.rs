//! Stock follows events: approved purchase orders add to it, shipped sales orders take from it.

#[rustfmt::skip]
mod erp;
mod stock;

use erp::entities::{PurchaseLine, PurchaseOrder, PurchaseOrderStatus};
use erp::events::PurchaseOrderApproved;
use erp::{Entity, Event, Fields, Id, Result, refuse};
use serde_json::Value;

pub struct Plugin;

impl erp::Plugin for Plugin {
    fn tenant_created(tenant: &str) -> Result<()> {
        erp::log::info(&format!("stock is ready for {tenant}"));
        Ok(())
    }
}

/// An event may come again, so every effect asks first whether it has happened.
impl erp::Events for Plugin {
    fn purchase_order_approved(order: PurchaseOrderApproved, _: &Event) -> Result<()> {
        stock::receive(&order.order_id.of())
    }

    fn order_shipped(payload: Fields, _: &Event) -> Result<()> {
        stock::ship(&stock::Shipment::read(&payload)?)
    }
}

impl erp::Actions for Plugin {
    /// Approves an order that has lines. The event leaves when the host has committed the call.
    fn approve(id: Id<PurchaseOrder>, _: Fields) -> Result<Value> {
        let order = PurchaseOrder::get(&id)?;
        if order.status != PurchaseOrderStatus::Draft {
            return Err(refuse(
                "inventory.not_a_draft",
                "only a draft can be approved",
            ));
        }
        if !PurchaseLine::filter(PurchaseLine::ORDER_ID.eq(&id)).exists()? {
            return Err(refuse(
                "inventory.no_lines",
                "an order without lines cannot be approved",
            ));
        }
        let order = order.update(
            PurchaseOrder::patch().set(PurchaseOrder::STATUS, PurchaseOrderStatus::Approved),
        )?;
        PurchaseOrderApproved {
            order_id: id.of(),
            code: order.code.clone(),
        }
        .publish()?;
        Ok(order.to_value())
    }
}
