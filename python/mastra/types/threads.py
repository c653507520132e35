"""Threads: conversations that belong to a resource (a user, a customer, a project)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mastra.types.times import from_wire, to_wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """One conversation, without its messages."""

    id: str
    resource_id: str
    title: str = ""
    metadata: dict[str, Any] | None = None
    created_at: datetime
    updated_at: datetime

    def to_wire(self) -> dict[str, Any]:
        """The JSON object of the HTTP protocol and of storage."""
        return {
            "id": self.id,
            "resourceId": self.resource_id,
            "title": self.title,
            "metadata": self.metadata,
            "createdAt": to_wire(self.created_at),
            "updatedAt": to_wire(self.updated_at),
        }

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> Thread:
        """The thread that a stored JSON object describes."""
        return cls(
            id=data["id"],
            resource_id=data["resourceId"],
            title=data.get("title") or "",
            metadata=data.get("metadata"),
            created_at=from_wire(data["createdAt"]),
            updated_at=from_wire(data["updatedAt"]),
        )
