"""A real server on a real socket, for tests that need more than an application in memory."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import uvicorn

from mastra.server.http import App, create_app


@contextlib.asynccontextmanager
async def serving(mastra, **options) -> AsyncIterator[tuple[App, str]]:
    """The application and its address (`127.0.0.1:port`) while it is served."""
    app = create_app(mastra, **options)
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        try:
            yield app, f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task
