"""From what a user writes to a model."""

from __future__ import annotations

from typing import Any, cast

import pytest

from mastra.errors import BadDefinition, UnknownAdapter
from mastra.providers.scripted import ScriptedModel
from mastra.runtime.models import resolve_model, split_spec


def test_a_model_passes_through():
    model = ScriptedModel("hi")
    assert resolve_model(model) is model


def test_a_text_names_provider_and_model_and_is_resolved_once():
    model = resolve_model("scripted/hi there")
    assert (model.provider, model.model_id) == ("scripted", "hi there")
    assert resolve_model("scripted/hi there") is model


def test_the_model_part_may_contain_slashes():
    assert split_spec("openrouter/anthropic/claude") == ("openrouter", "anthropic/claude")


def test_a_typo_in_the_provider_is_answered_with_a_suggestion():
    with pytest.raises(UnknownAdapter, match="Did you mean 'scripted'"):
        resolve_model("scriptd/hi")


@pytest.mark.parametrize("spec", ["gpt-5", "/x", "openai/", ""])
def test_a_text_without_provider_or_model_is_refused(spec):
    with pytest.raises(BadDefinition, match="does not name a model"):
        resolve_model(spec)


def test_an_endpoint_with_an_unknown_field_or_no_id_is_refused():
    with pytest.raises(BadDefinition, match="Did you mean 'url'"):
        resolve_model({"id": "a/b", "ulr": "http://x"})
    with pytest.raises(BadDefinition, match="needs an id"):
        resolve_model({"url": "http://x"})


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"id": 5}, "id of a model endpoint is a text"),
        ({"id": "a/b", "url": 5}, "url of a model endpoint is a text"),
        ({"id": "a/b", "url": "acme.example"}, "must begin with http"),
        ({"id": "a/b", "url": "http://x", "headers": {"a": 1}}, "headers"),
        ({"id": "a/b", "url": "http://x", "headers": "a: b"}, "headers"),
        ({"id": "a/b", "url": "http://x", "api_key": 5}, "api_key of 'a' is a int"),
        ([{"model": "scripted/x", "max_retries": "many"}], "max_retries"),
        ([{"model": "scripted/x", "max_retries": -1}], "max_retries"),
    ],
)
def test_what_stands_in_an_endpoint_is_checked_at_the_door(spec, told):
    with pytest.raises(BadDefinition, match=told):
        resolve_model(spec)


def test_another_object_is_refused():
    with pytest.raises(BadDefinition, match="A int is no model"):
        resolve_model(cast("Any", 3))
