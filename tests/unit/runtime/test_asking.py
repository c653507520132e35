import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import OutputInvalid
from mastra.providers.scripted import ScriptedModel
from mastra.runtime.asking import ask_for, output_mode
from mastra.types.model import ModelProfile
from mastra.types.schema import Schema

SHAPE = Schema.of({"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]}, lax=True)


def model(answer='{"n": 1}', **profile):
    made = ScriptedModel([answer])
    made.profile = ModelProfile(**profile)
    return made


@pytest.mark.parametrize(
    ("profile", "mode"),
    [
        ({}, "native"),
        ({"native_output": False}, "tool"),
        ({"native_output": False, "tools": False}, "prompted"),
    ],
)
async def test_a_model_is_asked_by_what_it_can_do(profile, mode):
    one = model(**profile)
    assert (await ask_for(one, SHAPE, "Count.", "one")).value == {"n": 1}
    (request,) = one.requests
    assert request.output.mode == mode
    # Only who cannot be shown the shape has to read it.
    assert ('"number"' in request.messages[0].text) is (mode == "prompted")


def test_tools_beside_the_answer_change_how_it_is_asked():
    assert output_mode(ModelProfile(output_with_tools=False), has_tools=True) == "prompted"
    assert output_mode(ModelProfile(native_output=False), may_call=False) == "prompted"


async def test_words_around_the_value_are_forgiven():
    assert (await ask_for(model('Sure!\n```json\n{"n": 2}\n```'), SHAPE, "", "")).value == {"n": 2}


@given(st.text(max_size=40).filter(lambda text: '"n"' not in text))
async def test_anything_else_is_a_typed_error(text):
    with pytest.raises(OutputInvalid) as caught:
        await ask_for(model(text or " "), SHAPE, "", "")
    assert caught.value.details["text"] == (text or " ")


async def test_what_it_cost_is_told():
    one = model(input_price=1_000_000.0, output_price=0.0)
    answer = await ask_for(one, SHAPE, "", "")
    assert answer.cost == answer.usage.input_tokens
