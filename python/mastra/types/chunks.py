"""Chunks: what a run emits while it works. The object in Python has the fields of the wire."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

Origin: TypeAlias = Literal["AGENT", "USER", "SYSTEM", "WORKFLOW", "NETWORK"]

FinishReason: TypeAlias = Literal[
    "stop",
    "length",
    "content-filter",
    "tool-calls",
    "error",
    "other",
    "unknown",
    "tripwire",
    "retry",
    "suspended",
]

# Chunks whose body does not stand under "payload" on the wire.
_OBJECT_TYPES = frozenset({"object", "object-result"})


class Chunk(NamedTuple):
    """One event of a run.

    `type` and `payload` are exactly those of the HTTP protocol (payload keys in camelCase), so that what a user
    handles in Python is what a client receives. `path` names the nested runs it came through, outermost first.
    """

    type: str
    payload: Any
    run_id: str = ""
    origin: Origin = "AGENT"
    metadata: dict[str, Any] | None = None
    path: tuple[str, ...] = ()

    def to_wire(self) -> dict[str, Any]:
        """The JSON object of the HTTP protocol."""
        kind = self.type
        if kind.startswith("data-"):
            return {"type": kind, **self.payload}
        out: dict[str, Any] = {"type": kind, "runId": self.run_id, "from": self.origin}
        if kind in _OBJECT_TYPES:
            out["object"] = self.payload
        else:
            out["payload"] = self.payload
        if self.metadata is not None:
            out["metadata"] = self.metadata
        return out

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> Chunk:
        """The chunk that a JSON object of the HTTP protocol describes."""
        kind = data["type"]
        if kind.startswith("data-"):
            return cls(kind, {key: value for key, value in data.items() if key != "type"}, data.get("runId", ""))
        body = data.get("object") if kind in _OBJECT_TYPES else data.get("payload")
        return cls(kind, body, data.get("runId", ""), data.get("from", "AGENT"), data.get("metadata"))
