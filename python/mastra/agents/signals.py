"""Signals: a word into a thread at any time, to the run at work there, behind it, or as the start of a new one."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from html import escape
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from mastra.agents.callbacks import listen
from mastra.agents.recording import record
from mastra.agents.stopping import stoppable
from mastra.errors import AccessDenied, InvalidInput, StreamBroken, near_miss
from mastra.types.chunks import Chunk
from mastra.types.ids import check_id, new_id
from mastra.types.message_input import read_messages, says_something
from mastra.types.message_prompt import to_prompt
from mastra.types.messages import Message
from mastra.types.times import to_wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from mastra.agents.agent import Agent
    from mastra.agents.run import Run
    from mastra.runtime.services import Services

IfActive = Literal["deliver", "persist", "discard"]
IfIdle = Literal["wake", "persist", "discard"]
Kind = Literal["user", "state", "reactive", "notification", "user-message", "system-reminder"]
_NAME = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
_DONE = {"deliver": "delivered", "wake": "woke", "persist": "persisted", "discard": "discarded"}
_BY_USERS = ("user", "user-message")
# A listener that is so far behind is let go: nobody who speaks waits for those who listen.
MOST_WAITING = 10_000


class Sent(NamedTuple):
    """What became of a signal: `action` is delivered, queued, woke, persisted or discarded, `run_id` whose it is."""

    action: str
    run_id: str
    signal: dict[str, Any]


class _Arrival(NamedTuple):
    """A signal on its way: how it is shown, the message that it makes, and how a run that begins with it is told."""

    signal: dict[str, Any]
    message: Message
    options: Mapping[str, Any]


@dataclass(slots=True)
class Place:
    """One thread of one agent, for as long as somebody works, waits or listens there."""

    # The runs at work and how to stop them, the newest last; several only where the memory has no policy for that.
    runs: dict[str, tuple[Run, Callable[[], None]]] = field(default_factory=dict)
    # For the run at work, and for those after it.
    arrived: list[_Arrival] = field(default_factory=list)
    queued: deque[_Arrival] = field(default_factory=deque)
    # What a run is begun with, by its id: told when it has said that it has begun.
    opening: dict[str, list[_Arrival]] = field(default_factory=dict)
    # Who listens, and for whom: None hears everybody's runs.
    listeners: dict[asyncio.Queue[Chunk | None], str | None] = field(default_factory=dict)
    # The runs that the listeners hear.
    heard: set[str] = field(default_factory=set)

    @property
    def newest(self) -> str | None:
        """The id of the run that hears what is said; None when none is at work."""
        return next(reversed(self.runs), None)

    @property
    def empty(self) -> bool:
        """Whether nobody needs it any more."""
        return not (self.runs or self.arrived or self.queued or self.opening or self.listeners)

    def tune_in(self, run: Run) -> None:
        """From here on those who listen to the thread hear the run."""
        if self.listeners and run.run_id not in self.heard:
            self.heard.add(run.run_id)
            listen(run, lambda chunk: self._tell(run, chunk))

    def greet(self, run: Run) -> None:
        """Show what the run was begun with."""
        for arrival in self.opening.pop(run.run_id, ()):
            _show(run, arrival)

    async def take_in(self, run: Run) -> None:
        """Before a step: what has arrived is said in the conversation, behind the answer as far as it has grown."""
        self.tune_in(run)
        if not self.arrived or run.run_id != self.newest:
            return
        arrived, self.arrived = self.arrived, []
        messages = [one.message for one in arrived]
        if run.plan.input_processors:
            from mastra.agents.guards import process_input  # noqa: PLC0415 - only guarded agents need it

            messages = await process_input(run, messages)
        run.close_answer()
        run.responses.extend(replace(one, thread_id=run.thread_id, resource_id=run.resource_id) for one in messages)
        run.prompt.extend(to_prompt(messages))
        for arrival in arrived:
            _show(run, arrival)
        await record(run)

    def _tell(self, run: Run, chunk: Chunk) -> None:
        for queue, resource in list(self.listeners.items()):
            if resource is not None and run.resource_id not in (None, resource):
                continue
            if queue.qsize() < MOST_WAITING:
                queue.put_nowait(chunk)
            else:
                del self.listeners[queue]
                queue.put_nowait(None)


def _show(run: Run, arrival: _Arrival) -> None:
    if run.push is not None:
        kind = "data-user-message" if arrival.signal["type"] in _BY_USERS else "data-signal"
        run.push(Chunk(kind, {"data": arrival.signal, "transient": True, "runId": run.run_id}, run.run_id))


# ---------------------------------------------------------------- who is where


def _places(services: Services) -> dict[tuple[str, str], Place]:
    if services.threads is None:
        services.threads = {}
    found: dict[tuple[str, str], Place] = services.threads
    return found


@contextmanager
def _visited(agent: Agent, thread: str) -> Iterator[Place]:
    """The place of a thread, which goes when the last one leaves."""
    places, key = _places(agent.services), (agent.id, thread)
    place = places.setdefault(key, Place())
    try:
        yield place
    finally:
        if place.empty and places.get(key) is place:
            del places[key]


@contextmanager
def at_work(run: Run) -> Iterator[None]:
    """The run hears what is said on its thread; what it has not heard at its end, the next one hears."""
    assert run.thread_id is not None
    with _visited(run.agent, run.thread_id) as place, stoppable(run, "The run was aborted.") as stop:
        place.runs[run.run_id] = (run, stop)
        run.place = place
        place.tune_in(run)
        try:
            yield
        finally:
            run.place = None
            del place.runs[run.run_id]
            place.heard.discard(run.run_id)
            # What waits for a person goes on, and hears the rest then.
            if not place.runs and run.finish_reason != "suspended":
                _go_on(run, place)


def _go_on(run: Run, place: Place) -> None:
    """Begin the next run when something was said that nobody has heard."""
    said, place.arrived = place.arrived, []
    if not said and place.queued:
        said = [place.queued.popleft()]
    if said:
        assert run.thread_id is not None
        woken = _wake(run.agent, said, run.thread_id, run.resource_id, new_id())
        run.services.background.spawn(woken, f"next run on thread {run.thread_id}")


async def _wake(agent: Agent, said: list[_Arrival], thread: str, resource: str | None, run_id: str) -> None:
    """Begin a run with what was said; back when it has."""
    options = {**said[-1].options, "thread": thread, "resource": resource, "run_id": run_id, "detached": True}
    with _visited(agent, thread) as place:
        place.opening[run_id] = said
        try:
            async with agent.stream([one.message for one in said], **options) as run:
                # Its first chunk proves that it has begun; the rest happens without us.
                if not await run.take():
                    await run.result()
        finally:
            place.opening.pop(run_id, None)


# ---------------------------------------------------------------- for those who speak and listen


class Signals:
    """What can be said into an agent's threads while it works, and heard of them; all in this process."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    async def send_message(
        self, message: Any, *, thread: str, resource: str | None = None, if_active: IfActive = "deliver",
        if_idle: IfIdle = "wake", **options: Any,
    ) -> Sent:  # fmt: skip
        """Say something on a thread: the run at work there reads it before its next step; else a run begins.

        `message` is a text, a list of parts, or a mapping with `contents` and `attributes`. `options` are those of a
        run that begins with it.
        """
        signal = _read(message, "user")
        return await self._send(signal, thread, resource, if_active, if_idle, options)

    async def send_signal(
        self, type: Kind, contents: Any, *, thread: str, resource: str | None = None, tag: str | None = None,
        attributes: Mapping[str, Any] | None = None, if_active: IfActive = "deliver", if_idle: IfIdle = "wake",
        **options: Any,
    ) -> Sent:  # fmt: skip
        """Say what no person said: the model reads it inside a tag, with its attributes."""
        signal = _read({"contents": contents, "attributes": attributes, "tagName": tag}, type)
        return await self._send(signal, thread, resource, if_active, if_idle, options)

    async def queue_message(self, message: Any, *, thread: str, resource: str | None = None, **options: Any) -> Sent:
        """Say something when the run at work, and what was queued before, has been answered; on an idle thread now."""
        place = self._place(thread, resource)
        if place is None or place.newest is None:
            return await self.send_message(message, thread=thread, resource=resource, **options)
        arrival = _arrival(_read(message, "user"), options)
        place.queued.append(arrival)
        return Sent("queued", place.newest, arrival.signal)

    def cancel_queued(self, thread: str, *, resource: str | None = None) -> int:
        """Forget what was queued on a thread; how many messages that were."""
        place = self._place(thread, resource)
        count = 0 if place is None else len(place.queued)
        if place is not None:
            place.queued.clear()
        return count

    def thread_of(self, run_id: str) -> str | None:
        """The thread on which a run is at work; None when it is not, or not here."""
        for (agent_id, thread), place in _places(self._agent.services).items():
            if agent_id == self._agent.id and run_id in place.runs:
                return thread
        return None

    def abort(self, thread: str, *, resource: str | None = None, run_id: str | None = None) -> bool:
        """Stop the run at work on a thread (only if it is `run_id`, where that is said); whether there was one.

        What was queued behind it goes on.
        """
        place = self._place(thread, resource)
        if place is None or place.newest is None or run_id not in (None, place.newest):
            return False
        _, stop = place.runs[place.newest]
        stop()
        return True

    @asynccontextmanager
    async def subscribe(self, thread: str, *, resource: str | None = None) -> AsyncIterator[AsyncIterator[Chunk]]:
        """The chunks of all runs on a thread from now on: `async with agent.signals.subscribe("t1") as chunks:`.

        Of a run that is at work, those from its next step on.
        """
        self._place(thread, resource)
        queue: asyncio.Queue[Chunk | None] = asyncio.Queue()
        with _visited(self._agent, thread) as place:
            place.listeners[queue] = resource
            try:
                yield _heard(queue, thread)
            finally:
                place.listeners.pop(queue, None)

    # ------------------------------------------------------------ ways

    def _place(self, thread: str, resource: str | None) -> Place | None:
        place = _places(self._agent.services).get((self._agent.id, check_id(thread, "thread id")))
        at_work = () if place is None or resource is None else place.runs.values()
        if any(run.resource_id not in (None, resource) for run, _ in at_work):
            raise AccessDenied("The thread belongs to a different resource.")
        return place

    async def _send(
        self, signal: dict[str, Any], thread: str, resource: str | None, if_active: str, if_idle: str,
        options: Mapping[str, Any],
    ) -> Sent:  # fmt: skip
        _check("if_active", if_active, get_args(IfActive))
        _check("if_idle", if_idle, get_args(IfIdle))
        arrival = _arrival(signal, options)
        place = self._place(thread, resource)
        at_work = None if place is None else place.newest
        run_id, way = (new_id(), if_idle) if at_work is None else (at_work, if_active)
        if way == "deliver" and place is not None:
            place.arrived.append(arrival)
        elif way == "wake":
            await _wake(self._agent, [arrival], thread, resource, run_id)
        elif way == "persist":
            await self._keep(arrival.message, thread, resource)
        return Sent(_DONE[way], run_id, arrival.signal)

    async def _keep(self, message: Message, thread: str, resource: str | None) -> None:
        memory = (await self._agent.plan()).memory
        if memory is None:
            raise InvalidInput(
                f"Agent {self._agent.id} has no memory to keep a message in.", hint="Give it one: Agent(memory=...)."
            )
        await memory.record(thread_id=thread, resource_id=resource, run_id=message.id, messages=[message])


