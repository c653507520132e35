"""The synchronous face: one background event loop, owned by the library, for callers without one.

It works in scripts, notebooks, web frameworks and even inside a running loop, because it is never that loop.
"""

from __future__ import annotations

import asyncio
import functools
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from mastra.errors import RunError

T = TypeVar("T")


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="mastra-sync", daemon=True).start()
    return loop


if hasattr(os, "register_at_fork"):
    # The thread stays in the parent: a child that waited for it would wait for ever.
    os.register_at_fork(after_in_child=_loop.cache_clear)


def run_sync(coro: Coroutine[Any, Any, T]) -> T:
    """Run `coro` on the background loop and wait for it; Ctrl-C cancels it."""
    loop = _loop()
    try:
        here = asyncio.get_running_loop()
    except RuntimeError:
        here = None
    if here is loop:
        coro.close()
        raise RunError("A synchronous call inside of a synchronous call would wait for itself.", hint="Use await.")
    future = asyncio.run_coroutine_threadsafe(coro, loop)
    try:
        return future.result()
    except KeyboardInterrupt:
        future.cancel()
        raise
