"""An MCP server over standard input and output: how desktop programs start a server of their own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, BinaryIO

from mastra.errors import InvalidInput
from mastra.mcp.protocol import INVALID_REQUEST, PARSE_ERROR, Caller, RpcError, answer, failure, id_of
from mastra.runtime.workers import run_blocking
from mastra.types.json import dumps, loads

if TYPE_CHECKING:
    from mastra.mcp.server import McpServer
    from mastra.runtime.services import Services

# A line longer than this is refused, and read past.
MAX_LINE = 16_000_000
# Requests that are worked on at once; the next waits in the pipe.
MAX_AT_ONCE = 64


async def serve_stdio(
    server: McpServer,
    *,
    services: Services | None = None,
    stdin: BinaryIO | None = None,
    stdout: BinaryIO | None = None,
) -> None:
    """Answer until the input ends. What the program prints meanwhile goes to standard error."""
    reads = stdin or sys.stdin.buffer
    writes, restore = (stdout, None) if stdout is not None else _own_stdout()
    try:
        await _Session(server, services, writes).run(reads)
    finally:
        if restore is not None:
            restore()


class _Session:
    def __init__(self, server: McpServer, services: Services | None, stdout: BinaryIO) -> None:
        self._server = server
        self._services = services
        self._stdout = stdout
        self._tasks: dict[Any, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(MAX_AT_ONCE)
        self._write_lock = asyncio.Lock()

    async def run(self, stdin: BinaryIO) -> None:
        try:
            async for line in _lines(stdin):
                await self._take(line)
            if self._tasks:
                await asyncio.wait(self._tasks.values())
        finally:
            for task in self._tasks.values():
                task.cancel()

    async def _take(self, line: bytes | None) -> None:
        if line is None:
            await self._send(failure(None, RpcError(INVALID_REQUEST, f"A message is longer than {MAX_LINE} bytes.")))
            return
        try:
            message = loads(line)
        except (ValueError, InvalidInput):
            await self._send(failure(None, RpcError(PARSE_ERROR, "Parse error")))
            return
        if isinstance(message, dict) and message.get("method") == "notifications/cancelled":
            task = self._tasks.get(_cancelled(message))
            if task is not None:
                task.cancel()
            return
        asked = id_of(message)
        await self._slots.acquire()
        # An id that is in use already keeps its first task: both are answered, only the first can be cancelled.
        key = object() if asked is None or asked in self._tasks else asked
        task = asyncio.create_task(self._answer(message))
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._done(key))

    def _done(self, key: Any) -> None:
        self._tasks.pop(key, None)
        self._slots.release()

    async def _answer(self, message: Any) -> None:
        caller = Caller(services=self._services, notify=self._send)
        made = await answer(self._server, message, caller, legacy=True)
        if made is not None:
            await self._send(made)

    async def _send(self, message: dict[str, Any]) -> None:
        data = dumps(message).encode("utf-8", "replace") + b"\n"
        async with self._write_lock:
            await run_blocking(self._write, data)

    def _write(self, data: bytes) -> None:
        self._stdout.write(data)
        self._stdout.flush()


def _cancelled(message: dict[str, Any]) -> str | int | None:
    params = message.get("params")
    return id_of({"id": params.get("requestId")}) if isinstance(params, dict) else None


async def _lines(stdin: BinaryIO) -> AsyncIterator[bytes | None]:
    """The lines of the input; None for one that is too long. Read in a thread: pipes of Windows know no other way."""
    skipping = False
    while True:
        line = await asyncio.to_thread(stdin.readline, MAX_LINE + 1)
        if not line:
            return
        whole = line.endswith(b"\n")
        if skipping:
            skipping = not whole
            continue
        if not whole and len(line) > MAX_LINE:
            skipping = True
            yield None
            continue
        if line.strip():
            yield line


def _own_stdout() -> tuple[BinaryIO, Callable[[], None]]:
    """The real standard output for us alone; everybody else's goes to standard error, children's too."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    private = os.fdopen(os.dup(kept), "wb")

    def restore() -> None:
        private.close()
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)

    return private, restore
