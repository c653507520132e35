"""The request context: values that the caller hands through a run to instructions, tools and steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from mastra.errors import InvalidInput

# Set by the server from the token, never by a client.
RESOURCE_ID = "mastra__resourceId"
THREAD_ID = "mastra__threadId"
USER = "mastra__user"
_RESERVED_PREFIX = "mastra__"


class RequestContext(MutableMapping[str, Any]):
    """A mapping whose reserved keys only mastra itself may set."""

    __slots__ = ("_reserved", "_values")

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values: dict[str, Any] = {}
        self._reserved: dict[str, Any] = {}
        for key, value in (values or {}).items():
            self[key] = value

    @classmethod
    def from_client(cls, values: Mapping[str, Any] | None) -> RequestContext:
        """The context that a client sent: reserved keys are dropped, not refused."""
        kept = {key: value for key, value in (values or {}).items() if not key.startswith(_RESERVED_PREFIX)}
        return cls(kept)

    def reserve(self, key: str, value: Any) -> None:
        """Set a reserved key; for the server and the runtime."""
        self._reserved[key] = value

    def __getitem__(self, key: str) -> Any:
        if key.startswith(_RESERVED_PREFIX):
            return self._reserved[key]
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if key.startswith(_RESERVED_PREFIX):
            raise InvalidInput(
                f"The request context key {key!r} is reserved.", hint="Choose a name without 'mastra__'."
            )
        self._values[key] = value

    def __delitem__(self, key: str) -> None:
        if key.startswith(_RESERVED_PREFIX):
            raise InvalidInput(f"The request context key {key!r} is reserved.")
        del self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def to_wire(self) -> dict[str, Any]:
        """The caller's own values, without the reserved ones."""
        return dict(self._values)

    def __repr__(self) -> str:
        # Values may be secrets: a context is often logged by accident.
        return f"RequestContext(keys={sorted(self._values)})"
