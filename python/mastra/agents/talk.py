"""Talk: a live conversation with an agent. Its voice hears and speaks; the agent's tools run, its memory is kept."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mastra.agents.calls import run_calls
from mastra.agents.run import Step
from mastra.errors import InvalidInput, MastraError, near_miss
from mastra.ports.speech import LiveEvent
from mastra.types.json import dumps
from mastra.types.message_input import user_message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from mastra.agents.agent import Agent
    from mastra.agents.calls import Outcome
    from mastra.agents.run import Run
    from mastra.ports.speech import LiveSession
    from mastra.types.model import ToolCall

# Options of a run that mean something here; the others steer a loop that the voice's own model has in its place.
_OPTIONS = frozenset({"thread", "resource", "request_context", "deps", "limits", "hooks", "require_tool_approval",
                      "toolsets", "active_tools", "instructions", "system", "tool_call_concurrency"})  # fmt: skip
_NOBODY_TO_ASK = "This tool needs a person's answer first, which a live conversation cannot wait for. It was not run."


@asynccontextmanager
async def open_talk(
    agent: Agent, *, speaker: str | None = None, voice_options: Mapping[str, Any] | None = None, **options: Any
) -> AsyncIterator[Talk]:
    """A conversation with the agent's instructions and tools, ended when the block is left."""
    for name in options:
        if name not in _OPTIONS:
            raise InvalidInput(f"A live conversation has no option {name!r}.", hint=near_miss(name, _OPTIONS))
    run = await agent.begin("(a live conversation)", options)
    voice = await agent.voice_for(run.request_context)
    said = "\n\n".join(message.text for message in run.plan.system)
    specs = [spec for spec in run.plan.specs if spec.provider_type is None]
    async with voice.connect(instructions=said, tools=specs, speaker=speaker, **dict(voice_options or {})) as session:
        talk = Talk(run, session)
        try:
            yield talk
        finally:
            await talk.stop()


class Talk:
    """One conversation. Send sound as it comes and iterate for what happens; calls of tools are run meanwhile."""

    def __init__(self, run: Run, session: LiveSession) -> None:
        self._run = run
        self._session = session
        self._queue: asyncio.Queue[LiveEvent | BaseException | None] = asyncio.Queue()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._calls: list[asyncio.Task[Outcome]] = []
        self._reader: asyncio.Task[None] | None = None
        self._kept = 0

    @property
    def run_id(self) -> str:
        """The id under which what is said is kept."""
        return self._run.run_id

    async def send(self, audio: bytes) -> None:
        """Sound of the person, as it comes."""
        await self._session.send(audio)

    async def say(self, text: str) -> None:
        """Written words of the person."""
        await self._keep(LiveEvent("writing", text=text, role="user", done=True))
        await self._session.say(text)

    async def __aiter__(self) -> AsyncIterator[LiveEvent]:
        if self._reader is None:
            self._reader = self._spawn(self._read())
        while True:
            event = await self._queue.get()
            if event is None:
                return
            if isinstance(event, BaseException):
                raise event
            yield event

    # ------------------------------------------------------------ what goes on beside the listener

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.create_task(work, name=f"live conversation {self._run.run_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _read(self) -> None:
        try:
            async for event in self._session.events():
                if event.type == "writing" and event.done:
                    await self._keep(event)
                elif event.type == "tool-call":
                    self._run.budget.before_tools(1)
                    self._calls.append(self._spawn(self._call(event.data)))
                elif event.type == "answered" and self._calls:
                    calls, self._calls = self._calls, []
                    self._spawn(self._hand_back(calls))
                self._queue.put_nowait(event)
            self._queue.put_nowait(None)
        except Exception as error:  # noqa: BLE001 - whoever listens gets it
            self._queue.put_nowait(error)

    async def _call(self, call: ToolCall) -> Outcome:
        step = Step(len(self._run.steps), self._run.plan.model)
        step.finish_reason = "tool-calls"
        step.calls = [call]
        (outcome,) = await run_calls(self._run, step)
        shown = _NOBODY_TO_ASK if outcome.waits or outcome.status == "client" else outcome.payload().get("result")
        self._queue.put_nowait(LiveEvent("tool-result", data=shown, text=outcome.call_id))
        return outcome

    async def _hand_back(self, calls: list[asyncio.Task[Outcome]]) -> None:
        """Give the model all results of its answer at once, then let it go on."""
        try:
            for task in calls:
                outcome = await task
                await self._session.answer_call(outcome.call_id, _told(outcome))
            await self._session.ask()
        except MastraError as error:
            self._queue.put_nowait(error)

    async def _keep(self, event: LiveEvent) -> None:
        """Put what was said into the thread."""
        run = self._run
        memory = run.plan.memory
        if memory is None or run.thread_id is None or not event.text.strip():
            return
        self._kept += 1
        message = replace(
            user_message(event.text),
            role=event.role or "assistant",
            thread_id=run.thread_id,
            resource_id=run.resource_id,
        )
        await memory.record(
            thread_id=run.thread_id,
            resource_id=run.resource_id,
            run_id=run.run_id,
            step=self._kept,
            messages=[message],
        )

    async def stop(self) -> None:
        """Stop listening and cancel the tools that still run."""
        if self._run.signal is not None:
            self._run.signal.set()
        left = list(self._tasks)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=5.0)


def _told(outcome: Outcome) -> str:
    if outcome.waits or outcome.status == "client":
        return _NOBODY_TO_ASK
    if outcome.status == "failed" and outcome.error is not None:
        return f"Error: {outcome.error.message}"
    return outcome.model_output if isinstance(outcome.model_output, str) else dumps(outcome.model_output)
