"""The settings of a model for one run: names of Python or of the wire, each value checked before a provider sees it."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from mastra.errors import InvalidInput, near_miss
from mastra.types.model import ModelSettings

_TEXT_SETTINGS = frozenset({"service_tier", "reasoning_effort"})
_WHOLE_SETTINGS = frozenset({"max_output_tokens", "top_k", "seed", "max_retries"})
_SETTINGS = {
    "temperature": "temperature",
    "maxOutputTokens": "max_output_tokens",
    "maxTokens": "max_output_tokens",
    "topP": "top_p",
    "topK": "top_k",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
    "stopSequences": "stop_sequences",
    "seed": "seed",
    "serviceTier": "service_tier",
    "reasoningEffort": "reasoning_effort",
    "parallelToolCalls": "parallel_tool_calls",
    "maxRetries": "max_retries",
    "timeoutS": "timeout_s",
    "headers": "headers",
}
_SETTING_NAMES = frozenset(_SETTINGS.values())


def read_settings(given: ModelSettings | Mapping[str, Any] | None) -> ModelSettings | None:
    """Model settings from an object or a mapping with names of Python or of the wire."""
    if given is None or isinstance(given, ModelSettings):
        return given
    if not isinstance(given, Mapping):
        raise InvalidInput(f"Model settings cannot be a {type(given).__name__}.", hint="Use a mapping.")
    values: dict[str, Any] = {}
    for key, value in given.items():
        name = key if key in _SETTING_NAMES else _SETTINGS.get(key)
        if key == "timeout":
            total = value.get("totalMs") if isinstance(value, Mapping) else value
            _check("timeout_s", total)
            name, value = "timeout_s", None if total is None else total / 1000  # noqa: PLW2901 - another unit
        if name is None:
            raise InvalidInput(f"There is no model setting {key!r}.", hint=near_miss(key, _SETTING_NAMES))
        if name == "stop_sequences" and (isinstance(value, str) or value is None):
            value = () if value is None else (value,)  # noqa: PLW2901 - one shape
        _check(name, value)
        if name == "headers" and value is None:
            continue
        values[name] = tuple(value) if name == "stop_sequences" else value  # pyright: ignore[reportArgumentType]  # mypy reads it right
    return ModelSettings(**values)


def _check(name: str, value: Any) -> None:
    """What goes to a provider has the type that every provider expects; values of headers are never shown."""
    if value is None:
        return
    if name == "headers":
        fits = isinstance(value, Mapping) and all(
            isinstance(part, str) and part.isprintable() for pair in value.items() for part in pair
        )
        kind = "a mapping of printable texts"
    elif name == "stop_sequences":
        fits = isinstance(value, list | tuple) and all(isinstance(part, str) for part in value)
        kind = "a text or a list of texts"
    elif name in _TEXT_SETTINGS:
        fits, kind = isinstance(value, str), "a text"
    elif name == "parallel_tool_calls":
        fits, kind = isinstance(value, bool), "true or false"
    elif name in _WHOLE_SETTINGS:
        fits, kind = isinstance(value, int) and not isinstance(value, bool), "a whole number"
    else:
        fits = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
        kind = "a number"
    if not fits:
        raise InvalidInput(f"The model setting {name!r} must be {kind}.")
