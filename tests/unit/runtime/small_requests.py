"""Small requests and what comes back, for the tests of models around models."""

from __future__ import annotations

from typing import Any

from mastra.types.model import ModelRequest, TextDelta
from mastra.types.prompt import TextPart, UserMessage


def ask(text: str = "Hi", **more: Any) -> ModelRequest:
    """A small request."""
    return ModelRequest(messages=(UserMessage((TextPart(text),)),), **more)


def text_of(deltas: list[Any]) -> str:
    """The text in the deltas."""
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
