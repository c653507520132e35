"""The tables of vendors and models: complete, of the right form, replaceable."""

from __future__ import annotations

import datetime as dt
import json
import re

import pytest

from mastra.errors import BadSetting
from mastra.providers import catalog

FIELDS = {
    "url",
    "key",
    "key_required",
    "auth",
    "path",
    "query",
    "max_tokens",
    "output",
    "strict",
    "stream_usage",
    "drop",
    "rename",
    "tool_choice_required",
    "reasoning",
    "embeddings",
    "rerank",
    "models_of",
    "profile",
}
NAMED = {
    "deepseek",
    "groq",
    "xai",
    "togetherai",
    "fireworks",
    "openrouter",
    "perplexity",
    "cerebras",
    "nvidia",
    "huggingface",
    "azure",
    "github-models",
    "moonshotai",
    "zhipuai",
    "alibaba",
    "minimax",
    "lmstudio",
    "vllm",
    "llamacpp",
}


def test_every_vendor_has_a_url_and_says_where_its_key_is():
    vendors = catalog.vendors()
    assert set(vendors) >= NAMED
    assert len(vendors) >= len(NAMED) + 15
    for name, row in vendors.items():
        assert set(row) <= FIELDS, name
        assert re.match(r"https://|\$\{\w+\}/|http://127\.0\.0\.1:", row["url"]), name
        assert not row["url"].endswith("/"), name
        assert row["key"] or row.get("key_required") is False, name
        assert row.get("models_of", "openai") in {*vendors, "openai"}, name


def test_every_model_has_sensible_facts():
    dt.date.fromisoformat(catalog.data_date())
    assert len(catalog.models()) > 100
    for name in catalog.models():
        profile = catalog.profile_of(*name.split("/", 1))
        for size in (profile.context_tokens, profile.max_output_tokens):
            assert size is None or 1_000 <= size <= 20_000_000, name
        for price in (profile.input_price, profile.output_price, profile.cached_input_price):
            assert price is None or 0 <= price <= 1000, name
        if profile.cached_input_price is not None:
            assert profile.cached_input_price <= profile.input_price, name


@pytest.mark.parametrize(
    ("provider", "model", "like"),
    [
        ("openai", "gpt-5-mini-2025-08-07", "openai/gpt-5-mini"),
        ("anthropic", "claude-sonnet-4-5-20250929", "anthropic/claude-sonnet-4-5"),
        ("anthropic", "claude-3-5-haiku-latest", "anthropic/claude-3-5-haiku"),
        ("azure", "gpt-4o", "openai/gpt-4o"),
        ("openrouter", "anthropic/claude-sonnet-4-5:free", "anthropic/claude-sonnet-4-5"),
        ("google", "gemini-3-pro-preview", "google/gemini-3-pro"),
        ("vercel", "openai/gpt-4o", "openai/gpt-4o"),
    ],
)
def test_a_model_is_found_under_its_other_names(provider, model, like):
    found = catalog.profile_of(provider, model)
    expected = catalog.profile_of(*like.split("/", 1))
    assert (found.context_tokens, found.input_price) == (expected.context_tokens, expected.input_price)
    assert found.context_tokens is not None


def test_an_unknown_model_has_no_price_but_the_vendors_abilities():
    assert catalog.profile_of("acme", "x").input_price is None
    assert catalog.profile_of("deepseek", "a-new-one").native_output is False


def test_the_users_own_list_wins(tmp_path, monkeypatch):
    path = tmp_path / "models.json"
    path.write_text(json.dumps({"date": "2027-01-01", "models": {"openai/gpt-5": {"input_price": 9.0}}}))
    monkeypatch.setenv(catalog.MODEL_DATA_VARIABLE, str(path))
    assert catalog.data_date() == "2027-01-01"
    assert catalog.profile_of("openai", "gpt-5").input_price == 9.0
    assert catalog.profile_of("openai", "gpt-5-mini").input_price == 0.25


@pytest.mark.parametrize("text", ["", "[]", '{"models": {"a/b": {"prize": 1}}}', '{"models": {"a/b": 1}}'])
def test_a_list_that_is_none_is_refused(text, tmp_path, monkeypatch):
    path = tmp_path / "models.json"
    path.write_text(text)
    monkeypatch.setenv(catalog.MODEL_DATA_VARIABLE, str(path))
    with pytest.raises(BadSetting):
        catalog.profile_of("openai", "gpt-5")
