"""One MCP request over HTTP, from its bytes to its answer; the web framework stays in the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any

from mastra.mcp.headers import check_headers
from mastra.mcp.protocol import Caller, RpcError, answer, failure, id_of
from mastra.types.json import dumps

if TYPE_CHECKING:
    from mastra.mcp.server import McpServer

# A call that takes longer than this without a word gets a stream, so that nothing between takes it for dead.
QUIET_S = 15.0


async def exchange(
    server: McpServer, message: Any, headers: Iterable[tuple[bytes, bytes]], caller: Caller
) -> dict[str, Any] | AsyncIterator[bytes] | None:
    """The answer; a stream of events when the call reports progress or takes long; None for a notification."""
    try:
        check_headers(headers, message, legacy=server.legacy)
    except RpcError as error:
        return failure(id_of(message), error)
    told: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=64)
    caller.notify = told.put
    task = asyncio.create_task(answer(server, message, caller, legacy=server.legacy))
    try:
        first = await _next(task, told, QUIET_S)
    except BaseException:
        task.cancel()
        raise
    if first is None and task.done():
        return task.result()
    return _events(task, told, first)


async def _next(task: asyncio.Task[Any], told: asyncio.Queue[dict[str, Any]], wait_s: float) -> dict[str, Any] | None:
    """What is told next; None when the call is done, or quiet for `wait_s`."""
    if not told.empty():
        return told.get_nowait()
    getting = asyncio.ensure_future(told.get())
    try:
        await asyncio.wait({task, getting}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        return getting.result() if getting.done() else None
    finally:
        getting.cancel()


async def _events(
    task: asyncio.Task[Any], told: asyncio.Queue[dict[str, Any]], first: dict[str, Any] | None
) -> AsyncIterator[bytes]:
    try:
        yield b": open\n\n" if first is None else _event(first)
        while True:
            message = await _next(task, told, QUIET_S)
            if message is not None:
                yield _event(message)
            elif task.done():
                break
            else:
                yield b": ping\n\n"
        yield _event(task.result())
    finally:
        # A caller who left does not want the answer any more.
        task.cancel()


def _event(message: dict[str, Any]) -> bytes:
    return b"event: message\ndata: " + dumps(message).encode("utf-8", "replace") + b"\n\n"
