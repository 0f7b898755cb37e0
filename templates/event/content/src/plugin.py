"""Points for paid orders."""

import json
from typing import Any, Optional

from wit_world import exports
from wit_world.exports.event_handler import Event
from wit_world.imports import host_config, host_db, host_events
from wit_world.imports.host_db import Op
from wit_world.imports.types import CallContext

from erp.guard import guarded, refuse

# Points of a level.
LEVEL = 100


def first(entity: str, filter: dict[str, Any]) -> Optional[dict[str, Any]]:
    """The first row that matches."""
    rows = host_db.query(entity, json.dumps({"filter": filter, "limit": 1})).rows
    return json.loads(rows[0]) if rows else None


def points_per_order() -> int:
    text = json.loads(host_config.setting("points_per_order"))
    if not text.isdigit():
        raise refuse("loyalty.bad_setting", f"points_per_order is `{text}`, no whole number")
    return int(text)


def order_paid(order: str, customer: str) -> None:
    """An event may come again, so every effect asks first whether it has happened."""
    if first("points_entry", {"source": order}):
        return
    points = points_per_order()
    member = first("member", {"customer": customer})
    if member is None:
        member = json.loads(host_db.insert("member", json.dumps({"customer": customer})))
    entry = {"member_id": member["id"], "points": points, "source": order}
    rows = host_db.batch(
        [
            Op("insert", "points_entry", None, json.dumps(entry), None, None),
            Op("increment", "member", member["id"], json.dumps({"points": points}), None, None),
        ]
    )
    grown = json.loads(rows[1])
    if grown["points"] // LEVEL > member["points"] // LEVEL:
        told = {"customer": grown["customer"], "points": grown["points"]}
        host_events.publish("loyalty.level_reached", json.dumps(told))


class Base(exports.Base):
    @guarded
    def init(self, ctx: CallContext) -> None:
        pass


class EventHandler(exports.EventHandler):
    @guarded
    def handle_event(self, ctx: CallContext, event: Event) -> None:
        payload = json.loads(event.payload)
        order, customer = payload.get("order_id"), payload.get("customer")
        if not isinstance(order, str) or not isinstance(customer, str):
            raise refuse("loyalty.bad_payload", "order_id or customer is missing")
        order_paid(order, customer)
