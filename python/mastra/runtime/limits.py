"""Limits of a run, and the budget that a run and its children use up together."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from mastra.errors import BadDefinition, LimitReached
from mastra.runtime.clock import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from mastra.types.usage import Usage


# Limits that cannot be lifted: they stand between a run and one that never ends.
_ALWAYS = frozenset({"depth", "answer_chars"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a run and all runs below it may use; None is no limit."""

    tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    # In US dollars, from the prices of the model profiles.
    cost: float | None = None
    seconds: float | None = None
    model_calls: int | None = None
    tool_calls: int | None = None
    # Sub-agents below sub-agents.
    depth: int = 8
    # Characters of text, thought and tool arguments in one answer of a model.
    answer_chars: int = 4_000_000

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if value is None and one.name not in _ALWAYS:
                continue
            if not isinstance(value, int | float) or isinstance(value, bool) or not value >= 0:
                raise BadDefinition(
                    f"The limit {one.name} is {value!r}.",
                    hint=f"Limits are numbers, 0 or more{'' if one.name in _ALWAYS else ', or None'}.",
                )


NO_LIMITS = Limits()


class Budget:
    """What is used so far. Children share their parent's, so that delegation cannot multiply it."""

    __slots__ = ("_clock", "cost", "deadline", "input_tokens", "limits", "model_calls", "output_tokens", "run_id",
                 "tool_calls")  # fmt: skip

    def __init__(self, limits: Limits = NO_LIMITS, *, run_id: str = "", clock: Clock = SYSTEM_CLOCK) -> None:
        self.limits = limits
        self.run_id = run_id
        self._clock = clock
        self.input_tokens = 0
        self.output_tokens = 0
        self.cost = 0.0
        self.model_calls = 0
        self.tool_calls = 0
        self.deadline = None if limits.seconds is None else clock.monotonic() + limits.seconds

    def before_model(self) -> None:
        """Count a model call that is about to be made; `LimitReached` when something is used up."""
        if self.limits is not NO_LIMITS:
            self.check()
            self._refuse("model_calls", self.model_calls + 1, self.limits.model_calls)
        self.model_calls += 1

    def before_tools(self, calls: int) -> None:
        """Count tool calls that are about to be made."""
        if self.limits is not NO_LIMITS:
            self._refuse("tool_calls", self.tool_calls + calls, self.limits.tool_calls)
        self.tool_calls += calls

    def charge(self, usage: Usage, cost: float = 0.0) -> None:
        """Add what a model call used. It never raises: what was paid for is delivered."""
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens
        self.cost += cost

    def check(self) -> None:
        """`LimitReached` when nothing more may be started."""
        limits = self.limits
        self._reached("tokens", self.input_tokens + self.output_tokens, limits.tokens)
        self._reached("input_tokens", self.input_tokens, limits.input_tokens)
        self._reached("output_tokens", self.output_tokens, limits.output_tokens)
        self._reached("cost", self.cost, limits.cost)
        if self.deadline is not None and self._clock.monotonic() >= self.deadline:
            self._fail("seconds", limits.seconds)

    def _reached(self, name: str, used: float, limit: float | None) -> None:
        if limit is not None and used >= limit:
            self._fail(name, limit)

    def _refuse(self, name: str, wanted: float, limit: float | None) -> None:
        if limit is not None and wanted > limit:
            self._fail(name, limit)

    def _fail(self, name: str, limit: float | None) -> None:
        raise LimitReached(
            f"The run has used up its {name.replace('_', ' ')} ({limit}).",
            run_id=self.run_id,
            hint="Raise the limit, or ask for less.",
            details={"limit": name, "value": limit},
        )

    def remaining_s(self) -> float | None:
        """Seconds until the deadline; None without one."""
        return None if self.deadline is None else self.deadline - self._clock.monotonic()
