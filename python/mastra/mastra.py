"""Class Mastra: the only place where an application's parts are put together, opened and closed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, cast

from mastra.errors import BadDefinition, NotFound, near_miss
from mastra.registry import open_url
from mastra.runtime.clock import SYSTEM_CLOCK, Clock
from mastra.runtime.services import Services

if TYPE_CHECKING:
    from mastra.ports.bus import EventBus
    from mastra.ports.cache import Cache
    from mastra.ports.executor import Executor
    from mastra.ports.exporter import Exporter
    from mastra.ports.storage import Storage
    from mastra.ports.vectors import VectorStore
    from mastra.runtime.telemetry import Telemetry


class Defined(Protocol):
    """What every definition has: agents, workflows, tools and scorers."""

    @property
    def id(self) -> str:
        """The name it is registered under."""
        ...


class Opens(Protocol):
    """A part with a life: storage, vectors, cache, bus."""

    async def open(self) -> None:
        """Connect."""
        ...

    async def close(self) -> None:
        """Let go."""
        ...


T = TypeVar("T")
Things = Iterable[T] | Mapping[str, T]


class Mastra:
    """An application: its definitions, its adapters, and the life of both.

    Definitions come as a list (registered under their ids) or as a mapping (registered under its keys). Adapters
    come as objects or as URLs. Nothing is connected before `open()`; `async with mastra:` opens and closes.
    """

    def __init__(
        self,
        *,
        agents: Things[Any] = (),
        workflows: Things[Any] = (),
        tools: Things[Any] = (),
        scorers: Things[Any] = (),
        memory: Any = None,
        processors: Things[Any] = (),
        mcp_servers: Things[Any] = (),
        storage: str | Storage | None = None,
        vectors: str | VectorStore | Mapping[str, str | VectorStore] | None = None,
        cache: str | Cache | None = None,
        bus: str | EventBus | None = None,
        executor: str | Executor | None = None,
        exporters: Iterable[str | Exporter] = (),
        telemetry: bool | Telemetry | None = None,
        clock: Clock = SYSTEM_CLOCK,
        server: Any = None,
    ) -> None:
        # The options of `mastra.server.ServerOptions` that `mastra dev` and `mastra start` use.
        self.server = server
        self.services = Services(
            storage=_adapter("mastra.storage", "memory:" if storage is None else storage),
            vectors=_stores(vectors),
            cache=_adapter("mastra.caches", cache),
            bus=_adapter("mastra.buses", bus),
            executor=_adapter("mastra.executors", executor),
            clock=clock,
            agents=_register("agent", agents),
            workflows=_register("workflow", workflows),
            tools=_register("tool", tools),
            scorers=_register("scorer", scorers),
            memories=_memories(memory),
        )
        self.processors: dict[str, Any] = _register("processor", processors)
        self.mcp_servers: dict[str, Any] = _register("MCP server", mcp_servers)
        self.exporters: list[Exporter] = [_adapter("mastra.exporters", exporter) for exporter in exporters]
        self.telemetry = self._make_telemetry(telemetry)
        self._opened: list[Opens] = []
        self._lock: asyncio.Lock | None = None
        self._bind()

    def _make_telemetry(self, given: bool | Telemetry | None) -> Telemetry | None:  # noqa: FBT001 - on, off, or how
        """Spans go to the storage and to all exporters; without exporters they have to be asked for."""
        if given is None:
            given = bool(self.exporters)
        if given is False:
            return None
        from mastra.runtime.span_store import SpanStore  # noqa: PLC0415 - only who traces pays for it
        from mastra.runtime.telemetry import Telemetry as Pipeline  # noqa: PLC0415 - the same

        made = Pipeline([SpanStore(self.storage)]) if given is True else given
        made.exporters.extend(self.exporters)
        self.services.tracer = made.tracer
        return made

    def _bind(self) -> None:
        services = self.services
        for memory in services.memories.values():
            memory.bind(services)
        for definition in (
            *services.agents.values(),
            *services.workflows.values(),
            *services.scorers.values(),
            *self.mcp_servers.values(),
        ):
            bind = getattr(definition, "bind", None)
            if bind is not None:
                bind(services)

    # ---------------------------------------------------------------- life

    @property
    def is_open(self) -> bool:
        """Whether the adapters are connected."""
        return bool(self._opened)

    async def open(self) -> Self:
        """Connect everything, storage first. Idempotent; when one part fails, those before it are closed again."""
        if self._lock is None:
            self._lock = asyncio.Lock()
        async with self._lock:
            if self._opened:
                return self
            opened: list[Opens] = []
            try:
                for part in self._parts():
                    await part.open()
                    opened.append(part)
            except BaseException:
                for part in reversed(opened):
                    await part.close()
                raise
            self._opened = opened
            await self._take_up_work()
        return self

    async def _take_up_work(self) -> None:
        """Carry on the runs and tasks that a process left behind, and fire what is scheduled."""
        if self.services.agents:
            from mastra.agents.tasks import Tasks  # noqa: PLC0415 - not before something is opened

            await Tasks.of(self.services).take_up()
        from mastra.workflows.schedules import Schedules  # noqa: PLC0415 - not before something is opened

        workflows = [one for one in self.services.workflows.values() if getattr(one, "is_durable", False)]
        if self.services.storage is None or not (workflows or self.services.agents):
            return
        schedules = Schedules(self.services)
        for workflow in workflows:
            await schedules.declare(workflow)
        # Agents alone need no worker, unless one of them is asked by the clock.
        if workflows or await schedules.any():
            await schedules.worker.start()

    async def close(self, *, drain_s: float = 30.0) -> None:
        """Let background work finish (for at most `drain_s` seconds), then close in reverse order. Idempotent."""
        opened, self._opened = self._opened, []
        if not opened:
            return
        if self.services.workflow_worker is not None:
            await self.services.workflow_worker.stop(grace_s=min(drain_s, 5.0))
        await self.services.background.drain(drain_s)
        if self.services.workflow_worker is not None:
            await self.services.workflow_worker.stop(grace_s=drain_s)
        if self.services.tasks is not None:
            await self.services.tasks.close()
        if self.telemetry is not None:
            await self.telemetry.flush()
        failures: list[Exception] = []
        parts: list[Any] = [*self.services.brought, *self.exporters, *reversed(opened)]
        for part in parts:
            try:
                await part.close()
            except Exception as error:  # noqa: BLE001 - every part gets its close; the first failure is raised below
                failures.append(error)
        if failures:
            raise failures[0]

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _parts(self) -> list[Opens]:
        services = self.services
        parts: list[Any] = [services.storage, *services.vectors.values(), services.cache, services.bus]
        return [cast("Opens", part) for part in parts if part is not None]

    # ---------------------------------------------------------------- look-ups

    @property
    def storage(self) -> Storage:
        """The storage; in-process memory when none was given."""
        storage = self.services.storage
        if storage is None:  # pragma: no cover - the constructor always sets one
            raise BadDefinition("This application has no storage.")
        return storage

    @property
    def agents(self) -> Mapping[str, Any]:
        """The agents by the name they are registered under."""
        return self.services.agents

    @property
    def workflows(self) -> Mapping[str, Any]:
        """The workflows by the name they are registered under."""
        return self.services.workflows

    @property
    def tools(self) -> Mapping[str, Any]:
        """The tools by the name they are registered under."""
        return self.services.tools

    @property
    def scorers(self) -> Mapping[str, Any]:
        """The scorers by the name they are registered under."""
        return self.services.scorers

    @property
    def vectors(self) -> Mapping[str, VectorStore]:
        """The vector stores by name."""
        return self.services.vectors

    def get_agent(self, id: str) -> Any:
        """The agent of this id; `NotFound` when there is none."""
        return _look_up(self.services.agents, id, f"Agent with id {id} not found")

    def get_workflow(self, id: str) -> Any:
        """The workflow of this id; `NotFound` when there is none."""
        return _look_up(self.services.workflows, id, "Workflow not found")

    def get_tool(self, id: str) -> Any:
        """The tool of this id; `NotFound` when there is none."""
        return _look_up(self.services.tools, id, "Tool not found")

    def get_scorer(self, id: str) -> Any:
        """The scorer of this id; `NotFound` when there is none."""
        return _look_up(self.services.scorers, id, f"Scorer with id {id} not found")

    def get_vectors(self, name: str) -> VectorStore:
        """The vector store of this name; `NotFound` when there is none."""
        store: VectorStore = _look_up(self.services.vectors, name, f"Vector with name {name} not found")
        return store


def _look_up(things: Mapping[str, Any], id: str, message: str) -> Any:
    found = things.get(id)
    if found is not None:
        return found
    for thing in things.values():
        if getattr(thing, "id", None) == id:
            return thing
    raise NotFound(message, hint=near_miss(id, things))


def _register(kind: str, things: Things[Any]) -> dict[str, Any]:
    if isinstance(things, Mapping):
        return dict(things)
    registered: dict[str, Any] = {}
    for thing in things:
        name = getattr(thing, "id", None) or getattr(thing, "name", None)
        if not isinstance(name, str):
            raise BadDefinition(f"{thing!r} is not a {kind}: it has no id.")
        if registered.setdefault(name, thing) is not thing:
            raise BadDefinition(f"Two {kind}s are called {name!r}.", hint="Give each its own id.")
    return registered


def _memories(memory: Any) -> dict[str, Any]:
    if memory is None:
        return {}
    return dict(memory) if isinstance(memory, Mapping) else {"default": memory}


def _adapter(group: str, given: Any) -> Any:
    return open_url(group, given) if isinstance(given, str) else given


def _stores(given: Any) -> dict[str, VectorStore]:
    if given is None:
        return {}
    named = given if isinstance(given, Mapping) else {"default": given}
    return {name: _adapter("mastra.vectors", store) for name, store in named.items()}