async def _heard(queue: asyncio.Queue[Chunk | None], thread: str) -> AsyncIterator[Chunk]:
    while True:
        chunk = await queue.get()
        if chunk is None:
            raise StreamBroken(f"The listener of thread {thread} was too far behind.", hint="Read the thread again.")
        yield chunk


def _check(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InvalidInput(f"{name} cannot be {value!r}.", hint=near_miss(str(value), known) or f"Use {known}.")


def _read(given: Any, kind: str) -> dict[str, Any]:
    """A signal as the wire shows it."""
    _check("type", kind, get_args(Kind))
    said = given if isinstance(given, Mapping) else {"contents": given}
    contents, tag = said.get("contents"), said.get("tagName") or kind
    if not isinstance(contents, str | list | tuple):
        raise InvalidInput(f"A {type(contents).__name__} is no message.", hint="Give a text, or a list of parts.")
    attributes = said.get("attributes") or {}
    names = [tag, *attributes] if isinstance(attributes, Mapping) else [None]
    if not all(isinstance(name, str) and _NAME.fullmatch(name) for name in names):
        raise InvalidInput("The tag and the attributes of a signal have names of letters, digits, '-' and '_'.")
    out: dict[str, Any] = {"id": check_id(said.get("id") or new_id(), "signal id"), "type": kind, "tagName": tag}
    out["contents"] = contents if isinstance(contents, str) else list(contents)
    if attributes:
        out["attributes"] = dict(attributes)
    return out


def _arrival(signal: dict[str, Any], options: Mapping[str, Any]) -> _Arrival:
    contents = signal["contents"]
    if signal["type"] not in _BY_USERS or "attributes" in signal:
        contents = _tagged(signal)
    (message,) = read_messages({"role": "user", "content": contents, "id": signal["id"]})
    if not says_something([message]):
        raise InvalidInput("The message is empty.", hint="Say something: models refuse a request without content.")
    shown = {**signal, "createdAt": to_wire(message.created_at), "acceptedAt": to_wire(message.created_at)}
    message.extra["metadata"] = {"signal": {key: value for key, value in shown.items() if key != "contents"}}
    return _Arrival(shown, message, options)


def _tagged(signal: Mapping[str, Any]) -> Any:
    """What the model reads of a signal that is more than a person's words."""
    names = "".join(f' {name}="{escape(str(value))}"' for name, value in signal.get("attributes", {}).items())
    opened, closed = f"<{signal['tagName']}{names}>", f"</{signal['tagName']}>"
    contents = signal["contents"]
    if isinstance(contents, str):
        return f"{opened}{escape(contents, quote=False)}{closed}"
    return [{"type": "text", "text": opened}, *contents, {"type": "text", "text": closed}]
