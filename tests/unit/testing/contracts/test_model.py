"""The model contract can fail: a model that lies is found out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mastra.errors import ModelError
from mastra.testing.contracts.model import CHECKS
from mastra.testing.wire_samples import WIRE_FORMATS

WIRE = WIRE_FORMATS["openai-chat"]


def lying(change):
    """The format with a model that `change` has spoilt."""

    def make(url, **options):
        model = WIRE.make(url, **options)
        change(model)
        return model

    return replace(WIRE, make=make)


def takes_any_end(model):
    decoder = model.decoder

    def spoilt(request, composer):
        made = decoder(request, composer)
        made.end = lambda: composer.finish("stop")
        return made

    model.decoder = spoilt


def retries_by_itself(model):
    stream = model.stream

    async def twice(request):
        try:
            async for delta in stream(request):
                yield delta
        except ModelError:
            async for delta in stream(request):
                yield delta

    model.stream = twice


def shows_its_key(model):
    model.url += "/?key=canary-8f1d2c3b4a596877"


@pytest.mark.parametrize(
    ("sentence", "change"),
    [
        ("an answer that ends between events without its terminal event is broken", takes_any_end),
        ("an answer cut at any byte is never taken for a whole one", takes_any_end),
        ("a tool call of an answer that was cut never comes", takes_any_end),
        ("a wait longer than the deadline fails at once and says how long", retries_by_itself),
        ("the key is in no error, no repr and no URL", shows_its_key),
    ],
)
async def test_a_spoilt_model_is_found_out(sentence, change):
    with pytest.raises(AssertionError):
        await CHECKS[sentence](lying(change))


def test_the_contract_has_the_cases_that_matter():
    assert len(CHECKS) >= 33
