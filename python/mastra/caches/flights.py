"""One coroutine makes a missing value while the others who ask for it wait. No cache lives here."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Flights:
    """Work in progress by key, on one event loop."""

    def __init__(self) -> None:
        self._flights: dict[str, asyncio.Future[bytes]] = {}

    async def once(self, key: str, work: Callable[[], Awaitable[bytes]]) -> bytes:
        """What `work` gives, run once for all who wait for `key`; cancelling one of them leaves the others alone."""
        while True:
            flight = self._flights.get(key)
            if flight is None:
                return await self._lead(key, work)
            await asyncio.wait([flight])
            if not flight.cancelled():  # whoever made it was cancelled: try again
                return flight.result()

    async def _lead(self, key: str, work: Callable[[], Awaitable[bytes]]) -> bytes:
        flight = asyncio.get_running_loop().create_future()
        self._flights[key] = flight
        try:
            value = await work()
            flight.set_result(value)
        except Exception as error:
            flight.set_exception(error)
            flight.exception()  # it is raised here too: nobody else has to look at it
            raise
        finally:
            flight.cancel()
            if self._flights.get(key) is flight:
                del self._flights[key]
        return value
