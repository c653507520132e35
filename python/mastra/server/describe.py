"""Definitions as the JSON of the protocol: tools, agents, scorers, processors."""

from __future__ import annotations

from typing import Any

from mastra.types.json import dumps

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema_text(schema: dict[str, Any]) -> str:
    """A JSON Schema as the text that clients unwrap."""
    return dumps({"json": {"$schema": DRAFT, **schema}})


def tool_info(tool: Any) -> dict[str, Any]:
    """A tool; its schemas are texts on the wire."""
    out = dict(tool.to_wire())
    for name in ("inputSchema", "outputSchema", "requestContextSchema"):
        if isinstance(out.get(name), dict):
            out[name] = schema_text(out[name])
    return out
