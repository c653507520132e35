"""Other places to run a step: a thread for what blocks, a process for what computes."""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

_pool: ProcessPoolExecutor | None = None


async def in_thread(function: Callable[[], Any]) -> Any:
    """Run in the loop's thread pool, with the caller's context variables. A cancel abandons the thread's result."""
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(None, functools.partial(context.run, function))


async def in_process(function: Callable[..., Any], *args: Any) -> Any:
    """Run in a pool of fresh processes; the function must be importable there."""
    return await asyncio.get_running_loop().run_in_executor(_processes(), call_named, *address(function), args)


def address(function: Callable[..., Any]) -> tuple[str, str]:
    """Where another process finds the function: its module and its qualified name."""
    return function.__module__, function.__qualname__


def call_named(module: str, name: str, args: tuple[Any, ...]) -> Any:
    """Runs inside the pool: the decorated name may be the step, whose function is what is meant."""
    import importlib  # noqa: PLC0415 - only in the pool

    target: Any = importlib.import_module(module)
    for part in name.split("."):
        target = getattr(target, part)
    return getattr(target, "execute", target)(*args)


def _processes() -> ProcessPoolExecutor:
    global _pool  # noqa: PLW0603 - one pool for the process, made on first use
    if _pool is None:
        import multiprocessing  # noqa: PLC0415 - 10 ms, paid by those who compute
        import os  # noqa: PLC0415 - the same
        from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415 - the same

        # spawn: a fork of a process with threads and an open database is not safe.
        context = multiprocessing.get_context("spawn")
        _pool = ProcessPoolExecutor(max_workers=os.cpu_count() or 1, mp_context=context)
    return _pool
