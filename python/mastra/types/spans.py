"""A finished span: what tracing hands to exporters and storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime


class SpanRecord(NamedTuple):
    """One finished span; `type` is one of Mastra's span types (agent_run, tool_call, workflow_step, ...)."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    type: str
    started_at: datetime
    ended_at: datetime | None
    attributes: dict[str, Any]
    input: Any = None
    output: Any = None
    error: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    tags: tuple[str, ...] = ()
    is_event: bool = False
    entity_type: str | None = None
    entity_id: str | None = None
    entity_name: str | None = None
    run_id: str | None = None
    thread_id: str | None = None
    resource_id: str | None = None
    # The parent is a span of another system, named by an incoming `traceparent`: here, this span is a root.
    remote_parent: bool = False
