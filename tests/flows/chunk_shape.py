"""What stays the same of a chunk from run to run: ids, times, headers and raw provider data are masked."""

from __future__ import annotations

from typing import Any

MASKED = frozenset({"runId", "messageId", "startedAt", "createdAt", "timestamp"})
DROPPED = frozenset({"headers", "raw", "traceId", "resumeSchema", "pendingToolApprovals"})


def shape(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: shape(item, name) for name, item in value.items() if name not in DROPPED}
    if isinstance(value, list):
        return [shape(item) for item in value]
    if key in MASKED:
        return "*"
    if key == "id" and isinstance(value, str) and (value.startswith("chatcmpl-") or value.count("-") == 4):
        return "*"
    return value
