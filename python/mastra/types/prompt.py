"""What is sent to a model: messages made of parts, in the order in which they were said."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

ProviderOptions: TypeAlias = dict[str, dict[str, Any]]
"""Settings for one provider by its name, passed through: {"anthropic": {"cacheControl": {...}}}."""


class TextPart(NamedTuple):
    """Plain text."""

    text: str
    provider_options: ProviderOptions | None = None


class FilePart(NamedTuple):
    """An image, a sound or another file: `data` holds bytes, or a URL as text."""

    data: bytes | str
    media_type: str
    filename: str | None = None
    provider_options: ProviderOptions | None = None


class ReasoningPart(NamedTuple):
    """What the model thought, with the signature that the provider wants back."""

    text: str
    signature: str | None = None
    redacted_data: str | None = None
    provider_options: ProviderOptions | None = None


class ToolCallPart(NamedTuple):
    """A call that the model made."""

    call_id: str
    name: str
    arguments: dict[str, Any]
    provider_executed: bool = False
    provider_options: ProviderOptions | None = None


class ToolResultPart(NamedTuple):
    """The answer to a call: a text, JSON, or parts (text and files) when the tool made them for the model."""

    call_id: str
    name: str
    output: Any
    is_error: bool = False
    provider_options: ProviderOptions | None = None


UserPart: TypeAlias = TextPart | FilePart
AssistantPart: TypeAlias = TextPart | ReasoningPart | ToolCallPart | ToolResultPart | FilePart


class SystemMessage(NamedTuple):
    """Instructions."""

    text: str
    provider_options: ProviderOptions | None = None
    role: Literal["system"] = "system"


class UserMessage(NamedTuple):
    """What the user said or showed."""

    parts: tuple[UserPart, ...]
    provider_options: ProviderOptions | None = None
    role: Literal["user"] = "user"


class AssistantMessage(NamedTuple):
    """What the model said, thought and called in one step."""

    parts: tuple[AssistantPart, ...]
    provider_options: ProviderOptions | None = None
    role: Literal["assistant"] = "assistant"


class ToolMessage(NamedTuple):
    """The results of the calls of the assistant message before it, in the order of the calls."""

    parts: tuple[ToolResultPart, ...]
    provider_options: ProviderOptions | None = None
    role: Literal["tool"] = "tool"


PromptMessage: TypeAlias = SystemMessage | UserMessage | AssistantMessage | ToolMessage
