"""Messages as they are stored and shown: Mastra's second message format, parts as JSON objects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from mastra.types.times import from_wire, to_wire

if TYPE_CHECKING:
    from datetime import datetime

Role: TypeAlias = Literal["user", "assistant", "system", "tool", "signal"]
Part: TypeAlias = dict[str, Any]
"""One part in wire form, by its "type": text, reasoning, tool-invocation, file, source, step-start, data-*.

Parts stay plain JSON: they are stored, sent and shown unchanged, and unknown ones survive a round trip.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a thread."""

    id: str
    role: Role
    parts: tuple[Part, ...]
    created_at: datetime
    thread_id: str | None = None
    resource_id: str | None = None
    type: str | None = None
    # Fields of `content` beside format and parts: content, toolInvocations, reasoning, metadata, ...
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return "".join(part.get("text", "") for part in self.parts if part.get("type") == "text")

    def to_wire(self) -> dict[str, Any]:
        """The JSON object of the HTTP protocol and of storage."""
        out: dict[str, Any] = {
            "id": self.id,
            "role": self.role,
            "createdAt": to_wire(self.created_at),
            "content": {"format": 2, "parts": list(self.parts), **self.extra},
        }
        if self.thread_id is not None:
            out["threadId"] = self.thread_id
        if self.resource_id is not None:
            out["resourceId"] = self.resource_id
        if self.type is not None:
            out["type"] = self.type
        return out

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> Message:
        """The message that a stored JSON object describes."""
        content = dict(data["content"])
        content.pop("format", None)
        parts = tuple(content.pop("parts", ()))
        return cls(
            id=data["id"],
            role=data["role"],
            parts=parts,
            created_at=from_wire(data["createdAt"]),
            thread_id=data.get("threadId"),
            resource_id=data.get("resourceId"),
            type=data.get("type"),
            extra=content,
        )
