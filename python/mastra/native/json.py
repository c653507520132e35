"""JSON that is still arriving, and a strict parser for JSON that has arrived."""

from __future__ import annotations

try:
    from mastra._core import PartialJson
    from mastra._core import parse_json as parse
except ImportError:
    # The pure-Python twins have the same signatures; mypy sees two definitions of one name.
    from mastra.native.fallback.json import PartialJson, parse  # type: ignore[assignment]

__all__ = ["PartialJson", "parse"]
