"""Worker threads for blocking functions, so that one of them never stops the event loop for everybody."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

# Blocking tools mostly wait; this bounds threads, not the work.
MAX_WORKERS = 64


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MAX_WORKERS, thread_name_prefix="mastra-worker")


if hasattr(os, "register_at_fork"):
    # The threads stay in the parent: a child needs its own.
    os.register_at_fork(after_in_child=_pool.cache_clear)


async def run_blocking(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run `function` in a worker thread, with the context variables of the caller."""
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(_pool(), context.run, function, *arguments)  # pyright: ignore[reportArgumentType]  # mypy reads it right
