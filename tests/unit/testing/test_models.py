"""Models for tests."""

from __future__ import annotations

from tests.unit.runtime.small_requests import ask, text_of

from mastra.testing import Answer, Call, ScriptedModel, function_model
from mastra.types.model import ModelProfile


async def test_a_function_answers_every_request():
    model = function_model(lambda request: f"{len(request.messages)} said", profile=ModelProfile(tools=False))
    for _ in range(2):
        assert text_of([delta async for delta in model.stream(ask())]) == "1 said"
    assert (model.provider, model.model_id, model.profile.tools) == ("function", "function", False)


async def test_the_names_of_a_script_are_here():
    assert text_of([delta async for delta in ScriptedModel(Answer(text="x")).stream(ask())]) == "x"
    assert Call("t").name == "t"
