// Points for paid orders.
import { guarded, refuse } from "./erp/guard.js";
import { batch, insert, query } from "erp:plugin/host-db@1.0.0";
import { setting } from "erp:plugin/host-config@1.0.0";
import { publish } from "erp:plugin/host-events@1.0.0";
import type * as Base from "erp:plugin/base@1.0.0";
import type * as EventHandler from "erp:plugin/event-handler@1.0.0";
import type { CallContext } from "erp:plugin/types@1.0.0";

/** Points of a level. */
const LEVEL = 100;

interface Member {
  id: string;
  customer: string;
  points: number;
}

interface Order {
  order_id: string;
  customer: string;
}

function isOrder(value: unknown): value is Order {
  if (typeof value !== "object" || value === null) return false;
  const { order_id, customer } = value as Partial<Order>;
  return typeof order_id === "string" && typeof customer === "string";
}

/** The first row that matches. */
function first<Row>(entity: string, filter: object): Row | undefined {
  const row = query(entity, JSON.stringify({ filter, limit: 1 })).rows[0];
  return row === undefined ? undefined : (JSON.parse(row) as Row);
}

function pointsPerOrder(): number {
  const text = JSON.parse(setting("points_per_order")) as string;
  if (!/^\d{1,9}$/.test(text)) throw refuse("loyalty.bad_setting", `points_per_order is \`${text}\`, no whole number`);
  return Number(text);
}

/** An event may come again, so every effect asks first whether it has happened. */
function orderPaid(order: Order): void {
  if (first("points_entry", { source: order.order_id }) !== undefined) return;
  const points = pointsPerOrder();
  const member =
    first<Member>("member", { customer: order.customer }) ??
    (JSON.parse(insert("member", JSON.stringify({ customer: order.customer }))) as Member);
  const entry = { member_id: member.id, points, source: order.order_id };
  const [, row] = batch([
    { kind: "insert", entity: "points_entry", data: JSON.stringify(entry) },
    { kind: "increment", entity: "member", id: member.id, data: JSON.stringify({ points }) },
  ]);
  const grown = JSON.parse(row ?? "{}") as Member;
  if (Math.floor(grown.points / LEVEL) > Math.floor(member.points / LEVEL)) {
    publish("loyalty.level_reached", JSON.stringify({ customer: grown.customer, points: grown.points }));
  }
}

export const base: typeof Base = {
  init: guarded((_: CallContext) => {}),
};

export const eventHandler: typeof EventHandler = {
  handleEvent: guarded((_: CallContext, event: EventHandler.Event) => {
    const payload: unknown = JSON.parse(event.payload);
    if (!isOrder(payload)) throw refuse("loyalty.bad_payload", "order_id or customer is missing");
    orderPaid(payload);
  }),
};
