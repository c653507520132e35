"""Telemetry: finished spans on their way from a run to storage and exporters, sampled, cleaned and in groups."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mastra.runtime.tracing import Tracer
from mastra.types.secrets import redact_value
from mastra.types.spans import SpanRecord

if TYPE_CHECKING:
    from mastra.ports.exporter import Exporter

log = logging.getLogger("mastra.telemetry")

# Keys whose values are never exported, compared without case, dashes and underscores.
SENSITIVE = frozenset(
    [
        "password",
        "passwd",
        "secret",
        "token",
        "apikey",
        "authorization",
        "cookie",
        "setcookie",
        "accesstoken",
        "refreshtoken",
        "clientsecret",
        "privatekey",
        "credential",
        "credentials",
        "auth",
        "bearer",
        "sessionid",
        "ssn",
    ]
)
# What the names of secrets end with, however they are prefixed: `x-api-key`, `db_password`, `openaiApiKey`.
SENSITIVE_ENDINGS = ("apikey", "password", "passwd", "secret", "accesstoken", "refreshtoken", "authtoken", "privatekey")
HIDDEN = "[hidden]"
MAX_TEXT = 131_072
MAX_DEPTH = 8
MAX_ITEMS = 50


def clean(value: Any, depth: int = 0) -> Any:
    """`value` as bounded JSON without secrets: long texts, lists and mappings are cut, unknown objects named."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON knows no such number, and one of them would cost its whole group
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _text(value)
    if depth >= MAX_DEPTH:
        return "[deeper]"
    if isinstance(value, dict):
        kept = {
            _text(str(key)): HIDDEN if _sensitive(key) else clean(item, depth + 1)
            for key, item in list(value.items())[:MAX_ITEMS]
        }
        return kept if len(value) <= MAX_ITEMS else {**kept, "…": f"{len(value) - MAX_ITEMS} more"}
    if isinstance(value, list | tuple):
        items = [clean(item, depth + 1) for item in value[:MAX_ITEMS]]
        return items if len(value) <= MAX_ITEMS else [*items, f"… {len(value) - MAX_ITEMS} more"]
    to_wire = None if isinstance(value, type) else getattr(value, "to_wire", None)
    if not callable(to_wire):
        return f"[{type(value).__name__}]"
    try:
        wire = to_wire()
    except Exception:  # noqa: BLE001 - foreign code; what it cannot show is only named
        return f"[{type(value).__name__}]"
    return clean(wire, depth + 1)


def _text(value: str) -> str:
    """`value` cut, and without the characters that a storage refuses: one would cost its whole group."""
    kept = value if len(value) <= MAX_TEXT else f"{value[:MAX_TEXT]}…"
    if "\x00" in kept:
        kept = kept.replace("\x00", "\ufffd")
    return kept if kept.isascii() else kept.encode("utf-8", "replace").decode()


def _sensitive(key: object) -> bool:
    if not isinstance(key, str):
        return False
    plain = key.lower().replace("-", "").replace("_", "")
    return plain in SENSITIVE or plain.endswith(SENSITIVE_ENDINGS)


class Telemetry:
    """Takes finished spans without ever blocking a run, and hands them on in groups in the background.

    `sample` is the share of traces that is kept; whether a trace is kept depends on its id only, so that all
    processes of one trace decide alike. A trace that a caller began is kept when he keeps his part of it.
    """

    def __init__(
        self,
        exporters: Sequence[Exporter],
        *,
        sample: float = 1.0,
        keep: Callable[[SpanRecord], bool] | None = None,
        max_waiting: int = 10_000,
        batch: int = 256,
        pause_s: float = 0.5,
    ) -> None:
        self._below = int(max(0.0, min(1.0, sample)) * 2**32)
        self.tracer = Tracer(self.take, self._samples)
        self.exporters = list(exporters)
        self.dropped = 0
        self._keep = keep
        self._waiting: deque[SpanRecord] = deque()
        self._max_waiting = max_waiting
        self._batch = batch
        self._pause_s = pause_s
        self._worker: asyncio.Task[None] | None = None
        self._hurry: asyncio.Event | None = None

    def take(self, record: SpanRecord) -> None:
        """Accept a finished span; the oldest are dropped, and counted, when too many wait."""
        if not self._kept(record):
            return
        if len(self._waiting) >= self._max_waiting:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(record)
        if self._worker is None or self._worker.done():
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                return  # a worker thread ended a span: the next span of the loop takes it along
            self._hurry = asyncio.Event()
            self._worker = loop.create_task(self._work(self._hurry), name="mastra-telemetry")

    def _samples(self, trace_id: str) -> bool:
        return int(trace_id[:8], 16) < self._below

    def _kept(self, record: SpanRecord) -> bool:
        if self._keep is None:
            return True
        try:
            return self._keep(record)
        except Exception:
            log.exception("the filter of spans failed; the span is kept")
            return True

    async def _work(self, hurry: asyncio.Event) -> None:
        # A short wait lets a run finish, so that its spans leave together.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(hurry.wait(), self._pause_s)
        await self._send()

    async def _send(self) -> None:
        while self._waiting:
            spans = [self._waiting.popleft() for _ in range(min(self._batch, len(self._waiting)))]
            cleaned = [_cleaned(one) for one in spans]
            for exporter in self.exporters:
                try:
                    await exporter.export(cleaned)
                except Exception as error:  # noqa: BLE001 - telemetry never harms a run
                    self.dropped += len(cleaned)
                    log.warning("%s spans were not exported by %s: %s", len(cleaned), type(exporter).__name__, error)

    async def flush(self) -> None:
        """Send everything that waits, now."""
        worker = self._worker
        if worker is not None and not worker.done() and self._hurry is not None:
            # Never cancelled: it may hold a group that is half way to an exporter.
            self._hurry.set()
            await asyncio.wait({worker})
        await self._send()


def _cleaned(record: SpanRecord) -> SpanRecord:
    return record._replace(
        attributes=clean(record.attributes),
        input=clean(record.input),
        output=clean(record.output),
        metadata=clean(record.metadata),
        # What broke a run may have quoted anything.
        error=redact_value(clean(record.error)),
    )
