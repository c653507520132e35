"""From what a user writes to a model: `"provider/model"`, an object, an endpoint, or a list to fall back along."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, TypeAlias

from mastra import registry
from mastra.errors import BadDefinition, UnknownAdapter, near_miss
from mastra.ports.model import ChatModel

ModelSpec: TypeAlias = "str | ChatModel | Mapping[str, Any]"
_GROUP = "mastra.providers"
# The provider that speaks for every vendor in the table of compatible endpoints.
_COMPATIBLE = "compatible"
_ENDPOINT_FIELDS = {
    "id": "id",
    "url": "url",
    "api_key": "api_key",
    "apiKey": "api_key",
    "headers": "headers",
    "provider_id": "provider_id",
    "providerId": "provider_id",
    "model_id": "model_id",
    "modelId": "model_id",
}


def resolve_model(spec: ModelSpec) -> ChatModel:
    """The model that `spec` names.

    A text is `provider/model`. A mapping `{"id", "url", "api_key", "headers"}` is any endpoint that speaks the
    provider's protocol, OpenAI's when the provider is unknown. A model passes through.
    """
    if isinstance(spec, ChatModel):
        return spec
    if isinstance(spec, str):
        return _from_text(spec)
    if isinstance(spec, Mapping):
        return _from_endpoint(spec)
    raise BadDefinition(
        f"A {type(spec).__name__} is no model.",
        hint='Use "provider/model", a ChatModel, or {"id": ..., "url": ..., "api_key": ...}.',
    )


def provider_names() -> list[str]:
    """Every provider that a model string can begin with, sorted."""
    names = set(registry.names(_GROUP))
    if _COMPATIBLE in names:
        names |= set(registry.find(_GROUP, _COMPATIBLE).vendors())
        names.discard(_COMPATIBLE)
    return sorted(names)


@functools.lru_cache(maxsize=512)
def _from_text(spec: str) -> ChatModel:
    provider, model_id = split_spec(spec)
    return _make(provider, model_id, {})


def split_spec(spec: str) -> tuple[str, str]:
    """Provider and model of `provider/model`; the model may contain more slashes."""
    provider, separator, model_id = spec.partition("/")
    if not separator or not provider or not model_id:
        raise BadDefinition(
            f"{spec[:80]!r} does not name a model.", hint='Write "provider/model", like "openai/gpt-5-mini".'
        )
    return provider, model_id


def _from_endpoint(spec: Mapping[str, Any]) -> ChatModel:
    given: dict[str, Any] = {}
    for key, value in spec.items():
        if key not in _ENDPOINT_FIELDS:
            hint = near_miss(key, _ENDPOINT_FIELDS) or "Known: id, url, api_key, headers."
            raise BadDefinition(f"A model endpoint has no field {key!r}.", hint=hint)
        given[_ENDPOINT_FIELDS[key]] = value
    if "id" in given:
        provider, model_id = split_spec(given.pop("id"))
    elif {"provider_id", "model_id"} <= given.keys():
        provider, model_id = given.pop("provider_id"), given.pop("model_id")
    else:
        raise BadDefinition("A model endpoint needs an id.", hint='Write {"id": "provider/model", "url": ...}.')
    return _make(provider, model_id, given)


def _make(provider: str, model_id: str, options: dict[str, Any]) -> ChatModel:
    names = registry.names(_GROUP)
    model: ChatModel
    if provider in names and provider != _COMPATIBLE:
        model = registry.find(_GROUP, provider)(model_id, **options)
        return model
    if _COMPATIBLE in names:
        compatible = registry.find(_GROUP, _COMPATIBLE)
        if provider in compatible.vendors() or "url" in options:
            model = compatible(model_id, vendor=provider, **options)
            return model
    known = provider_names()
    raise UnknownAdapter(
        f"There is no model provider called {provider!r}.",
        hint=near_miss(provider, known)
        or 'For an OpenAI-compatible endpoint write {"id": "name/model", "url": ..., "api_key": ...}.',
        details={"name": provider},
    )
