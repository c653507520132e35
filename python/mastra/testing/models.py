"""Models for tests: one that follows a script, one that is a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mastra.providers.scripted import Answer, Call, Line, ScriptedModel, echo
from mastra.types.model import ModelProfile, ModelRequest

__all__ = ["Answer", "Call", "Line", "ScriptedModel", "echo", "function_model"]


def function_model(
    function: Callable[[ModelRequest], Any], *, model_id: str = "function", profile: ModelProfile | None = None
) -> ScriptedModel:
    """A model that answers every request with what `function` makes of it: a script line, or an awaitable of one."""
    return ScriptedModel(function, per_run=True, model_id=model_id, provider="function", profile=profile)
