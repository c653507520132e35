from __future__ import annotations

from datetime import UTC

from mastra.runtime.clock import SYSTEM_CLOCK


async def test_the_system_clock_goes_forward_in_utc() -> None:
    first = SYSTEM_CLOCK.monotonic()
    assert SYSTEM_CLOCK.now().tzinfo is UTC
    await SYSTEM_CLOCK.sleep(0)
    assert SYSTEM_CLOCK.monotonic() >= first
