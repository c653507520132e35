"""Two levels: a cache in this process before a shared one. An outage of the shared one degrades, it does not fail."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Self

from mastra.caches.flights import Flights
from mastra.caches.lru import check_entry
from mastra.errors import CacheError, Unsupported
from mastra.native.cache import Cache as NativeCache
from mastra.ports.cache import Cache, SupportsTiering
from mastra.registry import open_url

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

log = logging.getLogger("mastra.caches.tiered")


class TieredCache(Cache):
    """Reads fill the first level; a change anywhere empties it everywhere.

    While the shared level is away, values live in this process only and for at most `alone_ttl_s`; what was changed
    meanwhile is deleted from the shared level before it is read again.
    """

    is_shared = True

    def __init__(
        self, shared: Cache, *, max_entries: int = 10_000, max_bytes: int = 64 << 20, alone_ttl_s: float = 30.0
    ) -> None:
        if not isinstance(shared, SupportsTiering):
            raise Unsupported(
                f"{type(shared).__name__} cannot stand behind an in-process cache: it announces no changes."
            )
        self._shared = shared
        self._tier: SupportsTiering = shared
        self._near = NativeCache(max_entries=max_entries, max_bytes=max_bytes)
        self._alone_ttl_s = alone_ttl_s
        self._flights = Flights()
        self._listener: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()
        self._changed_alone: set[str] = set()
        # Who is between reading or writing the shared level and filling the near one.
        self._filling: dict[str, set[object]] = {}
        self._said = False

    @classmethod
    def from_url(cls, url: str) -> Self:
        """`tiered:redis://host:6379/0`: what follows the first colon is the shared cache's URL."""
        return cls(open_url("mastra.caches", url.partition(":")[2]))

    async def open(self) -> None:
        """Open the shared level and listen for changes; when it is away, start alone."""
        if self._listener is not None:
            return
        await self._shared.open()
        self._listener = asyncio.create_task(
            self._tier.listen(self._on_change, self._on_gap), name="mastra-cache-listen"
        )
        first = asyncio.create_task(self._connected.wait())
        await asyncio.wait([first, self._listener], timeout=self._alone_ttl_s / 10, return_when=asyncio.FIRST_COMPLETED)
        first.cancel()
        if not self._connected.is_set():
            self._say_alone()

    async def close(self) -> None:
        """Stop listening and close the shared level."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listener
        self._connected.clear()
        self._near.clear()
        await self._shared.close()

    async def get(self, key: str) -> bytes | None:
        """The value of the first level that has it."""
        check_entry(key)
        near: bytes | None = self._near.get(key)
        if near is not None or not await self._ready():
            return near
        with self._fill(key) as token:
            try:
                found = await self._tier.get_with_ttl(key)
            except CacheError as error:
                self._lost(error)
                return None
            if found is not None:
                self._keep(key, token, found[0], found[1])
        return None if found is None else found[0]

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        """Keep the value in both levels."""
        check_entry(key, value, ttl_s)
        await self._change(key, value, ttl_s)

    async def delete(self, key: str) -> None:
        """Forget the value in both levels."""
        check_entry(key)
        await self._change(key, None, None)

    async def get_or_set(self, key: str, make: Callable[[], Awaitable[bytes]], *, ttl_s: float | None = None) -> bytes:
        """The value, made once for all in this process who wait for it."""

        async def work() -> bytes:
            found = await self.get(key)
            if found is None:
                with self._fill(key) as token:
                    found = await make()
                    unchanged = token in self._filling.get(key, ())
                if unchanged:
                    await self.set(key, found, ttl_s=ttl_s)
            return found

        check_entry(key, ttl_s=ttl_s)
        near: bytes | None = self._near.get(key)
        return near if near is not None else await self._flights.once(key, work)

    async def _change(self, key: str, value: bytes | None, ttl_s: float | None) -> None:
        self._forget(key)
        with self._fill(key) as token:
            if await self._ready():
                try:
                    if value is None:
                        await self._shared.delete(key)
                    else:
                        await self._shared.set(key, value, ttl_s=ttl_s)
                        self._keep(key, token, value, ttl_s)
                    await self._tier.announce(key)
                except CacheError as error:
                    self._lost(error)
                else:
                    return
            self._changed_alone.add(key)
            if value is not None:
                self._near.set(key, value, ttl_s=self._alone_ttl_s if ttl_s is None else min(ttl_s, self._alone_ttl_s))

    def _keep(self, key: str, token: object, value: bytes, ttl_s: float | None) -> None:
        if self._connected.is_set() and token in self._filling.get(key, ()):
            self._near.set(key, value, ttl_s=ttl_s)

    @contextlib.contextmanager
    def _fill(self, key: str) -> Iterator[object]:
        token = object()
        self._filling.setdefault(key, set()).add(token)
        try:
            yield token
        finally:
            tokens = self._filling.get(key)
            if tokens is not None:
                tokens.discard(token)
                if not tokens:
                    del self._filling[key]

    def _forget(self, key: str) -> None:
        self._filling.pop(key, None)  # what is on its way into the near level is older than this change
        self._near.delete(key)

    def _on_change(self, key: str, sender: str) -> None:
        if sender != self._tier.sender:
            self._forget(key)

    def _on_gap(self, connected: bool) -> None:  # noqa: FBT001 - the port's callback
        self._filling.clear()
        if connected:
            self._near.clear()
            self._connected.set()
            if self._said:
                log.warning("The shared cache is back.")
            self._said = False
        else:
            if self._connected.is_set():
                self._near.clear()  # others may change what is here, and we would not hear of it
            self._connected.clear()
            self._say_alone()

    def _lost(self, error: CacheError) -> None:
        log.warning("The shared cache failed, this process goes on alone: %s", error)
        self._said = True

    def _say_alone(self) -> None:
        if not self._said:
            log.warning(
                "The shared cache is away: values live in this process only, for at most %g s.", self._alone_ttl_s
            )
        self._said = True

    async def _ready(self) -> bool:
        """Whether the shared level can be used; first takes back from it what was changed without it."""
        if not self._connected.is_set():
            return False
        while self._changed_alone:
            key = next(iter(self._changed_alone))
            try:
                await self._shared.delete(key)
                await self._tier.announce(key)
            except CacheError as error:
                self._lost(error)
                return False
            self._changed_alone.discard(key)
        return True
