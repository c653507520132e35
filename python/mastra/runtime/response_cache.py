"""A model that remembers its answers: the same request gives the same answer, without asking again. Opt-in."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncGenerator
from dataclasses import fields, is_dataclass
from typing import Any

from mastra.ports.cache import Cache
from mastra.ports.model import ChatModel
from mastra.runtime.spare_cache import keep, look
from mastra.types import model as deltas_of
from mastra.types.model import Finish, ModelDelta, ModelRequest, ResponseStart
from mastra.types.usage import Usage

# What does not change the answer does not belong to its name.
_NOT_ASKED = frozenset({"deadline", "max_retries", "timeout_s", "headers"})
_KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        deltas_of.ResponseStart, deltas_of.TextStart, deltas_of.TextDelta, deltas_of.TextEnd, deltas_of.ReasoningStart,
        deltas_of.ReasoningDelta, deltas_of.ReasoningEnd, deltas_of.ToolInputStart, deltas_of.ToolInputDelta,
        deltas_of.ToolInputEnd, deltas_of.ToolCall, deltas_of.ToolResult, deltas_of.Source, deltas_of.GeneratedFile,
        deltas_of.Finish,
    )
}  # fmt: skip
_WHOLE = frozenset({"stop", "tool-calls"})


class CachedModel(ChatModel):
    """Keeps whole answers in a cache, exactly by their request. A cached answer cost nothing: its usage is zero.

    `scope` keeps apart what must not be shared, like tenants or users.
    """

    def __init__(self, inner: ChatModel, cache: Cache, *, ttl_s: float | None = 300.0, scope: str = "") -> None:
        self.inner = inner
        self.provider = inner.provider
        self.model_id = inner.model_id
        self.profile = inner.profile
        self._cache = cache
        self._ttl_s = ttl_s
        self._scope = scope

    def __repr__(self) -> str:
        return f"CachedModel({self.inner!r})"

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The deltas, from the cache or from the model inside."""
        key = self._key(request)
        kept = await look(self._cache, key)
        known = None if kept is None else read_deltas(kept)
        if known is not None:
            for delta in known:
                yield _free_of_charge(delta) if isinstance(delta, Finish) else delta
            return
        seen: list[ModelDelta] = []
        deltas = self.inner.stream(request)
        try:
            async for delta in deltas:
                seen.append(delta)
                if isinstance(delta, Finish) and delta.reason in _WHOLE:
                    await keep(self._cache, key, write_deltas(seen), self._ttl_s)
                yield delta
        finally:
            await deltas.aclose()

    def _key(self, request: ModelRequest) -> str:
        named = json.dumps(
            [self._scope, self.provider, self.model_id, _plain(request)], sort_keys=True, ensure_ascii=False
        )
        return f"answer:{hashlib.sha256(named.encode('utf-8', 'surrogatepass')).hexdigest()}"

    async def close(self) -> None:
        """Close the model inside; the cache is somebody else's."""
        await self.inner.close()


def _free_of_charge(finish: Finish) -> Finish:
    metadata = {**(finish.provider_metadata or {}), "mastra": {"cached": True, "usage": finish.usage.to_wire()}}
    return finish._replace(usage=Usage(), provider_metadata=metadata)


def _plain(value: Any) -> Any:
    """A request as JSON, with the names of its parts: two kinds of part with equal fields stay two."""
    if isinstance(value, bytes):
        return {"sha256": hashlib.sha256(value).hexdigest()}
    if is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _plain(getattr(value, field.name)) for field in fields(value) if field.name not in _NOT_ASKED
        }
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return [type(value).__name__, *(_plain(item) for item in value)]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def write_deltas(deltas: list[ModelDelta]) -> bytes:
    """Deltas as JSON; what belongs to one exchange only is left out."""
    rows: list[list[Any]] = []
    for delta in deltas:
        if isinstance(delta, ResponseStart):
            delta = delta._replace(headers=None, request_body=None)  # noqa: PLW2901 - the one that is kept
        rows.append(
            [
                type(delta).__name__,
                *({"bytes": base64.b64encode(item).decode()} if isinstance(item, bytes) else item for item in delta),
            ]
        )
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()


def read_deltas(kept: bytes) -> list[ModelDelta] | None:
    """The deltas that were kept; None when the entry is not one of ours or not whole."""
    try:
        out = [_read(name, values) for name, *values in json.loads(kept)]
    except (ValueError, KeyError, TypeError):
        return None
    return out if out and isinstance(out[-1], Finish) else None


def _read(name: str, values: list[Any]) -> ModelDelta:
    kind = _KINDS[name]
    values = [
        base64.b64decode(item["bytes"]) if isinstance(item, dict) and set(item) == {"bytes"} else item
        for item in values
    ]
    delta: ModelDelta = kind(*values)
    if isinstance(delta, Finish):
        return delta._replace(usage=Usage(*delta.usage))
    if isinstance(delta, ResponseStart):
        return delta._replace(warnings=tuple(delta.warnings))
    return delta
