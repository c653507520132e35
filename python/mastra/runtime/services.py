"""What a run may use of the application: handed to agents and workflows by `Mastra`, or empty without one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from mastra.runtime.background import Background
from mastra.runtime.broadcast import RunLogs
from mastra.runtime.clock import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mastra.ports.bus import EventBus
    from mastra.ports.cache import Cache
    from mastra.ports.executor import Executor
    from mastra.ports.storage import Storage
    from mastra.ports.vectors import VectorStore
    from mastra.runtime.tracing import Tracer


@dataclass(slots=True)
class Services:
    """The parts of one application. Agents, tools and workflows know each other only through it."""

    storage: Storage | None = None
    vectors: Mapping[str, VectorStore] = field(default_factory=dict)
    cache: Cache | None = None
    bus: EventBus | None = None
    # Who decides when and where a stored run is carried; without one, at once and here.
    executor: Executor | None = None
    tracer: Tracer | None = None
    clock: Clock = SYSTEM_CLOCK
    # Work that outlives a request, and what runs emitted, for those who lost the connection.
    background: Background = field(default_factory=Background)
    runs: RunLogs = field(default_factory=RunLogs)
    # What carries durable workflow runs in this process; made by the first one.
    workflow_worker: Any = None
    # The background tasks of agents; made by the first one.
    tasks: Any = None
    # The threads on which agents work now, and who listens to them; made by the first one.
    threads: Any = None
    # The registered definitions by id; values are Agent, Workflow, Tool, Scorer, Memory.
    agents: dict[str, Any] = field(default_factory=dict)
    workflows: dict[str, Any] = field(default_factory=dict)
    tools: dict[str, Any] = field(default_factory=dict)
    scorers: dict[str, Any] = field(default_factory=dict)
    memories: dict[str, Any] = field(default_factory=dict)
    # What definitions bring along and the application must close with itself: memories of agents.
    brought: WeakSet[Any] = field(default_factory=WeakSet)
