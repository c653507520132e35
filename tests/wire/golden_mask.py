"""What varies from run to run or belongs to a model, masked; what the protocol fixes, left as it is."""

from __future__ import annotations

import re
from typing import Any

# Times, ids and what a provider sends along.
MASKED = frozenset(
    {"runId", "messageId", "startedAt", "endedAt", "suspendedAt", "timestamp", "toolCallId", "stepCallId",
     "modelId", "provider", "modelProvider", "modelVersion", "id_", "argsTextDelta",
     "model", "rawReason", "updatedAt", "clonedAt", "resumedAt", "completed_at", "created_at",
     "sequence_number", "acceptedAt"}
)  # fmt: skip
# Not on every server: tracing, raw provider data, bodies and headers of the provider's HTTP.
DROPPED = frozenset(
    {"traceId", "spanId", "raw", "headers", "request", "providerMetadata", "warnings", "modelMetadata", "usage", "url",
     "totalUsage", "providerOptions", "body", "stack", "requestBodyValues", "reasoningTokens", "hasDraft",
     "pendingToolApprovals", "observability", "responseBody", "statusCode", "responseHeaders", "isRetryable", "data",
     "createdAt"}
)  # fmt: skip
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NUMBERED = re.compile(r"\b(call_|chatcmpl-|resp_)[\w-]+")


def mask(value: Any, key: str = "") -> Any:
    if key == "error" and isinstance(value, dict) and "message" in value:
        return {"message": value["message"]}  # what an exception is called differs from language to language
    if isinstance(value, dict):
        kept = {_UUID.sub("*", name): mask(item, name) for name, item in value.items() if name not in DROPPED}
        return {name: item for name, item in kept.items() if item is not None and item not in ([], {})}
    if isinstance(value, list):
        return joined([mask(item) for item in value])
    if key in MASKED:
        return "*"
    if isinstance(value, str):
        if key in {"inputSchema", "outputSchema", "suspendSchema", "resumeSchema"}:
            return "schema"
        return _NUMBERED.sub("*", _UUID.sub("*", value))
    return value


def joined(items: list[Any]) -> list[Any]:
    """Deltas of one kind in a row count as one: how a model cuts its text is not the protocol's."""
    out: list[Any] = []
    for item in items:
        kind = item.get("type") if isinstance(item, dict) else None
        if kind in {"text-delta", "tool-call-delta"} or str(kind).endswith(".delta"):
            last = out[-1] if out and out[-1].get("type") == kind else None
            if last is not None and "delta" in item:
                last["delta"] += item["delta"]
                continue
            if last is not None:
                last["payload"]["text"] = last["payload"].get("text", "") + item["payload"].get("text", "")
                continue
        out.append(item)
    return out
