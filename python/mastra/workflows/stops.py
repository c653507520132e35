"""Ways in which a pass over the graph stops before its end."""

from __future__ import annotations

from mastra.runtime.signals import Signal


class Waiting(Signal):
    """Steps wait for a resume."""


class Parked(Signal):
    """A long sleep or wait; the run is taken up again from its journal."""


class Paused(Signal):
    """The pass was asked for one step only."""
