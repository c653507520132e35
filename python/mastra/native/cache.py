"""A bounded cache in this process: objects by key, with time to live, made once for callers that wait together."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError as FlightCancelled
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

try:
    from mastra._core import CacheStore
except ImportError:
    # The pure-Python twin has the same signature; mypy sees two classes of one name.
    from mastra.native.fallback.cache import CacheStore  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Cache", "CacheStore"]

T = TypeVar("T")
_ABSENT = object()


class Flight(Future[Any]):
    """A value that one caller makes and others wait for."""

    stale = False
    """The key was deleted meanwhile: the value goes to who waits and is not kept."""


class Cache(CacheStore):  # pyright: ignore[reportGeneralTypeIssues]  # mypy reads it right
    """A `CacheStore` that can also make what is missing, once for all who ask at the same time.

    >>> cache = Cache(max_entries=1000)
    >>> cache.get_or_set("answer", lambda: 6 * 7, ttl_s=60)
    42
    """

    def __init__(
        self,
        *,
        max_entries: int = 10_000,
        max_bytes: int = 0,
        shards: int = 1,
        clock: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(max_entries=max_entries, max_bytes=max_bytes, shards=shards, clock=clock)
        self._flights: dict[str, Flight] = {}
        self._lock = threading.Lock()

    def delete(self, key: str) -> bool:
        """Forgets the value; whether there was one. A value that is being made now will not be kept."""
        self._forbid(key)
        return super().delete(key)

    def clear(self) -> None:
        """Forgets everything, and does not keep what is being made now."""
        with self._lock:
            for flight in self._flights.values():
                flight.stale = True
        super().clear()

    def get_or_set(self, key: str, make: Callable[[], T], *, ttl_s: float | None = None, size: int | None = None) -> T:
        """The value; when it is missing `make` is called by one thread while the others wait for its answer.

        What `make` raises reaches everybody who waits, and nothing is kept.
        """
        while True:
            value = self.get(key, _ABSENT)
            if value is not _ABSENT:
                return value  # type: ignore[no-any-return]  # the caller knows what it keeps here
            flight, leads = self._join(key)
            if not leads:
                try:
                    return flight.result()  # type: ignore[no-any-return]  # the same
                except FlightCancelled:
                    continue  # whoever made it was cancelled: try again
            with Landing(self, key, flight):
                made = make()
                self._keep(key, made, flight, ttl_s=ttl_s, size=size)
            return made

    async def get_or_set_async(
        self, key: str, make: Callable[[], Awaitable[T]], *, ttl_s: float | None = None, size: int | None = None
    ) -> T:
        """The same for coroutines, on one event loop or several. Cancelling one caller cancels only that one."""
        while True:
            value = self.get(key, _ABSENT)
            if value is not _ABSENT:
                return value  # type: ignore[no-any-return]  # the caller knows what it keeps here
            flight, leads = self._join(key)
            if not leads:
                waiting = asyncio.wrap_future(_shared(flight))
                try:
                    return await waiting  # type: ignore[no-any-return]  # the same
                except asyncio.CancelledError:
                    if not flight.cancelled():
                        raise
                    continue  # whoever made it was cancelled: try again
            with Landing(self, key, flight):
                made = await make()
                self._keep(key, made, flight, ttl_s=ttl_s, size=size)
            return made

    def _join(self, key: str) -> tuple[Flight, bool]:
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None and not flight.stale:
                return flight, False
            flight = self._flights[key] = Flight()
            return flight, True

    def _keep(self, key: str, value: Any, flight: Flight, *, ttl_s: float | None, size: int | None) -> None:
        # `only_new`: a value that was set meanwhile is newer than ours.
        with self._lock:
            if not flight.stale:
                self.set(key, value, ttl_s=ttl_s, size=size, only_new=True)
        flight.set_result(value)

    def _forbid(self, key: str) -> None:
        if self._flights:
            with self._lock:
                flight = self._flights.get(key)
                if flight is not None:
                    flight.stale = True

    def _land(self, key: str, flight: Flight, error: BaseException | None) -> None:
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]
        if flight.done():
            return
        if isinstance(error, Exception):
            flight.set_exception(error)
        else:
            flight.cancel()
            flight.set_running_or_notify_cancel()


class Landing:
    """Ends a flight whatever happened: with its value, its error, or cancelled."""

    def __init__(self, cache: Cache, key: str, flight: Flight) -> None:
        self._cache = cache
        self._key = key
        self._flight = flight

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._cache._land(self._key, self._flight, error)  # noqa: SLF001 - the other half of get_or_set


def _shared(flight: Flight) -> Future[Any]:
    """A future of the waiter's own: cancelling it leaves the flight alone."""
    own: Future[Any] = Future()

    def pass_on(done: Future[Any]) -> None:
        if not own.set_running_or_notify_cancel():
            return
        if done.cancelled():
            own.set_exception(FlightCancelled())
            return
        error = done.exception()
        if error is not None:
            own.set_exception(error)
        else:
            own.set_result(done.result())

    flight.add_done_callback(pass_on)
    return own
