"""A circuit breaker: after enough failures in a row nobody calls for a while, then one call tries."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

from mastra.errors import BadDefinition, ModelError, ModelTimeout, ModelUnavailable, StreamBroken
from mastra.runtime.clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from mastra.runtime.clock import Clock

log = logging.getLogger("mastra.models")
# Failures that say that the provider is down; a refusal or a rate limit says that it works.
_COUNTED = (ModelUnavailable, ModelTimeout, StreamBroken)


class CircuitBreaker:
    """Closed: calls pass. Open: calls fail at once. Half-open: one call passes and decides."""

    def __init__(self, name: str = "", *, failures: int = 5, open_s: float = 30.0, clock: Clock = SYSTEM_CLOCK) -> None:
        if failures < 1 or open_s <= 0:
            raise BadDefinition("A circuit breaker needs at least 1 failure and more than 0 seconds.")
        self.name = name
        self._limit = failures
        self._open_s = open_s
        self._clock = clock
        self._failed = 0
        self._opened_at: float | None = None
        self._trying = False

    @property
    def state(self) -> Literal["closed", "open", "half-open"]:
        """What a call would meet now."""
        if self._opened_at is None:
            return "closed"
        return "open" if self._clock.monotonic() < self._opened_at + self._open_s else "half-open"

    @property
    def failures(self) -> int:
        """Failures since the last success."""
        return self._failed

    def admit(self) -> None:
        """Let a call pass, or raise `ModelUnavailable`."""
        if self._opened_at is None:
            return
        left = self._opened_at + self._open_s - self._clock.monotonic()
        if left > 0 or self._trying:
            raise ModelUnavailable(
                f"{self.name or 'The provider'} failed {self._failed} times in a row and is left alone for now.",
                retry_after=max(left, 0.0),
                details={"circuit": self.state},
            )
        self._trying = True

    def succeeded(self) -> None:
        """A call worked."""
        if self._opened_at is not None:
            log.info("%s answers again: its circuit is closed.", self.name or "The provider")
        self._failed = 0
        self._opened_at = None
        self._trying = False

    def failed(self, error: BaseException) -> None:
        """A call failed with `error`; only those count that say that the provider is down."""
        if not isinstance(error, _COUNTED) or not error.retryable:
            # It answered, or the call was given up: a try stays undecided, an error of ours proves nothing.
            if isinstance(error, ModelError) and error.status is not None:
                self.succeeded()
            self._trying = False
            return
        self._failed += 1
        if self._trying or self._failed >= self._limit:
            if self._opened_at is None:
                log.warning(
                    "%s failed %d times in a row (%s): its circuit is open for %g s.",
                    self.name or "The provider", self._failed, error.code, self._open_s,
                )  # fmt: skip
            self._opened_at = self._clock.monotonic()
        self._trying = False
