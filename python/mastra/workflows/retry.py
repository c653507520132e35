"""When a failed step is tried again, and after how long."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from mastra.errors import BadDefinition, ConfigError, InputError, NotSerialisable

# The same call with the same value fails the same way: trying again only hides the cause.
_POINTLESS = (InputError, ConfigError, NotSerialisable)


@dataclass(frozen=True, slots=True)
class Retry:
    """A rule: `attempts` more tries after an error of the classes in `on`, with growing, jittered pauses.

    The pause before try n is `delay * backoff ** (n - 1)` seconds, at most `max_delay`, plus or minus the share
    `jitter`. An error that carries `retry_after` waits at least that long.
    """

    attempts: int = 3
    delay: float = 0.0
    backoff: float = 2.0
    max_delay: float = 60.0
    jitter: float = 0.1
    on: type[Exception] | tuple[type[Exception], ...] = Exception

    def __post_init__(self) -> None:
        if self.attempts < 0 or self.delay < 0 or self.max_delay < 0:
            raise BadDefinition("A retry rule needs attempts, delay and max_delay of zero or more.")
        if self.backoff < 1 or not 0 <= self.jitter <= 1:
            raise BadDefinition("A retry rule needs a backoff of at least 1 and a jitter between 0 and 1.")

    def pause(self, attempt: int, error: Exception) -> float:
        """Seconds to wait before try number `attempt` (1 is the first repetition)."""
        pause = min(self.delay * self.backoff ** min(attempt - 1, 64), self.max_delay)
        pause *= 1 + random.uniform(-self.jitter, self.jitter)  # noqa: S311 - spreads load, guards nothing
        asked = getattr(error, "retry_after", None)
        return max(pause, float(asked)) if asked is not None else pause


RetrySpec: TypeAlias = int | Retry | Sequence[Retry] | None


def rules(spec: RetrySpec) -> tuple[Retry, ...]:
    """The rules that a user's `retries=` stands for: a number, a rule or several, first match wins."""
    if spec is None:
        return ()
    if isinstance(spec, Retry):
        return (spec,)
    if isinstance(spec, int) and not isinstance(spec, bool):
        return (Retry(attempts=spec),) if spec else ()
    if isinstance(spec, list | tuple) and all(isinstance(one, Retry) for one in spec):
        return tuple(spec)
    raise BadDefinition("retries is a number, a Retry or a list of Retry.")


def next_pause(given: tuple[Retry, ...], attempt: int, error: Exception) -> float | None:
    """Seconds until try number `attempt`, or None when the error stands."""
    if isinstance(error, _POINTLESS):
        return None
    for rule in given:
        if isinstance(error, rule.on):
            return rule.pause(attempt, error) if attempt <= rule.attempts else None
    return None
