"""One request to a model and the deltas that come back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from mastra.types.chunks import FinishReason
from mastra.types.prompt import PromptMessage, ProviderOptions
from mastra.types.usage import Usage


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model sees it. `provider_type` marks one that the provider itself executes."""

    name: str
    description: str
    parameters: dict[str, Any]
    strict: bool = False
    provider_type: str | None = None
    provider_options: ProviderOptions | None = None


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """The shape that the answer must have. `mode` is decided by the caller from the model's profile."""

    json_schema: dict[str, Any]
    name: str = "response"
    mode: Literal["native", "tool", "prompted"] = "native"


ToolChoice: TypeAlias = str
"""`auto`, `none`, `required`, or the name of the one tool that must be called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """Knobs of one call; None leaves the provider's default."""

    temperature: float | None = None
    max_output_tokens: int | None = None
    top_p: float | None = None
    top_k: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop_sequences: tuple[str, ...] = ()
    seed: int | None = None
    service_tier: str | None = None
    reasoning_effort: str | None = None
    parallel_tool_calls: bool | None = None
    max_retries: int | None = None
    timeout_s: float | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """Everything that one model call needs; nothing in it changes afterwards."""

    messages: tuple[PromptMessage, ...]
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: ToolChoice = "auto"
    output: OutputSpec | None = None
    settings: ModelSettings = ModelSettings()
    provider_options: ProviderOptions = field(default_factory=dict)
    # time.monotonic() value after which no retry may begin and the call must have ended.
    deadline: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelProfile:
    """What a model can do; chooses the structured-output mode and what may be sent."""

    context_tokens: int | None = None
    max_output_tokens: int | None = None
    tools: bool = True
    parallel_tools: bool = True
    native_output: bool = True
    output_with_tools: bool = True
    images: bool = False
    audio: bool = False
    files: bool = False
    reasoning: bool = False
    prompt_cache: bool = False
    # USD for one million tokens; None when unknown.
    input_price: float | None = None
    output_price: float | None = None
    cached_input_price: float | None = None
    cache_write_price: float | None = None
    # Past so many tokens of prompt the whole request costs these prices.
    long_from_tokens: int | None = None
    long_input_price: float | None = None
    long_output_price: float | None = None
    long_cached_input_price: float | None = None

    def cost_of(self, usage: Usage) -> float:
        """US dollars for what was used; 0 when the prices are not known."""
        if self.input_price is None and self.output_price is None:
            return 0.0
        input_price, output_price = self.input_price or 0.0, self.output_price or 0.0
        cached_price, write_price = self.cached_input_price, self.cache_write_price
        if self.long_from_tokens is not None and usage.input_tokens > self.long_from_tokens:
            longer = 1.0 if not input_price or self.long_input_price is None else self.long_input_price / input_price
            write_price = None if write_price is None else write_price * longer
            input_price = input_price if self.long_input_price is None else self.long_input_price
            output_price = output_price if self.long_output_price is None else self.long_output_price
            cached_price = cached_price if self.long_cached_input_price is None else self.long_cached_input_price
        cached, written = usage.cached_input_tokens or 0, usage.cache_creation_input_tokens or 0
        cost = max(0, usage.input_tokens - cached - written) * input_price + usage.output_tokens * output_price
        cost += cached * (input_price if cached_price is None else cached_price)
        cost += written * (input_price if write_price is None else write_price)
        return cost / 1_000_000


class ResponseStart(NamedTuple):
    """First delta: who answers."""

    id: str = ""
    model_id: str = ""
    headers: dict[str, str] | None = None
    warnings: tuple[str, ...] = ()
    request_body: Any = None


class TextStart(NamedTuple):
    """A text begins; several may follow each other."""

    id: str
    provider_metadata: dict[str, Any] | None = None


class TextDelta(NamedTuple):
    """More of a text."""

    id: str
    text: str
    provider_metadata: dict[str, Any] | None = None


class TextEnd(NamedTuple):
    """A text is whole."""

    id: str
    provider_metadata: dict[str, Any] | None = None


class ReasoningStart(NamedTuple):
    """A thought begins."""

    id: str
    provider_metadata: dict[str, Any] | None = None


class ReasoningDelta(NamedTuple):
    """More of a thought."""

    id: str
    text: str
    provider_metadata: dict[str, Any] | None = None


class ReasoningEnd(NamedTuple):
    """A thought is whole; `redacted_data` when the provider hides it."""

    id: str
    signature: str | None = None
    redacted_data: str | None = None
    provider_metadata: dict[str, Any] | None = None


class ToolInputStart(NamedTuple):
    """The model begins to write the arguments of a call."""

    call_id: str
    name: str
    provider_executed: bool = False


class ToolInputDelta(NamedTuple):
    """More text of the arguments; not yet JSON."""

    call_id: str
    text: str


class ToolInputEnd(NamedTuple):
    """The argument text is whole."""

    call_id: str


class ToolCall(NamedTuple):
    """A whole call. `arguments` is None when the text is not a JSON object: such a call must not run."""

    call_id: str
    name: str
    arguments: dict[str, Any] | None
    raw_arguments: str = ""
    provider_executed: bool = False
    provider_metadata: dict[str, Any] | None = None


class ToolResult(NamedTuple):
    """The result of a call that the provider executed itself."""

    call_id: str
    name: str
    result: Any
    is_error: bool = False
    provider_metadata: dict[str, Any] | None = None


class Source(NamedTuple):
    """Something the answer cites."""

    id: str
    kind: Literal["url", "document"]
    title: str = ""
    url: str | None = None
    media_type: str | None = None
    filename: str | None = None
    provider_metadata: dict[str, Any] | None = None


class GeneratedFile(NamedTuple):
    """A file that the model made."""

    data: bytes
    media_type: str
    provider_metadata: dict[str, Any] | None = None


class Finish(NamedTuple):
    """Last delta: emitted only when the protocol's own terminal event was seen."""

    reason: FinishReason
    usage: Usage = Usage()
    raw_reason: str | None = None
    provider_metadata: dict[str, Any] | None = None
    response_body: Any = None


ModelDelta: TypeAlias = (
    ResponseStart
    | TextStart
    | TextDelta
    | TextEnd
    | ReasoningStart
    | ReasoningDelta
    | ReasoningEnd
    | ToolInputStart
    | ToolInputDelta
    | ToolInputEnd
    | ToolCall
    | ToolResult
    | Source
    | GeneratedFile
    | Finish
)
