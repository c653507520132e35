# Values of wrong types are given on purpose, and parts are read as what they must be.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportOptionalMemberAccess=false, reportReturnType=false

import itertools
from dataclasses import dataclass
from enum import Enum

import pytest
from pydantic import BaseModel

from mastra import Agent, tool
from mastra.errors import InvalidInput, OutputInvalid
from mastra.providers.scripted import Answer, Call, ScriptedModel
from mastra.types.model import ModelProfile


@dataclass
class City:
    name: str
    people: int


class Mood(Enum):
    good = "good"
    bad = "bad"


class Report(BaseModel):
    city: City
    mood: Mood
    tags: list[str] = []


def agent(*lines, **options):
    return Agent("a", model=ScriptedModel(list(lines), **options))


@pytest.mark.parametrize(
    ("asked", "line", "expected"),
    [
        (City, '{"name": "Oslo", "people": 7}', City("Oslo", 7)),
        (Report, '{"city": {"name": "O", "people": 1}, "mood": "good"}', Report(city=City("O", 1), mood=Mood.good)),
        (list[City], '{"elements": [{"name": "O", "people": 1}]}', [City("O", 1)]),
        (Mood, '{"value": "bad"}', Mood.bad),
        (int | str, '{"value": "x"}', "x"),
        (list[int], '{"elements": [1, 2]}', [1, 2]),
        ({"name": str}, '{"name": "x"}', {"name": "x"}),
        ({"type": "object", "properties": {"n": {"type": "integer"}}}, '{"n": 1}', {"n": 1}),
    ],
)
async def test_every_kind_of_shape_comes_back_as_itself(asked, line, expected):
    assert (await agent(line).generate("go", output=asked)).object == expected


async def test_json_in_a_fence_or_between_words_is_found():
    model = agent('Here you are:\n```json\n{"name": "O", "people": 1}\n```\nBye', '{"name": "O", "people": 1} I think')
    for _ in range(2):
        assert (await model.generate("go", output=City)).object == City("O", 1)


async def test_a_wrong_answer_is_shown_to_the_model_with_what_is_wrong():
    model = ScriptedModel(['{"name": "Oslo"}', '{"name": "Oslo", "people": 7}'])
    result = await Agent("a", model=model).generate("go", output=City)
    assert result.object == City("Oslo", 7)
    assert "people" in model.requests[1].messages[-1].parts[0].text


async def test_strict_raises_with_the_text_and_the_places():
    with pytest.raises(OutputInvalid) as caught:
        await agent(*['{"name": 1}'] * 3).generate("go", output=City)
    assert {issue["field"] for issue in caught.value.details["issues"]} == {"name", "people"}
    assert caught.value.details["text"] == '{"name": 1}'


async def test_warn_and_fallback_end_the_run_quietly():
    shape = {"schema": City, "error_strategy": "warn"}
    assert (await agent(*["no"] * 3).generate("go", structured_output=shape)).object is None
    shape = {"schema": {"n": int}, "errorStrategy": "fallback", "fallbackValue": {"n": 0}}
    result = await agent(*["no"] * 3).generate("go", structured_output=shape)
    assert (result.object, result.to_wire()["usedFallbackValue"]) == ({"n": 0}, True)


@pytest.mark.parametrize(
    "shape",
    [
        {"schema": City, "error_strategy": "hope"},
        {"schema": City, "errorStrategy": "fallback"},
        {"schema": City, "shape": 1},
    ],
)
async def test_a_shape_that_cannot_be_asked_for_is_refused(shape):
    with pytest.raises(InvalidInput):
        await agent("x").generate("go", structured_output=shape)


async def test_shapes_and_tools_work_together():
    @tool
    async def count(city: str) -> int:
        """Count people."""
        return 7

    model = ScriptedModel(
        [Answer(text="Let me see.", calls=(Call("count", {"city": "Oslo"}),)), '{"name": "Oslo", "people": 7}']
    )
    async with Agent("a", model=model, tools=[count]).stream("go", output=City) as run:
        kinds = [chunk.type async for chunk in run]
        result = await run.result()
    assert result.object == City("Oslo", 7)
    assert kinds.count("object-result") == 1


async def test_partial_objects_grow_and_none_is_sent_twice():
    text = '{"name": "New York", "people": 8}'
    model = ScriptedModel([Answer(pieces=tuple(text))])
    async with Agent("a", model=model).stream("go", output=City) as run:
        seen = [chunk.payload async for chunk in run if chunk.type == "object"]
    assert seen[0] == {}
    assert {"name": "New Yo"} in seen
    assert seen[-1] == {"name": "New York", "people": 8}
    assert all(one != other for one, other in itertools.pairwise(seen))


