"""RunStream: the edge of a run. The run pushes chunks, the reader pulls them, and `async with` owns the task.

The queue between them is bounded: a slow reader slows the run down, and leaving early cancels it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeAlias, TypeVar

from mastra.errors import Aborted, RunError

if TYPE_CHECKING:
    from types import TracebackType

    from mastra.runtime.background import Background
    from mastra.runtime.broadcast import RunLog
    from mastra.types.chunks import Chunk

T = TypeVar("T")
log = logging.getLogger("mastra.run")

Push: TypeAlias = "Callable[[Chunk], bool]"
"""Hand a chunk to whoever listens. True: the reader is behind, await `Emit.room()` before the next one."""


class Shape(Protocol):
    """What a structured answer is made into for its reader; each method says whether there is anything yet."""

    def value(self, written: Any, *, whole: bool) -> tuple[bool, Any]:
        """The answer as far as it is written."""
        ...

    def element(self, written: Any) -> tuple[bool, Any]:
        """One whole element of a list."""
        ...


# How long a cancelled run may take to stop its tools before leaving the stream goes on without it.
GRACE_S = 5.0


class Emit:
    """The run's end of a stream: `push` never blocks, `room` waits until the reader has caught up."""

    __slots__ = ("_capacity", "_queue", "_room", "_silent", "_waiter", "log")

    def __init__(self, capacity: int, log: RunLog | None = None) -> None:
        self._queue: deque[Chunk] = deque()
        self._capacity = capacity
        self._waiter: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._silent = False
        self.log = log

    def push(self, chunk: Chunk) -> bool:
        """Hand over a chunk; True when the reader is behind."""
        if self.log is not None:
            self.log.append(chunk)
        if self._silent:
            return False
        queue = self._queue
        queue.append(chunk)
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)
        return len(queue) >= self._capacity

    async def room(self) -> None:
        """Wait until the reader has taken half of what lies in the queue."""
        while len(self._queue) >= self._capacity and not self._silent:
            if self._room is None or self._room.done():
                self._room = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._room)

    async def send(self, chunk: Chunk) -> None:
        """Push, and wait when the reader is behind."""
        if self.push(chunk):
            await self.room()

    def silence(self) -> None:
        """Nobody reads any more: drop what lies in the queue and what comes."""
        self._silent = True
        self._queue.clear()
        self._free()

    def _free(self) -> None:
        room = self._room
        if room is not None and not room.done():
            room.set_result(None)

    def wake(self) -> None:
        """The run has ended: a reader that waits looks again."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


class RunStream(Generic[T]):
    """The chunks of one run as they come, and its result.

    ```
    async with agent.stream("Hello") as run:
        async for text in run.text:
            print(text, end="")
        result = await run.result()
    ```

    `start` receives the `Emit` and returns the result. With `log`, every chunk is also kept for observers;
    a `detached` run goes on when its reader leaves.
    """

    def __init__(
        self,
        start: Callable[[Emit], Awaitable[T]],
        *,
        run_id: str,
        capacity: int = 256,
        log: RunLog | None = None,
        detached: Background | None = None,
        failure: Callable[[T], BaseException | None] | None = None,
    ) -> None:
        self.run_id = run_id
        self._start = start
        self._emit = Emit(capacity, log)
        self._task: asyncio.Task[T] | None = None
        self._detached = detached
        self._failure = failure
        self._entered = False
        self._aborted: str | None = None
        # Of a run that answers in a shape: from the JSON of its chunks to values of that shape.
        self.shape: Shape | None = None

    # ------------------------------------------------------------ life

    def _begin(self) -> asyncio.Task[T]:
        task = self._task
        if task is None:
            task = self._task = asyncio.create_task(self._run(), name=f"mastra-run-{self.run_id}")
            # A callback and not a `finally`: a task that is cancelled before its first step runs no code.
            task.add_done_callback(self._ended)
        return task

    async def _run(self) -> T:
        return await self._start(self._emit)

    def _ended(self, _task: asyncio.Task[T]) -> None:
        self._emit.wake()
        if self._emit.log is not None:
            self._emit.log.close()

    async def __aenter__(self) -> Self:
        self._entered = True
        self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Leave: a run that is not finished is cancelled (or goes on by itself when it is detached)."""
        task = self._task
        self._emit.silence()
        if task is None:
            return
        if not task.done():
            if self._detached is not None:
                self._detached.adopt(task)
                return
            task.cancel("the reader left")
            await asyncio.wait({task}, timeout=GRACE_S)
            if not task.done():
                log.warning("run %s ignores its cancellation; it was left behind", self.run_id)
                return
        if not task.cancelled():
            task.exception()  # seen: asyncio need not report it again

    def abort(self, reason: str = "aborted by the caller") -> None:
        """Stop the run; whoever awaits the result gets `Aborted`."""
        if self._task is not None and not self._task.done():
            self._aborted = reason
            self._task.cancel(reason)

    @property
    def detached(self) -> bool:
        """Whether the run goes on when its reader leaves."""
        return self._detached is not None

    @property
    def done(self) -> bool:
        """Whether the run has ended."""
        return self._task is not None and self._task.done()

    # ------------------------------------------------------------ reading

    def __aiter__(self) -> AsyncIterator[Chunk]:
        self._begin()
        return self if self._entered else self._until_left()

    async def _until_left(self) -> AsyncIterator[Chunk]:
        # Without `async with` there is no exit to rely on; closing the generator is the next best.
        try:
            while True:
                try:
                    yield await self.__anext__()
                except StopAsyncIteration:
                    return
        finally:
            await self.aclose()

    async def take(self) -> list[Chunk]:
        """All chunks that lie ready, at least one; an empty list at the end. One wait for many chunks."""
        try:
            batch = [await self.__anext__()]
        except StopAsyncIteration:
            return []
        emit = self._emit
        batch.extend(emit._queue)  # noqa: SLF001 - the two halves of one queue
        emit._queue.clear()  # noqa: SLF001
        emit._free()  # noqa: SLF001
        return batch

    async def __anext__(self) -> Chunk:
        emit = self._emit
        queue = emit._queue  # noqa: SLF001 - the two halves of one queue
        while not queue:
            task = self._begin()
            if task.done():
                if self._aborted is None and not task.cancelled():
                    error = task.exception()
                    if error is not None:
                        raise error
                raise StopAsyncIteration
            emit._waiter = asyncio.get_running_loop().create_future()  # noqa: SLF001
            try:
                await emit._waiter  # noqa: SLF001
            finally:
                emit._waiter = None  # noqa: SLF001
        chunk = queue.popleft()
        if emit._room is not None and len(queue) <= emit._capacity // 2:  # noqa: SLF001
            emit._free()  # noqa: SLF001
        return chunk

    @property
    def text(self) -> AsyncIterator[str]:
        """The text as it comes; an error of the run is raised at its end."""
        return self._select("text-delta", "text")

    @property
    def reasoning(self) -> AsyncIterator[str]:
        """The model's thoughts as they come."""
        return self._select("reasoning-delta", "text")

    @property
    def objects(self) -> AsyncIterator[Any]:
        """The structured answer each time it has grown, typed as far as it goes; at last the whole one.

        Of a model or dataclass, fields that are not there yet are None; what does not fit its type is left out.
        """
        return self._objects()

    @property
    def elements(self) -> AsyncIterator[Any]:
        """The elements of a structured list, typed, each when it is whole."""
        return self._elements()

    async def _objects(self) -> AsyncIterator[Any]:
        shown: Any = None
        async for chunk in self:
            if chunk.type not in ("object", "object-result") or self.shape is None:
                continue
            known, value = self.shape.value(chunk.payload, whole=chunk.type == "object-result")
            if known and (shown is None or value != shown[0]):
                shown = (value,)
                yield value
        await self.result()

    async def _elements(self) -> AsyncIterator[Any]:
        given = 0
        async for chunk in self:
            if chunk.type not in ("object", "object-result") or not isinstance(chunk.payload, list):
                continue
            # The last one may still grow, until the whole list is there.
            whole = len(chunk.payload) - (chunk.type == "object")
            while given < whole and self.shape is not None:
                known, value = self.shape.element(chunk.payload[given])
                if not known:
                    break  # the model is asked to mend it, and the list comes again
                yield value
                given += 1
        await self.result()

    async def _select(self, kind: str, key: str) -> AsyncIterator[str]:
        self._begin()
        try:
            while True:
                try:
                    chunk = await self.__anext__()
                except StopAsyncIteration:
                    break
                if chunk.type == kind:
                    yield chunk.payload[key]
        finally:
            if not self._entered and not self.done:
                await self.aclose()
        await self.result()

    async def result(self) -> T:
        """The result; chunks that were not read are dropped. Raises what ended the run."""
        task = self._begin()
        if not task.done():
            self._emit.silence()
        try:
            value: T = await (asyncio.shield(task) if self._entered or self._detached else task)
        except asyncio.CancelledError:
            if not task.cancelled():
                raise
            raise Aborted(self._aborted or "The run was cancelled.", run_id=self.run_id) from None
        error = self._failure(value) if self._failure is not None else None
        if error is not None:
            raise error
        return value

    def __await__(self) -> Any:
        raise RunError(
            "A run stream cannot be awaited.",
            run_id=self.run_id,
            hint="Write `async with agent.stream(...) as run:`, or `await run.result()`.",
        )
