"""How much one caller may ask for: token buckets by key and by address, and a brake on guessed tokens."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests a second on average, and so many at once."""

    per_second: float
    burst: int


class Limiter:
    """Token buckets by name, bounded: the one that was used longest ago is forgotten first."""

    def __init__(self, rate: Rate, *, keep: int = 50_000, now: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._keep = keep
        self._now = now
        # name -> (tokens left, when that was)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> float:
        """Take one token: 0.0 when there was one, else the seconds until there is."""
        left, now = self._left(name)
        if left < 1.0:
            self._put(name, left, now)
            return (1.0 - left) / self.rate.per_second
        self._put(name, left - 1.0, now)
        return 0.0

    def wait(self, name: str) -> float:
        """How long until there is a token, without taking one."""
        left, _ = self._left(name)
        return 0.0 if left >= 1.0 else (1.0 - left) / self.rate.per_second

    def _left(self, name: str) -> tuple[float, float]:
        now = self._now()
        bucket = self._buckets.get(name)
        if bucket is None:
            return float(self.rate.burst), now
        left, then = bucket
        return min(float(self.rate.burst), left + (now - then) * self.rate.per_second), now

    def _put(self, name: str, left: float, now: float) -> None:
        self._buckets[name] = (left, now)
        self._buckets.move_to_end(name)
        if len(self._buckets) > self._keep:
            self._buckets.popitem(last=False)
