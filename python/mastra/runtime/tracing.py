"""Spans: what happened when, inside what. Without a tracer a span costs one attribute look-up.

Context variables carry the current span, so nested runs and worker threads with a copied context join the trace.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from mastra.types.spans import SpanRecord

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_current: ContextVar[Span | None] = ContextVar("mastra_span", default=None)
_entry: ContextVar[Entry | None] = ContextVar("mastra_trace_entry", default=None)
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
# What a span takes over from the one around it, unless it says otherwise.
_INHERITED = ("run_id", "thread_id", "resource_id")


class Remote(NamedTuple):
    """A span of another system that a trace goes on from; without a span only the trace is known."""

    trace_id: str
    span_id: str
    # Whether that system keeps its part of the trace: then we keep ours, and else we do not.
    sampled: bool = True


def parse_traceparent(text: str) -> Remote | None:
    """What a W3C `traceparent` header names; None when it is none, as the standard asks: then a new trace begins."""
    found = _TRACEPARENT.fullmatch(text.strip(" \t"))
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    bad = version == "ff" or (version == "00" and more) or not trace_id.strip("0") or not span_id.strip("0")
    return None if bad else Remote(trace_id, span_id, sampled=bool(int(flags, 16) & 1))


class Entry:
    """A way into the application: the span of another system it comes from, and the trace that it led to."""

    __slots__ = ("remote", "trace_id")

    def __init__(self, remote: Remote | None) -> None:
        self.remote = remote
        self.trace_id = ""


@contextmanager
def continued(remote: Remote | None) -> Iterator[Entry]:
    """Spans that begin in here without a parent of ours become children of `remote`; the entry learns their trace."""
    entry = Entry(remote)
    token = _entry.set(entry)
    try:
        yield entry
    finally:
        _entry.reset(token)


class NoSpan:
    """The span of a run that nobody traces."""

    __slots__ = ()
    trace_id = ""
    span_id = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return

    def end(self, error: BaseException | None = None) -> None:
        """Ignored."""

    def around(self) -> Self:
        """Itself."""
        return self

    def set(self, **attributes: Any) -> None:
        """Ignored."""

    def set_output(self, output: Any) -> None:
        """Ignored."""

    def child(self, name: str, type: str, **facts: Any) -> NoSpan:  # noqa: ARG002 - nobody records it
        """Itself."""
        return self


NO_SPAN = NoSpan()


class Span:
    """A span that is exported when it ends, if its trace is `kept`. Use as a context manager."""

    __slots__ = ("_token", "_tracer", "attributes", "error", "facts", "kept", "name", "output", "parent_span_id",
                 "span_id", "started_at", "trace_id", "type")  # fmt: skip

    def __init__(
        self,
        tracer: Tracer,
        name: str,
        type: str,
        trace_id: str,
        parent: str | None,
        facts: dict[str, Any],
        *,
        kept: bool,
    ) -> None:
        self._tracer = tracer
        self.name = name
        self.type = type
        self.trace_id = trace_id
        self.span_id = os.urandom(8).hex()
        self.parent_span_id = parent
        self.attributes: dict[str, Any] = facts.pop("attributes", {})
        self.facts = facts
        self.kept = kept
        self.output: Any = None
        self.error: dict[str, Any] | None = None
        self.started_at = datetime.now(UTC)

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _current.reset(self._token)
        self.end(error)

    def end(self, error: BaseException | None = None) -> None:
        """It is over; for a span that is no context manager because its work comes in pieces."""
        if isinstance(error, Exception):
            self.error = {"message": str(error), "name": type(error).__name__}
        self._tracer.finish(self)

    @contextmanager
    def around(self) -> Iterator[Self]:
        """One piece of the work: spans that begin in here are inside this one, which goes on."""
        token = _current.set(self)
        try:
            yield self
        finally:
            _current.reset(token)

    def set(self, **attributes: Any) -> None:
        """Add attributes."""
        self.attributes.update(attributes)

    def set_output(self, output: Any) -> None:
        """What came out."""
        self.output = output

    def child(self, name: str, type: str, **facts: Any) -> Span:
        """A span inside this one, of the same run, thread and resource."""
        for key in _INHERITED:
            if key not in facts and key in self.facts:
                facts[key] = self.facts[key]
        return Span(self._tracer, name, type, self.trace_id, self.span_id, facts, kept=self.kept)

    def record(self) -> SpanRecord:
        """The finished span as data."""
        return SpanRecord(
            trace_id=self.trace_id,
            span_id=self.span_id,
            parent_span_id=self.parent_span_id,
            name=self.name,
            type=self.type,
            started_at=self.started_at,
            ended_at=datetime.now(UTC),
            attributes=self.attributes,
            output=self.output,
            error=self.error,
            **self.facts,
        )


class Tracer:
    """Makes spans and hands finished ones to `sink`, which must not block.

    `keeps` says of a new trace's id whether its spans are wanted; a trace that comes from elsewhere brings the answer.
    """

    def __init__(self, sink: Callable[[SpanRecord], None], keeps: Callable[[str], bool] | None = None) -> None:
        self._sink = sink
        self._keeps = keeps

    def span(self, name: str, type: str, **facts: Any) -> Span:
        """A span inside the current one, or the root of a new trace."""
        parent = _current.get()
        if parent is not None:
            return parent.child(name, type, **facts)
        entry = _entry.get()
        remote = None if entry is None else entry.remote
        trace_id = os.urandom(16).hex() if remote is None else remote.trace_id
        if entry is not None:
            entry.trace_id = trace_id
        if remote is None:
            kept = self._keeps is None or self._keeps(trace_id)
            return Span(self, name, type, trace_id, None, facts, kept=kept)
        if not remote.span_id:
            return Span(self, name, type, trace_id, None, facts, kept=remote.sampled)
        facts["remote_parent"] = True
        return Span(self, name, type, trace_id, remote.span_id, facts, kept=remote.sampled)

    def finish(self, span: Span) -> None:
        """Called by the span when it ends."""
        if span.kept:
            self._sink(span.record())


def span(tracer: Tracer | None, name: str, type: str, **facts: Any) -> Span | NoSpan:
    """A span when there is a tracer, else one that does nothing."""
    return NO_SPAN if tracer is None else tracer.span(name, type, **facts)


def inside(name: str, type: str, **facts: Any) -> Span | NoSpan:
    """A span inside the current one, with its run, thread and resource; none outside of what is traced."""
    parent = _current.get()
    return NO_SPAN if parent is None else parent.child(name, type, **facts)


def traceparent() -> str | None:
    """The W3C `traceparent` header by which another system joins the trace of the running code."""
    current = _current.get()
    return None if current is None else f"00-{current.trace_id}-{current.span_id}-{'01' if current.kept else '00'}"


def current_span() -> Span | None:
    """The span around the running code."""
    return _current.get()
