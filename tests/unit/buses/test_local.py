"""The local bus forgets what is too old."""

import pytest

from mastra.buses.local import LocalBus
from mastra.errors import BadSetting


async def test_only_the_last_events_are_kept():
    bus = LocalBus(keep=3)
    for number in range(10):
        await bus.publish("t", {"n": number})
    async with bus.subscribe("t", after="0") as events:
        assert [(await anext(events)).data["n"] for _ in range(3)] == [7, 8, 9]
    with pytest.raises(BadSetting):
        LocalBus(keep=0)
