"""Plain async functions made durable: the calls they make through their context are recorded, in order."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

from mastra.errors import BadDefinition, HistoryMismatch
from mastra.workflows.context import StepContext
from mastra.workflows.flow import run_child
from mastra.workflows.graph import EventNode, SleepNode, StepNode
from mastra.workflows.parts import as_step
from mastra.workflows.retry import RetrySpec
from mastra.workflows.step import Step, named
from mastra.workflows.workflow import Workflow

if TYPE_CHECKING:
    from mastra.workflows.engine import Execution


class FunctionContext:
    """What a durable function calls its steps through. Each call has a number: the same one in every replay."""

    def __init__(self, execution: Execution, body: str) -> None:
        self._execution = execution
        self._body = body
        self._count = 0

    @property
    def run_id(self) -> str:
        """The run."""
        return self._execution.run.run_id

    @property
    def request_context(self) -> Any:
        """What the caller handed through the run."""
        return self._execution.request_context

    @property
    def state(self) -> Any:
        """The run's state."""
        return self._execution.run.state

    async def run(self, part: Any, value: Any = None, *, id: str | None = None, retries: RetrySpec = None) -> Any:
        """Call a step or function with a value; its recorded result when it was called before."""
        made: Step[Any, Any] = as_step(part)
        if id is not None or retries is not None:
            rules = retries if retries is not None else made.retries
            made = Step(made.execute, id=id or made.id, retries=rules, timeout=made.timeout, runs_on=made.runs_on)  # pyright: ignore[reportArgumentType]  # mypy reads it right
        return await self._child(StepNode(made), made.id, value)

    async def gather(self, *calls: tuple[Any, Any]) -> list[Any]:
        """Call several (step, value) pairs side by side; their results in order."""
        return list(await asyncio.gather(*(self.run(part, value) for part, value in calls)))

    async def sleep(self, seconds: float) -> None:
        """Wait; a recovered run waits for the same moment."""
        await self._child(SleepNode("sleep", seconds=seconds), "sleep", None)

    async def wait_for_event(self, event: str, *, timeout: float | None = None) -> Any:  # noqa: ASYNC109 - stored with the run
        """The data of the next event of this name."""
        return await self._child(EventNode(f"event_{event}", event, timeout), f"event_{event}", None)

    async def _child(self, node: Any, name: str, value: Any) -> Any:
        number = self._count
        self._count += 1
        prefix = f"{self._body}.{number}."
        run = self._execution.run
        recorded = next((key for key in run.records if key.startswith(prefix)), None)
        if recorded is not None and recorded != f"{prefix}{name}":
            raise HistoryMismatch(
                f"Call {number} of {self._body!r} was {recorded.removeprefix(prefix)!r} and is {name!r} now.",
                run_id=run.run_id,
                hint="A durable function must make the same calls in the same order; put what varies into steps.",
            )
        return await run_child(self._execution, node, value, prefix)


@overload
def durable(function: Callable[..., Any], /) -> Workflow[Any, Any]: ...
@overload
def durable(*, id: str | None = None, input: Any = None, output: Any = None) -> Callable[[Any], Workflow[Any, Any]]: ...
def durable(function: Any = None, /, **options: Any) -> Any:
    """Make `async def function(value, ctx)` a workflow whose steps are the calls of `ctx.run`.

    After a crash the function is called again and its calls give what is recorded, so everything else in it has to
    be the same each time: clocks, random numbers and I/O belong into steps.
    """
    return _made(function, options) if function is not None else lambda one: _made(one, options)


def _made(function: Callable[..., Any], options: dict[str, Any]) -> Workflow[Any, Any]:
    if not inspect.iscoroutinefunction(function):
        raise BadDefinition("A durable function is an async function of a value and a context.")
    body = options.get("id") or named(function)

    async def call(value: Any, ctx: StepContext) -> Any:
        return await function(value, FunctionContext(ctx.execution, body))

    part: Step[Any, Any] = Step(call, id=body, input=options.get("input"), output=options.get("output"))
    return Workflow(body, input=options.get("input"), output=options.get("output")).then(part).commit()
