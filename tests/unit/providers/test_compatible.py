"""Vendors by name, and endpoints of one's own."""

from __future__ import annotations

import pytest
from tests.unit.providers.requests import body_of, rich_request

from mastra.errors import MissingKey, UnknownAdapter
from mastra.providers import catalog
from mastra.providers.compatible import Compatible, variable_of
from mastra.runtime.models import provider_names, resolve_model
from mastra.types.secrets import Secret


def test_every_vendor_makes_a_model(monkeypatch):
    for name in ("AZURE_OPENAI_ENDPOINT", "CLOUDFLARE_ACCOUNT_ID", "DATABRICKS_HOST", "SNOWFLAKE_ACCOUNT"):
        monkeypatch.setenv(name, "https://a.example" if name.endswith(("HOST", "ENDPOINT")) else "acme")
    for vendor in catalog.vendors():
        model = Compatible("a-model", vendor=vendor)
        body, _ = body_of(model, rich_request())
        assert body["model"] == "a-model"
        assert model.provider == vendor


def test_a_model_string_reaches_a_vendor():
    model = resolve_model("groq/openai/gpt-oss-120b")
    assert (model.provider, model.model_id) == ("groq", "openai/gpt-oss-120b")
    assert model.profile.reasoning
    assert {"groq", "openai", "scripted"} <= set(provider_names())
    assert "compatible" not in provider_names()


def test_a_typo_is_answered_with_a_vendor():
    with pytest.raises(UnknownAdapter, match="Did you mean 'openrouter'"):
        resolve_model("openruter/x")


def test_a_url_with_a_variable_needs_it(monkeypatch):
    monkeypatch.delenv("AZURE_OPENAI_ENDPOINT", raising=False)
    with pytest.raises(MissingKey, match="AZURE_OPENAI_ENDPOINT"):
        Compatible("x", vendor="azure")
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://me.openai.azure.com/")
    model = Compatible("x", vendor="azure")
    assert model.url == "https://me.openai.azure.com/openai/v1"
    assert model.auth(Secret("k", passing=True)) == {"api-key": "k"}


async def test_an_endpoint_of_ones_own_needs_no_key_but_takes_one(monkeypatch):
    model = resolve_model({"id": "my-box/llama", "url": "http://127.0.0.1:1/v1"}).inner
    assert await model.keys.read(required=model.needs_key) is None
    monkeypatch.setenv("MY_BOX_API_KEY", "abc")
    assert (await model.keys.read()).reveal() == "abc"
    assert variable_of("my-box") == "MY_BOX_API_KEY"


def test_a_known_vendor_can_stand_elsewhere():
    model = resolve_model({"providerId": "deepseek", "modelId": "x", "url": "http://127.0.0.1:1/v1"}).inner
    assert model.dialect.output == "json_object"
    assert model.url == "http://127.0.0.1:1/v1"
