"""The one owner of retries: when a failed call is made again, and how long to wait before."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mastra.errors import BadDefinition, ModelError, RateLimited

if TYPE_CHECKING:
    from collections.abc import Callable

    from mastra.runtime.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how patiently. The wait doubles from `first_wait_s` up to `longest_wait_s`, with full jitter.

    A provider that asks to wait is obeyed, as long as it asks for no more than `longest_asked_s` and the run's
    deadline allows it; otherwise the call fails at once and says how long the provider asked for.
    """

    max_attempts: int = 3
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    longest_asked_s: float = 60.0

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise BadDefinition("max_attempts must be at least 1.")
        if self.first_wait_s < 0 or self.longest_wait_s < 0 or self.longest_asked_s < 0:
            raise BadDefinition("A wait cannot be negative.")


NO_RETRIES = RetryPolicy(max_attempts=1)


class RetryBudget:
    """Lets retries be no more than a share of the calls, so that an outage is not made worse by its victims."""

    __slots__ = ("_most", "_share", "_tokens")

    def __init__(self, share: float = 0.1, reserve: float = 10.0) -> None:
        if not 0 <= share <= 1 or reserve < 0:
            raise BadDefinition("A retry budget is a share between 0 and 1 and a reserve of at least 0.")
        self._share = share
        self._most = self._tokens = reserve

    def earn(self) -> None:
        """A first attempt was made."""
        self._tokens = min(self._most, self._tokens + self._share)

    def spend(self) -> bool:
        """Take one retry out of the budget; False when it is empty."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    @property
    def left(self) -> float:
        """How many retries could be made now."""
        return self._tokens


def wait_before_retry(
    error: ModelError,
    attempt: int,
    *,
    policy: RetryPolicy,
    budget: RetryBudget,
    clock: Clock,
    deadline: float | None = None,
    jitter: Callable[[float, float], float] = random.uniform,
) -> float | None:
    """Seconds to wait before attempt `attempt + 1`; None when there must not be one.

    Why there is none is added to the error's details.
    """
    error.details["attempts"] = attempt
    if not error.retryable or attempt >= policy.max_attempts:
        return None
    asked: float | None = getattr(error, "retry_after", None)
    ceiling = min(policy.longest_wait_s, policy.first_wait_s * 2 ** (attempt - 1))
    # Never earlier than asked; a little later, so that all who were told the same do not come back together.
    wait = jitter(0, ceiling) if asked is None else asked + jitter(0, min(ceiling, 1.0))
    left = None if deadline is None else deadline - clock.monotonic()
    if asked is not None and asked > policy.longest_asked_s and left is None:
        _explain(error, f"The provider asks to wait {asked:.0f} s, which is longer than allowed.")
        return None
    if left is not None and wait >= left:
        why = "The run's deadline does not leave time for another attempt"
        _explain(error, f"{why}: the provider asks to wait {asked:.0f} s." if asked is not None else f"{why}.")
        return None
    if not budget.spend():
        _explain(error, "Too many calls are being retried already.")
        return None
    return wait


def _explain(error: ModelError, why: str) -> None:
    error.details["not_retried"] = why
    if isinstance(error, RateLimited) or not error.hint:
        error.hint = f"{error.hint} {why}".strip()
