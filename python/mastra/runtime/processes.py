"""Processes for functions that compute: one job at a time each, and killed when nobody waits for the job any more."""

from __future__ import annotations

import asyncio
import copy
import functools
import importlib
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from mastra.errors import ProcessLost

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

MAX_PROCESSES = os.cpu_count() or 1


async def run_computing(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a function of a module's top level in another process. A cancel kills that process, not just the wait."""
    job = _Job(address(function), arguments)
    try:
        return await asyncio.get_running_loop().run_in_executor(_threads(), job.run)
    except asyncio.CancelledError:
        job.abandon()
        raise


def address(function: Callable[..., Any]) -> tuple[str, str]:
    """Where another process finds the function: its module and its qualified name."""
    return function.__module__, function.__qualname__


def is_reachable(function: Any) -> bool:
    """Whether another process can find the function by its name."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "<")
    return isinstance(module, str) and "<" not in name


class _Child:
    """A process and the line to it."""

    def __init__(self) -> None:
        import multiprocessing  # noqa: PLC0415 - 10 ms, paid by those who compute

        # spawn: a fork of a process with threads and an open database is not safe.
        context = multiprocessing.get_context("spawn")
        self.link, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(target=_serve, args=(theirs,), name="mastra-process", daemon=True)
        self.process.start()
        theirs.close()

    def end(self) -> None:
        self.process.kill()
        self.link.close()


_idle: list[_Child] = []


class _Job:
    """One call, carried by a thread that waits for the process."""

    def __init__(self, target: tuple[str, str], arguments: tuple[Any, ...]) -> None:
        self._target, self._arguments = target, arguments
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._abandoned = False

    def abandon(self) -> None:
        """Nobody waits any more: stop the process, whatever it is at."""
        with self._lock:
            self._abandoned = True
            if self._child is not None:
                self._child.process.kill()

    def run(self) -> Any:
        """Find or start a process and let it do the job."""
        with self._lock:
            if self._abandoned:
                return None
            child = self._child = _take()
        try:
            child.link.send((*self._target, self._arguments))
            is_good, answer = child.link.recv()
        except (EOFError, OSError):
            child.end()
            child.process.join(5.0)
            raise ProcessLost(
                f"The process that ran {self._target[1]!r} ended with {child.process.exitcode}.",
                hint="A step that ends or crashes its process fails; give it retries if that may pass.",
            ) from None
        except BaseException:
            child.end()
            raise
        self._give_back(child)
        if is_good:
            return answer
        raise answer

    def _give_back(self, child: _Child) -> None:
        with self._lock:
            self._child = None
            if self._abandoned:
                child.end()
            else:
                _idle.append(child)


def _take() -> _Child:
    while _idle:
        child = _idle.pop()
        if child.process.is_alive():
            return child
        child.end()
    return _Child()


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MAX_PROCESSES, thread_name_prefix="mastra-process")


# ---------------------------------------------------------------- in the other process


def _serve(link: Connection) -> None:
    """Take jobs until the line is cut, by the end of the parent too."""
    # Ctrl-C is for the parent, which then stops its jobs.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            module, name, arguments = link.recv()
        except (EOFError, OSError):
            return
        try:
            answer = (True, call_named(module, name, arguments))
        except BaseException as error:  # noqa: BLE001 - told to who waits
            answer = (False, portable(error))
        try:
            link.send(answer)
        except (BrokenPipeError, ConnectionError):
            return
        except Exception as error:  # noqa: BLE001 - a result that cannot travel
            told = f"{name} returned what cannot be sent to another process: {error}"
            link.send((False, TypeError(told) if answer[0] else _words(answer[1])))


def call_named(module: str, name: str, arguments: tuple[Any, ...]) -> Any:
    """Call a function by its place; where a decorator put a step there, the step's function."""
    target: Any = importlib.import_module(module)
    for part in name.split("."):
        target = getattr(target, part)
    return getattr(target, "execute", target)(*arguments)


def portable(error: BaseException) -> BaseException:
    """The error itself when it can be made again from its arguments, else one that says the same."""
    try:
        return error if type(copy.copy(error)) is type(error) else _words(error)
    except Exception:  # noqa: BLE001 - a constructor of the user's may raise anything
        return _words(error)


def _words(error: BaseException) -> RuntimeError:
    return RuntimeError(f"{type(error).__name__}: {error}")
