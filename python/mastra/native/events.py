"""What the stream parsers yield. No parsing lives here."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple


class SseEvent(NamedTuple):
    """One server-sent event, as the WHATWG format defines it."""

    event: str
    """The event's name; "message" when the stream names none."""
    data: str
    """The data lines, joined by a line feed."""
    id: str
    """The last id the stream has set so far; empty when it set none."""
    retry: int | None
    """The reconnection time in milliseconds, when this event carried one."""

    def json(self) -> Any:
        """The data, parsed as JSON; ValueError when it is none."""
        return json.loads(self.data)


if not TYPE_CHECKING:
    with contextlib.suppress(ImportError):
        # The same tuple, whose making and reading cost a fraction. Every event is of one type: this one.
        from mastra._core import SseEvent  # noqa: F401
