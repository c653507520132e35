"""A chain of models: when one cannot answer, the next one is asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace

from mastra.errors import (
    AuthFailed,
    BadDefinition,
    ConfigError,
    MastraError,
    ModelError,
    ModelMissing,
    ModelTimeout,
    ModelUnavailable,
    RateLimited,
    ResponseMalformed,
    StreamBroken,
)
from mastra.ports.model import ChatModel
from mastra.runtime.asking import output_mode
from mastra.types.model import ModelDelta, ModelRequest, ResponseStart

# Another model may help against these; a refusal or a wrong request would be the same everywhere.
FALL_BACK_ON: tuple[type[MastraError], ...] = (
    ModelUnavailable,
    ModelTimeout,
    RateLimited,
    StreamBroken,
    ResponseMalformed,
    AuthFailed,
    ModelMissing,
    ConfigError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """One model of a chain; a disabled one is passed over."""

    model: ChatModel
    max_retries: int | None = None
    enabled: bool = True


class FallbackModel(ChatModel):
    """Asks the models in order until one begins to answer. Once something was said there is no way back."""

    def __init__(
        self,
        alternatives: Sequence[ChatModel | Alternative],
        *,
        on: tuple[type[MastraError], ...] = FALL_BACK_ON,
    ) -> None:
        self.alternatives = tuple(
            item if isinstance(item, Alternative) else Alternative(model=item) for item in alternatives
        )
        self._on = on
        enabled = [item for item in self.alternatives if item.enabled]
        if not enabled:
            raise BadDefinition("A chain of models needs at least one that is enabled.")
        first = enabled[0].model
        self.provider = first.provider
        self.model_id = first.model_id
        self.profile = first.profile

    def __repr__(self) -> str:
        return f"FallbackModel({[item.model for item in self.alternatives]!r})"

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The deltas of the first model that begins to answer."""
        failures: list[str] = []
        enabled = [item for item in self.alternatives if item.enabled]
        for position, item in enumerate(enabled):
            asked = _shaped_for(item.model, request)
            if item.max_retries is not None:
                asked = replace(asked, settings=replace(asked.settings, max_retries=item.max_retries))
            delivered = False
            start: ResponseStart | None = None
            deltas = item.model.stream(asked)
            try:
                async for delta in deltas:
                    if not delivered:
                        if isinstance(delta, ResponseStart):
                            start = delta
                            continue
                        delivered = True
                        if start is not None:
                            yield start
                    yield delta
            except self._on as error:
                last = position == len(enabled) - 1
                if isinstance(error, ModelError) and failures:
                    error.details["fell_back_from"] = failures
                if delivered or last or _too_late(error):
                    raise
                failures.append(f"{item.model.provider}/{item.model.model_id}: {error.code}")
            else:
                return
            finally:
                await deltas.aclose()

    async def close(self) -> None:
        """Close every model of the chain."""
        for item in self.alternatives:
            await item.model.close()


def _shaped_for(model: ChatModel, request: ModelRequest) -> ModelRequest:
    """The request with the answer's shape asked for in a way that this model knows; the first one chose its own."""
    output, profile = request.output, model.profile
    if output is None or output.mode == "prompted":
        return request
    if output.mode == "native":
        able = profile.native_output and (profile.output_with_tools or not request.tools)
    else:
        able = profile.tools
    if able:
        return request
    return replace(request, output=replace(output, mode=output_mode(profile, has_tools=bool(request.tools))))


def _too_late(error: MastraError) -> bool:
    """The run's own time is up: the next model would have none."""
    return isinstance(error, ModelTimeout) and error.details.get("phase") == "total"
