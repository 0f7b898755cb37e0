//! Points for paid orders.

#[rustfmt::skip]
mod erp;

use erp::entities::{Member, NewMember, NewPointsEntry, PointsEntry};
use erp::events::LevelReached;
use erp::{Batch, Entity, Event, Fields, Result, refuse};

/// Points of a level.
const LEVEL: i64 = 100;

pub struct Plugin;

impl erp::Plugin for Plugin {}

/// An event may come again, so every effect asks first whether it has happened.
impl erp::Events for Plugin {
    fn order_paid(order: Fields, _: &Event) -> Result<()> {
        let customer: String = order
            .get("customer")
            .map_err(|error| refuse("loyalty.bad_payload", error.message))?;
        let source: String = order
            .get("order_id")
            .map_err(|error| refuse("loyalty.bad_payload", error.message))?;
        if PointsEntry::filter(PointsEntry::SOURCE.eq(&source)).exists()? {
            return Ok(());
        }
        let points = points_per_order()?;
        let member = match Member::filter(Member::CUSTOMER.eq(&customer)).first()? {
            Some(member) => member,
            None => Member::insert(&NewMember::new(customer))?,
        };
        let mut batch = Batch::default();
        batch.insert::<PointsEntry>(&NewPointsEntry::new(&member.id, points, source));
        let grown = batch.increment(&member.id, Member::POINTS, points);
        let grown = batch.run()?.row(&grown)?;
        if grown.points / LEVEL > member.points / LEVEL {
            LevelReached {
                customer: grown.customer,
                points: grown.points,
            }
            .publish()?;
        }
        Ok(())
    }
}

fn points_per_order() -> Result<i64> {
    let text = erp::settings::points_per_order()?;
    text.parse().map_err(|_| {
        refuse(
            "loyalty.bad_setting",
            format!("points_per_order is `{text}`, no whole number"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::erp::mock;
    use super::*;

    #[test]
    fn an_order_gives_points_once() -> Result<()> {
        mock::start();
        mock::with(|mock| {
            mock.settings
                .insert("points_per_order".to_owned(), "50".into())
        });
        for order in ["SO-1", "SO-1", "SO-2"] {
            let mut payload = Fields::default();
            payload.set("order_id", &order.to_owned());
            payload.set("customer", &"恒达".to_owned());
            let event = Event {
                id: "e".to_owned(),
                event_type: "sales.order.paid".to_owned(),
                source: "sales".to_owned(),
                occurred_at_ms: 0,
                attempt: 1,
                payload: payload.to_string(),
            };
            <Plugin as erp::Events>::order_paid(payload, &event)?;
        }
        let member = Member::query().first()?;
        assert_eq!(member.map(|member| member.points), Some(100));
        assert_eq!(mock::with(|mock| mock.events.len()), 1);
        Ok(())
    }
}