async def test_the_way_of_asking_follows_what_the_model_can_do():
    able = ScriptedModel(['{"name": "O", "people": 1}'])
    await Agent("a", model=able).generate("go", output=City)
    assert able.requests[0].output.mode == "native"
    calling = ScriptedModel(['{"name": "O", "people": 1}'], profile=ModelProfile(native_output=False))
    await Agent("a", model=calling).generate("go", output=City)
    assert (calling.requests[0].output.mode, calling.requests[0].output.name) == ("tool", "response")
    assert len(calling.requests[0].messages) == 1
    unable = ScriptedModel(['{"name": "O", "people": 1}'], profile=ModelProfile(native_output=False, tools=False))
    await Agent("a", model=unable).generate("go", output=City)
    assert unable.requests[0].output.mode == "prompted"
    assert "JSON Schema" in unable.requests[0].messages[0].text


async def test_a_tool_of_the_same_name_keeps_it():
    async def answer() -> str:
        """Answer."""
        return "x"

    model = ScriptedModel(['{"name": "O", "people": 1}'], profile=ModelProfile(native_output=False))
    result = await Agent("a", model=model, tools={"response": answer}).generate("go", output=City)
    assert (model.requests[0].output.mode, result.object) == ("prompted", City("O", 1))


async def test_another_model_may_write_the_object():
    writer = ScriptedModel(['{"name": "Oslo", "people": 7}'])
    speaker = ScriptedModel(["Oslo has seven people."])
    result = await Agent("a", model=speaker).generate("go", structured_output={"schema": City, "model": writer})
    assert (result.text, result.object) == ("Oslo has seven people.", City("Oslo", 7))
    assert speaker.requests[0].output is None


async def test_objects_and_whole_elements_are_read_one_by_one():
    text = '{"elements": [{"name": "Oslo", "people": 7}, {"name": "Bergen", "people": 3}]}'
    async with Agent("a", model=ScriptedModel([Answer(pieces=tuple(text))])).stream("go", output=list[City]) as run:
        assert [one async for one in run.elements] == [City("Oslo", 7), City("Bergen", 3)]
    async with Agent("a", model=ScriptedModel([Answer(pieces=tuple(text))])).stream("go", output=list[City]) as run:
        seen = [one async for one in run.objects]
    assert seen[0] == []
    assert [City("Oslo", None)] in seen
    assert seen[-1] == [City("Oslo", 7), City("Bergen", 3)]


async def test_an_element_that_does_not_fit_waits_until_the_model_has_mended_it():
    wrong = '{"elements": [{"name": "Oslo", "people": "many"}, {"name": "Bergen", "people": 3}]}'
    right = '{"elements": [{"name": "Oslo", "people": 7}, {"name": "Bergen", "people": 3}]}'
    async with agent(wrong, right).stream("go", output=list[City]) as run:
        assert [one async for one in run.elements] == [City("Oslo", 7), City("Bergen", 3)]


async def test_the_structuring_model_may_read_the_conversation_and_is_paid_for():
    prices = ModelProfile(input_price=1_000_000.0, output_price=0.0)
    writer = ScriptedModel(['{"name": "Oslo", "people": 7}'], profile=prices)
    shape = {"schema": City, "model": writer, "useAgent": True, "providerOptions": {"x": {"y": 1}}}
    result = await agent("Seven.").generate("How many live in Oslo?", structured_output=shape)
    (request,) = writer.requests
    said = [part.text for message in request.messages for part in getattr(message, "parts", ())]
    assert said[:2] == ["How many live in Oslo?", "Seven."]
    assert request.provider_options == {"x": {"y": 1}}
    assert result.cost > 0


async def test_a_shape_in_words_may_stand_behind_what_the_user_said():
    model = ScriptedModel(['{"name": "Oslo", "people": 7}'])
    shape = {"schema": City, "json_prompt_injection": "inline"}
    result = await Agent("a", instructions="Be brief.", model=model).generate("go", structured_output=shape)
    system, user = model.requests[0].messages
    assert (system.text, user.parts[0].text) == ("Be brief.", "go")
    assert "JSON Schema" in user.parts[1].text
    assert result.object == City("Oslo", 7)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"structured_output": {"schema": City, "eror_strategy": "warn"}}, "eror_strategy"),
        ({"structured_output": {"schema": City, "json_prompt_injection": "sytem"}}, "sytem"),
        ({"structured_output": {"error_strategy": "warn"}}, "no schema"),
        ({"structured_output": {"schema": City}, "output": City}, "both"),
    ],
)
async def test_a_shape_that_cannot_be_read_is_refused_at_the_door(options, named):
    with pytest.raises(InvalidInput, match=named):
        await agent("x").generate("go", **options)
