"""The parts of one application: nothing is shared with another one, nothing is kept alive."""

from __future__ import annotations

import gc

from mastra.runtime.clock import SYSTEM_CLOCK
from mastra.runtime.services import Services


class Brought:
    pass


def test_two_applications_share_nothing() -> None:
    one, two = Services(), Services()
    for name in ("vectors", "background", "runs", "agents", "workflows", "tools", "scorers", "memories", "brought"):
        assert getattr(one, name) is not getattr(two, name), name


def test_alone_there_is_nothing_but_the_clock() -> None:
    alone = Services()
    assert (alone.storage, alone.cache, alone.bus, alone.executor, alone.tracer) == (None,) * 5
    assert alone.clock is SYSTEM_CLOCK


def test_what_was_brought_is_not_kept_alive() -> None:
    services, memory = Services(), Brought()
    services.brought.add(memory)
    assert len(services.brought) == 1
    del memory
    gc.collect()
    assert len(services.brought) == 0
