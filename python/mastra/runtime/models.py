"""From what a user writes to a model: `"provider/model"`, an object, an endpoint, or a list to fall back along."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from mastra import registry
from mastra.errors import BadDefinition, UnknownAdapter, near_miss
from mastra.ports.embedder import Embedder
from mastra.ports.model import ChatModel
from mastra.ports.reranker import Reranker
from mastra.runtime.fallback import Alternative, FallbackModel
from mastra.runtime.resilience import Resilience, ResilientModel
from mastra.runtime.resilient_calls import ResilientEmbedder, ResilientReranker

ModelSpec: TypeAlias = "str | ChatModel | Mapping[str, Any] | Sequence[Any]"
_GROUP = "mastra.providers"
_EMBEDDERS = "mastra.embedders"
_RERANKERS = "mastra.rerankers"
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
    "http": "http",
}
_resilience: dict[str, Resilience] = {}


def configure_provider(provider: str, resilience: Resilience) -> None:
    """Put `resilience` around every model of a provider that is named from now on."""
    _resilience[provider] = resilience
    _from_text.cache_clear()
    _embedder_from_text.cache_clear()


def resilience_of(provider: str) -> Resilience:
    """What stands around the models of a provider: its retries, its limits."""
    found = _resilience.get(provider)
    if found is None:
        found = _resilience[provider] = Resilience()
    return found


def resolve_model(spec: ModelSpec) -> ChatModel:
    """The model that `spec` names.

    A text is `provider/model`. A mapping `{"id", "url", "api_key", "headers"}` is any endpoint that speaks the
    provider's protocol, OpenAI's when the provider is unknown. A list is a chain to fall back along; its items may
    be `{"model", "max_retries", "enabled"}`. A model passes through.
    """
    if isinstance(spec, ChatModel):
        return spec
    if isinstance(spec, str):
        return _from_text(spec)
    if isinstance(spec, Mapping):
        return _from_endpoint(spec)
    if isinstance(spec, Sequence):
        return FallbackModel([_alternative(item) for item in spec])
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


def _alternative(item: Any) -> Alternative:
    if isinstance(item, Mapping) and "model" in item:
        retries = item.get("max_retries", item.get("maxRetries"))
        if retries is not None and (not isinstance(retries, int) or isinstance(retries, bool) or retries < 0):
            raise BadDefinition(f"max_retries of a model in a chain is a number from 0 on, not {retries!r}.")
        return Alternative(
            model=resolve_model(item["model"]), max_retries=retries, enabled=bool(item.get("enabled", True))
        )
    return Alternative(model=resolve_model(item))


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
    return _make(*read_endpoint(spec))


def read_endpoint(
    spec: Mapping[str, Any], fields: Mapping[str, str] = _ENDPOINT_FIELDS
) -> tuple[str, str, dict[str, Any]]:
    """Provider, model and options of an endpoint that is written out."""
    given: dict[str, Any] = {}
    for key, value in spec.items():
        if key not in fields:
            hint = near_miss(key, fields) or "Known: id, url, api_key, headers."
            raise BadDefinition(f"A model endpoint has no field {key!r}.", hint=hint)
        given[fields[key]] = value
    for name in ("id", "provider_id", "model_id", "url"):
        if name in given and not isinstance(given[name], str):
            raise BadDefinition(f"The {name} of a model endpoint is a text, not a {type(given[name]).__name__}.")
    headers = given.get("headers")
    if headers is not None and not (
        isinstance(headers, Mapping) and all(isinstance(text, str) for pair in headers.items() for text in pair)
    ):
        raise BadDefinition("The headers of a model endpoint are names and texts.", hint='Write {"x-name": "value"}.')
    if "id" in given:
        provider, model_id = split_spec(given.pop("id"))
    elif {"provider_id", "model_id"} <= given.keys():
        provider, model_id = given.pop("provider_id"), given.pop("model_id")
    else:
        raise BadDefinition("A model endpoint needs an id.", hint='Write {"id": "provider/model", "url": ...}.')
    return provider, model_id, given


def _make(provider: str, model_id: str, options: dict[str, Any]) -> ChatModel:
    make = _factory(_GROUP, provider, url_given="url" in options)
    model: ChatModel = make(model_id, **options)
    return model if getattr(model, "local", False) else ResilientModel(model, resilience_of(provider))


def _factory(group: str, provider: str, *, url_given: bool = False) -> Any:
    """What makes the models of a provider: its own entry point, or the one for compatible vendors."""
    names = registry.names(group)
    if provider in names and provider != _COMPATIBLE:
        return registry.find(group, provider)
    vendors: list[str] = []
    if _COMPATIBLE in names:
        compatible = registry.find(group, _COMPATIBLE)
        vendors = compatible.vendors()
        if provider in vendors or url_given:
            return functools.partial(compatible, vendor=provider)
    known = {*names, *vendors} - {_COMPATIBLE}
    raise UnknownAdapter(
        f"There is no {registry.GROUPS[group]} called {provider!r}.",
        hint=near_miss(provider, known)
        or 'For an OpenAI-compatible endpoint write {"id": "name/model", "url": ..., "api_key": ...}.',
        details={"name": provider},
    )


EmbedderSpec: TypeAlias = "str | Embedder | Mapping[str, Any]"


def resolve_embedder(spec: EmbedderSpec) -> Embedder:
    """The embedding model that `spec` names, like `"openai/text-embedding-3-small"` or `"lexical/256"`."""
    if isinstance(spec, Embedder):
        return spec
    if isinstance(spec, str):
        return _embedder_from_text(spec)
    if isinstance(spec, Mapping):
        provider, model_id, options = read_endpoint(spec, {**_ENDPOINT_FIELDS, "dimension": "dimension"})
        return _make_embedder(provider, model_id, options)
    raise BadDefinition(f"A {type(spec).__name__} is no embedding model.", hint='Use "provider/model" or an Embedder.')


@functools.lru_cache(maxsize=128)
def _embedder_from_text(spec: str) -> Embedder:
    provider, model_id = split_spec(spec)
    return _make_embedder(provider, model_id, {})


def _make_embedder(provider: str, model_id: str, options: dict[str, Any]) -> Embedder:
    embedder: Embedder = _factory(_EMBEDDERS, provider, url_given="url" in options)(model_id, **options)
    if getattr(embedder, "local", False):
        return embedder
    return ResilientEmbedder(embedder, resilience_of(provider))


RerankerSpec: TypeAlias = "str | Reranker | Mapping[str, Any]"


def resolve_reranker(spec: RerankerSpec) -> Reranker:
    """The reranking model that `spec` names, like `"cohere/rerank-v3.5"` or `"lexical/bm25"`."""
    if isinstance(spec, Reranker):
        return spec
    if isinstance(spec, str):
        provider, model_id = split_spec(spec)
        options: dict[str, Any] = {}
    elif isinstance(spec, Mapping):
        provider, model_id, options = read_endpoint(spec)
    else:
        raise BadDefinition(f"A {type(spec).__name__} is no reranker.", hint='Use "provider/model" or a Reranker.')
    reranker: Reranker = _factory(_RERANKERS, provider, url_given="url" in options)(model_id, **options)
    if getattr(reranker, "local", False):
        return reranker
    return ResilientReranker(reranker, resilience_of(provider))
