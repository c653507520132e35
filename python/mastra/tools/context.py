"""What a tool may know and do while it runs: ids, request context, dependencies, writing, suspending."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, NoReturn

from mastra.errors import Aborted, BadDefinition
from mastra.runtime.signals import Suspend
from mastra.types.chunks import Chunk
from mastra.types.schema import to_json

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from mastra.runtime.request_context import RequestContext
    from mastra.runtime.services import Services
    from mastra.runtime.stream import Emit
    from mastra.types.messages import Message

    Deps = TypeVar("Deps", default=Any)
else:
    # Only type checkers need the default, and typing has none before Python 3.13.
    from typing import TypeVar

    Deps = TypeVar("Deps")


class AbortSignal:
    """Whether the run was stopped; for blocking tools, which nobody can cancel from outside."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = threading.Event()

    @property
    def aborted(self) -> bool:
        """Whether to stop."""
        return self._event.is_set()

    def set(self) -> None:
        """Stop; called by the run."""
        self._event.set()

    def raise_if_aborted(self) -> None:
        """`Aborted` when the run was stopped."""
        if self._event.is_set():
            raise Aborted("The run was stopped.")

    def wait(self, seconds: float) -> bool:
        """Sleep in a worker thread; True (at once) when the run is stopped meanwhile."""
        return self._event.wait(seconds)


class ToolContext(Generic[Deps]):
    """One tool call. A parameter annotated with this type receives it and is hidden from the model."""

    __slots__ = ("_emit", "_loop", "_signal", "agent_id", "attempt", "deps", "messages_of", "path", "request_context",
                 "resource_id", "resume_data", "run", "run_id", "services", "thread_id", "tool_call_id",
                 "tool_name")  # fmt: skip

    def __init__(
        self,
        *,
        run_id: str = "",
        tool_call_id: str = "",
        tool_name: str = "",
        agent_id: str = "",
        thread_id: str | None = None,
        resource_id: str | None = None,
        request_context: RequestContext | None = None,
        services: Services | None = None,
        deps: Any = None,
        emit: Emit | None = None,
        resume_data: Any = None,
        signal: AbortSignal | None = None,
        messages_of: Callable[[], list[Message]] | None = None,
        path: tuple[str, ...] = (),
        run: Any = None,
    ) -> None:
        self.run_id = run_id
        self.tool_call_id = tool_call_id
        self.tool_name = tool_name
        self.agent_id = agent_id
        self.thread_id = thread_id
        self.resource_id = resource_id
        self._emit = emit
        self._signal = signal
        self._loop: asyncio.AbstractEventLoop | None = None
        self.services = services
        self.deps: Deps = deps
        self.resume_data = resume_data
        self.messages_of = messages_of
        self.path = path
        # The run of the agent that made the call; sub-agents share its budget. None outside of a run.
        self.run = run
        # 0 for the first try, then counting retries.
        self.attempt = 0
        if request_context is None:
            from mastra.runtime.request_context import RequestContext  # noqa: PLC0415 - only without a run

            request_context = RequestContext()
        self.request_context: RequestContext = request_context

    @property
    def messages(self) -> list[Message]:
        """The conversation so far."""
        return self.messages_of() if self.messages_of is not None else []

    @property
    def idempotency_key(self) -> str:
        """The same for every retry of this call, and for no other call."""
        return f"{self.run_id}:{self.tool_call_id}"

    @property
    def abort(self) -> AbortSignal:
        """Whether the run was stopped meanwhile."""
        if self._signal is None:
            self._signal = AbortSignal()
        return self._signal

    def suspend(self, payload: Any = None) -> NoReturn:
        """Stop here until somebody resumes the run; then the tool is called again with `resume_data`."""
        raise Suspend(to_json(payload))

    async def write(self, output: Any) -> None:
        """Send something to whoever watches the run, as a `tool-output` chunk."""
        if self._emit is not None:
            await self._emit.send(self._output(output))

    async def custom(self, type: str, data: Any, **fields: Any) -> None:
        """Send a `data-...` chunk of your own; unless `transient`, it is kept in the message too."""
        if not type.startswith("data-"):
            raise BadDefinition(f"A chunk of your own cannot be called {type!r}.", hint="Begin its type with 'data-'.")
        payload = {"data": to_json(data), **fields}
        if self.run is not None and not fields.get("transient"):
            self.run.keep_data(type, payload)
        if self._emit is not None:
            await self._emit.send(Chunk(type, payload, self.run_id, path=self.path))

    def write_threadsafe(self, output: Any) -> None:
        """`write` for blocking tools, which run in a worker thread."""
        if self._emit is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._emit.push, self._output(output))

    def _output(self, output: Any) -> Chunk:
        if isinstance(output, Chunk):
            output = output.to_wire()
        payload = {"output": to_json(output), "toolCallId": self.tool_call_id, "toolName": self.tool_name}
        return Chunk("tool-output", payload, self.run_id, "USER", None, self.path)

    def bind_loop(self) -> None:
        """Remember the event loop before a worker thread takes over; called by the run."""
        self._loop = asyncio.get_running_loop()


def context_from(values: Mapping[str, Any]) -> ToolContext:
    """A context for calling a tool outside of a run."""
    return ToolContext(**values)
