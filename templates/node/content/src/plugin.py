"""The exports; the nodes themselves stand in `nodes.py`, where the host API wants its resources."""

import json

from wit_world import exports
from wit_world.imports.types import CallContext

import nodes
from erp.definitions import DEFINITIONS
from erp.guard import guarded


class Base(exports.Base):
    @guarded
    def init(self, ctx: CallContext) -> None:
        pass


class Nodes(exports.Nodes):
    @guarded
    def get_node_definitions(self) -> str:
        return DEFINITIONS

    @guarded
    def load_options(self, kind: str, version: str, property: str, parameters: str) -> str:
        known = nodes.ask("currencies")
        return json.dumps([{"value": one["code"], "label": one["name"]} for one in known])
