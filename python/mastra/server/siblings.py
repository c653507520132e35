"""The other workers of this server: what one does not know it asks of the rest, over sockets only this user reaches.

A question is one line of JSON, `{"topic": ..., "given": ...}`; the answer is a line a value and one that ends it.
Nothing of this is on the way of a request that a worker can answer by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from typing import TYPE_CHECKING, Any, TypeAlias

from mastra.errors import MastraError, NotFound, RunError
from mastra.runtime.broadcast import Observed
from mastra.types.chunks import Chunk
from mastra.types.json import dumps, loads

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
    from pathlib import Path

    from mastra.server.state import State

Answer: TypeAlias = "Callable[[Any], AsyncGenerator[Any, None]]"
log = logging.getLogger("mastra.server")
# The last chunk of a run carries all of its output.
LINE_LIMIT = 64 * 1024 * 1024
ASK_S = 5.0


class Siblings:
    """One worker's place among the workers: it answers at a socket of its own in their common folder."""

    def __init__(self, folder: Path, answers: Mapping[str, Answer], *, name: str = "") -> None:
        self._folder = folder
        self._own = folder / f"{name or os.getpid()}.sock"
        self._answers = answers
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Answer from now on."""
        if self._server is None:
            self._own.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._serve, self._own, limit=LINE_LIMIT)

    async def stop(self) -> None:
        """Answer no more. Idempotent."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            self._own.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        work = asyncio.ensure_future(self._answer(reader, writer))
        try:
            await work
        except (OSError, ValueError):
            pass  # who asked has left
        finally:
            work.cancel()
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = loads(await reader.readline())
        values = self._answers[asked["topic"]](asked["given"])
        current = asyncio.current_task()
        # Whoever asked sends nothing more: what can be read is that they left.
        gone = asyncio.ensure_future(reader.read(1))
        gone.add_done_callback(lambda done: None if done.cancelled() or current is None else current.cancel())
        try:
            async for value in values:
                writer.write(dumps({"value": value}).encode() + b"\n")
                await writer.drain()
            last: dict[str, Any] = {"end": True}
        except MastraError as error:
            last = {"error": error.message, "missing": isinstance(error, NotFound)}
        finally:
            gone.cancel()
            await values.aclose()
        writer.write(dumps(last).encode() + b"\n")
        await writer.drain()

    # ---------------------------------------------------------------- asking

    def _others(self) -> list[Path]:
        return [path for path in sorted(self._folder.glob("*.sock")) if path != self._own]

    async def ask(self, topic: str, given: Any = None) -> list[list[Any]]:
        """What each of the others answers, whole; those that do not answer in time are left out."""

        async def one(path: Path) -> list[Any] | None:
            try:
                async with asyncio.timeout(ASK_S), contextlib.aclosing(_values(path, topic, given)) as values:
                    return [value async for value in values]
            except (OSError, TimeoutError, MastraError) as error:
                log.debug("the worker at %s did not answer: %s", path.name, error)
                return None

        answers = await asyncio.gather(*map(one, self._others()))
        return [answer for answer in answers if answer is not None]

    async def find_run(self, run_id: str, offset: int) -> RemoteRun | None:
        """A run that another worker knows, preferably one that is still at work, from a chunk on."""

        async def one(path: Path) -> RemoteRun | None:
            values = _values(path, "run", {"id": run_id, "offset": offset})
            try:
                async with asyncio.timeout(ASK_S):
                    head = await anext(values)
            except (OSError, TimeoutError, MastraError):
                head = None
            if head is None:
                await values.aclose()
                return None
            return RemoteRun(run_id, head["owner"], values, open=head["open"])

        found = [run for run in await asyncio.gather(*map(one, self._others())) if run is not None]
        found.sort(key=lambda run: run.open, reverse=True)
        for run in found[1:]:
            await run.leave()
        return found[0] if found else None


async def _values(path: Path, topic: str, given: Any) -> AsyncGenerator[Any, None]:
    """The values of one worker's answer."""
    reader, writer = await asyncio.open_unix_connection(path, limit=LINE_LIMIT)
    try:
        writer.write(dumps({"topic": topic, "given": given}).encode() + b"\n")
        await writer.drain()
        while line := await reader.readline():
            told = loads(line)
            if "value" in told:
                yield told["value"]
            elif "error" in told:
                raise (NotFound if told["missing"] else RunError)(told["error"])
            else:
                return
        raise RunError("The worker that knew this is gone.", hint="Ask again: another worker takes its runs over.")
    finally:
        writer.close()


class RemoteRun:
    """A run that another worker carries: whose it is, and its chunks as they come from there."""

    def __init__(self, run_id: str, owner: str | None, values: AsyncGenerator[Any, None], *, open: bool) -> None:
        self.run_id = run_id
        self.owner = owner
        self.open = open
        self._values = values

    async def observe(self) -> AsyncIterator[Observed]:
        """The chunks, from the one on that was asked for."""
        try:
            async for value in self._values:
                yield Observed(value["offset"], Chunk.from_wire(value["chunk"]))
        finally:
            await self.leave()

    async def leave(self) -> None:
        """Read no further."""
        await self._values.aclose()


def answers_of(state: State) -> dict[str, Answer]:
    """What a worker tells the others: its runs, its counters and its newest log records."""

    async def run(given: Any) -> AsyncGenerator[Any, None]:
        known = state.mastra.services.runs.get(given["id"])
        if known is None:
            yield None
            return
        yield {"owner": state.runs.owner(given["id"]), "open": not known.closed}
        async for offset, chunk in known.observe(given["offset"]):
            yield {"offset": offset, "chunk": chunk.to_wire()}

    async def metrics(given: Any) -> AsyncGenerator[Any, None]:
        del given
        yield state.metrics.snapshot()

    async def logs(given: Any) -> AsyncGenerator[Any, None]:
        for row in state.logs.find(**given) if state.logs is not None else ():
            yield row

    return {"run": run, "metrics": metrics, "logs": logs}
