"""The nodes of the manifest."""

import json
from typing import Any, Callable, Self

from wit_world.exports import nodes
from wit_world.exports.nodes import NodeContext, PortOutput
from wit_world.imports import host_expr, host_http, host_memory
from wit_world.imports.host_http import Request

from erp.guard import guarded, refuse, try_later

# Where rates come from; the manifest's `capabilities.http` names it too.
RATES = "https://rates.example.com/v1"

Item = dict[str, Any]


def evaluate(expression: str, vars: Item) -> Any:
    """An expression over an item, computed by the host: exact, and as everywhere on the platform."""
    return json.loads(host_expr.eval(expression, json.dumps(vars)))


def ask(path: str) -> Any:
    """Asks the service; what may be gone when it is asked again is told as retryable."""
    answer = host_http.send(Request("GET", f"{RATES}/{path}", [], None, 3_000))
    if answer.status == 404:
        raise refuse("rate.unknown", f"the service knows no {path}")
    if answer.status != 200:
        raise try_later("rate.unavailable", f"the service answered {answer.status}")
    return json.loads(answer.body)


def group(parameters: Item, items: list[Item]) -> list[Item]:
    by = parameters["group_by"]
    if by in ("count", "sum"):
        raise refuse("group.taken", "`count` and `sum` are what a group is given")
    groups: dict[str, Item] = {}
    for item in items:
        one = groups.setdefault(json.dumps(item.get(by)), {by: item.get(by), "count": 0})
        one["count"] += 1
        if parameters["mode"] == "sum":
            value = evaluate(parameters["value"], item)
            one["sum"] = evaluate("a + b", {"a": one.get("sum", 0), "b": value})
    return list(groups.values())


def rate(parameters: Item, items: list[Item]) -> list[Item]:
    known = ask(f"rates/{parameters['currency']}")
    return [{**item, "rate": known["rate"]} for item in items]


EXECUTORS: dict[str, Callable[[Item, list[Item]], list[Item]]] = {
    "{= id =}.group": group,
    "{= id =}.rate": rate,
}


class Executor(nodes.Executor):
    def __init__(self, kind: str, parameters: Item) -> None:
        self.kind = kind
        self.parameters = parameters

    @classmethod
    @guarded
    def create(cls, kind: str, version: str, parameters: str) -> Self:
        if kind not in EXECUTORS:
            raise refuse("node.unknown", f"there is no node `{kind}`")
        return cls(kind, json.loads(parameters))

    @guarded
    def execute(self, ctx: NodeContext, input: str) -> list[PortOutput]:
        made = EXECUTORS[self.kind](self.parameters, json.loads(input).get("main", []))
        return [PortOutput("main", json.dumps(made))]


class Supplier(nodes.Supplier):
    def __init__(self, parameters: Item) -> None:
        self.parameters = parameters

    @classmethod
    @guarded
    def create(cls, kind: str, version: str, parameters: str) -> Self:
        if kind != "{= id =}.notes":
            raise refuse("node.unknown", f"there is no node `{kind}`")
        return cls(json.loads(parameters))

    @guarded
    def supply(self, ctx: NodeContext) -> str:
        session = f"{ctx.workflow_id}/{self.parameters.get('session')}"
        if "note" in self.parameters:
            host_memory.append(session, json.dumps({"note": self.parameters["note"]}))
        recent = [json.loads(item) for item in host_memory.recent(session, 10)]
        return json.dumps({"session": session, "recent": recent})
