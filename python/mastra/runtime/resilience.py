"""A model that bears failures: one retry owner, a circuit breaker and a throttle around any `ChatModel`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mastra.errors import ModelError
from mastra.ports.model import ChatModel
from mastra.runtime.breaker import CircuitBreaker
from mastra.runtime.clock import SYSTEM_CLOCK, Clock
from mastra.runtime.retries import RetryBudget, RetryPolicy, wait_before_retry
from mastra.runtime.throttle import Throttle
from mastra.types.model import Finish, ModelDelta, ModelRequest, ResponseStart
from mastra.types.prompt import AssistantMessage, SystemMessage, TextPart, UserMessage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from typing import TypeVar

    Result = TypeVar("Result")


@dataclass(slots=True, kw_only=True)
class Resilience:
    """What stands around the calls to one provider; share one object among the models that share an account."""

    policy: RetryPolicy = field(default_factory=RetryPolicy)
    budget: RetryBudget = field(default_factory=RetryBudget)
    throttle: Throttle | None = None
    # None makes one breaker for each model.
    breaker: CircuitBreaker | None = None
    clock: Clock = SYSTEM_CLOCK

    async def call(
        self, work: Callable[[], Awaitable[Result]], *, breaker: CircuitBreaker, deadline: float | None = None
    ) -> Result:
        """Do `work`, and do it again when that may help; for calls that answer whole."""
        self.budget.earn()
        attempt = 0
        while True:
            attempt += 1
            await self.enter(breaker, 0, deadline)
            try:
                result = await work()
            except BaseException as error:
                breaker.failed(error)
                if not isinstance(error, ModelError):
                    raise
                wait = self.wait(error, attempt, deadline)
                if wait is None:
                    raise
            else:
                breaker.succeeded()
                return result
            finally:
                if self.throttle is not None:
                    self.throttle.leave()
            await self.clock.sleep(wait)

    async def enter(self, breaker: CircuitBreaker, tokens: int, deadline: float | None) -> None:
        """Let a call pass the breaker and wait for its turn."""
        breaker.admit()
        if self.throttle is None:
            return
        try:
            await self.throttle.enter(tokens, deadline)
        except BaseException as error:
            # The one call that a half-open breaker admits never came: the next one may try.
            breaker.failed(error)
            raise

    def wait(
        self, error: ModelError, attempt: int, deadline: float | None, attempts: int | None = None
    ) -> float | None:
        """Seconds until the next attempt, or None."""
        policy = self.policy
        if attempts is not None and attempts != policy.max_attempts:
            from dataclasses import replace  # noqa: PLC0415 - only a failing call pays for it

            policy = replace(policy, max_attempts=attempts)
        return wait_before_retry(error, attempt, policy=policy, budget=self.budget, clock=self.clock, deadline=deadline)


class ResilientModel(ChatModel):
    """A model behind `Resilience`. An answer is retried only as long as nothing of it was handed out."""

    def __init__(self, inner: ChatModel, resilience: Resilience | None = None) -> None:
        self.inner = inner
        self.resilience = resilience or Resilience()
        self.breaker = self.resilience.breaker or CircuitBreaker(
            f"{inner.provider}/{inner.model_id}", clock=self.resilience.clock
        )

    @property
    def provider(self) -> str:  # type: ignore[override]  # what the port declares as an attribute is read only here
        """The provider of the model inside."""
        return self.inner.provider

    @property
    def model_id(self) -> str:  # type: ignore[override]  # the same
        """The name of the model inside."""
        return self.inner.model_id

    @property
    def profile(self) -> Any:  # type: ignore[override]  # the same
        """What the model inside can do."""
        return self.inner.profile

    def __repr__(self) -> str:
        return f"ResilientModel({self.inner!r})"

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The deltas of the first attempt that gets far enough to deliver anything."""
        resilience = self.resilience
        throttle = resilience.throttle
        retries = request.settings.max_retries
        attempts = None if retries is None else retries + 1
        estimate = 0 if throttle is None else request_tokens(request)
        resilience.budget.earn()
        attempt = 0
        last: ModelError | None = None
        while True:
            attempt += 1
            try:
                await resilience.enter(self.breaker, estimate, request.deadline)
            except ModelError as refusal:
                # The breaker opened on what went wrong before: that is the reason to show.
                raise refusal from last
            start: ResponseStart | None = None
            delivered = False
            deltas = self.inner.stream(request)
            try:
                async for delta in deltas:
                    if not delivered:
                        if isinstance(delta, ResponseStart):
                            # Held back: after it nothing has been said yet, and the call may still be made again.
                            start = delta
                            continue
                        delivered = True
                        if start is not None:
                            yield start
                    if isinstance(delta, Finish):
                        self.breaker.succeeded()
                        if throttle is not None:
                            throttle.settle(estimate, delta.usage.total_tokens)
                    yield delta
            except ModelError as error:
                self.breaker.failed(error)
                error.details["delivered"] = delivered
                last = error
                wait = None if delivered else resilience.wait(error, attempt, request.deadline, attempts)
                if wait is None:
                    error.details.setdefault("attempts", attempt)
                    raise
            except BaseException as error:
                self.breaker.failed(error)
                raise
            else:
                return
            finally:
                await deltas.aclose()
                if throttle is not None:
                    throttle.leave()
            await resilience.clock.sleep(wait)

    async def close(self) -> None:
        """Close the model inside."""
        await self.inner.close()


def resilient(model: ChatModel, resilience: Resilience | None = None) -> ChatModel:
    """`model` behind `resilience`; one that already is stays as it is unless another one is asked for."""
    if isinstance(model, ResilientModel):
        return model if resilience is None else ResilientModel(model.inner, resilience)
    return ResilientModel(model, resilience)


def request_tokens(request: ModelRequest) -> int:
    """About how many tokens a request will cost: its texts, and what the answer may take."""
    from mastra.native.tokens import estimate_tokens  # noqa: PLC0415 - only a throttled model counts

    total = 0
    for message in request.messages:
        if isinstance(message, SystemMessage):
            total += estimate_tokens(message.text)
        elif isinstance(message, UserMessage | AssistantMessage):
            total += sum(estimate_tokens(part.text) for part in message.parts if isinstance(part, TextPart))
        else:
            total += sum(estimate_tokens(str(part.output)) for part in message.parts)
    return total + (request.settings.max_output_tokens or 0)
