# Values of wrong types are given on purpose, and parts are read as what they must be.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportOptionalMemberAccess=false, reportReturnType=false

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra import Agent, create_tool, tool
from mastra.agents.processors.limits import (
    FINDER,
    BatchParts,
    CostGuard,
    ResponseCache,
    StreamErrorRetry,
    TokenLimiter,
    ToolCallFilter,
    ToolSearch,
    message_tokens,
    rank,
    trim,
)
from mastra.errors import StreamBroken
from mastra.providers.scripted import Answer, Call, ScriptedModel, echo
from mastra.types.model import ModelProfile
from mastra.types.prompt import (
    AssistantMessage,
    SystemMessage,
    TextPart,
    ToolCallPart,
    ToolMessage,
    ToolResultPart,
    UserMessage,
)

round_of = st.builds(
    lambda text, calls: [
        UserMessage((TextPart(text),)),
        *(
            message
            for n in range(calls)
            for message in (
                AssistantMessage((ToolCallPart(f"c{n}", "t", {"q": text}),)),
                ToolMessage((ToolResultPart(f"c{n}", "t", text * 3),)),
            )
        ),
        AssistantMessage((TextPart(text),)),
    ],
    st.text("ab ", max_size=60),
    st.integers(0, 3),
)


@given(st.lists(round_of, min_size=1, max_size=6), st.integers(1, 400))
def test_trimming_never_breaks_a_pair_and_keeps_the_newest(rounds, budget):
    history = [SystemMessage("Be kind."), *(message for one in rounds for message in one)]
    kept = trim(history, budget)
    assert kept[0] == history[0]
    assert kept[-1] == history[-1]
    for before, message in itertools.pairwise(kept):
        if isinstance(message, ToolMessage):
            calls = {part.call_id for part in before.parts if isinstance(part, ToolCallPart)}
            assert {part.call_id for part in message.parts} <= calls
    if sum(message_tokens(message) for message in history) <= budget:
        assert kept == history


@given(st.lists(round_of, min_size=1, max_size=6), st.integers(1, 400), st.sets(st.integers(0, 40), max_size=3))
def test_what_is_pinned_stays_with_its_round_and_the_history_stays_legal(rounds, budget, places):
    history = [message for one in rounds for message in one]
    pinned = [history[place] for place in places if place < len(history)]
    kept = trim(history, budget, pinned=pinned)
    assert all(message in kept for message in pinned)
    assert isinstance(kept[0], UserMessage) or kept == history[-len(kept) :]
    answered = [part.call_id for message in kept if isinstance(message, ToolMessage) for part in message.parts]
    asked = [
        part.call_id for message in kept if isinstance(message, AssistantMessage) for part in message.parts
        if isinstance(part, ToolCallPart)
    ]  # fmt: skip
    assert answered == asked
    if not pinned:
        assert kept == trim(history, budget)


async def test_a_long_history_is_trimmed_before_the_call():
    model = ScriptedModel(["ok"])
    agent = Agent("a", model=model, input_processors=[TokenLimiter(100)])
    await agent.generate([{"role": "user", "content": "x" * 200} for _ in range(20)])
    assert len(model.requests[0].messages) < 4


async def test_an_answer_stops_growing_at_its_limit():
    agent = Agent("a", model=ScriptedModel(["word " * 100]), output_processors=[TokenLimiter(1000, output_limit=20)])
    assert (await agent.generate("hi")).text.split() == ["word"] * 20


@tool
async def look(city: str) -> str:
    """Look at a city."""
    return city


async def test_old_tool_calls_are_filtered_and_new_ones_stay():
    model = ScriptedModel([Call("look", {"city": "Oslo"}, "c1"), "ok", Call("look", {"city": "Bergen"}, "c2"), "ok"])
    agent = Agent("a", model=model, tools=[look], input_processors=[ToolCallFilter()])
    first = await agent.generate("one")
    await agent.generate([*first.messages, "two"])
    roles = [message.role for message in model.requests[2].messages]
    assert "tool" not in roles
    assert model.requests[3].messages[-1].role == "tool"


async def test_a_run_that_costs_too_much_is_blocked():
    model = ScriptedModel([Call("look", {"city": "x"})], per_run=True, profile=ModelProfile(output_price=1e6))
    agent = Agent("a", model=model, tools=[look], input_processors=[CostGuard(run_cost=1.0)])
    result = await agent.generate("hi", max_steps=50)
    assert result.finish_reason == "tripwire"
    assert len(result.steps) == 1


async def test_all_that_runs_cost_within_a_window_counts_their_last_calls_too():
    model = ScriptedModel(["one two three"] * 3, profile=ModelProfile(output_price=1e6))
    agent = Agent("a", model=model, input_processors=[CostGuard(window_cost=1.0)])
    assert (await agent.generate("hi")).finish_reason == "stop"
    assert (await agent.generate("hi")).finish_reason == "tripwire"
    assert model.used == 1


async def test_text_is_sent_in_larger_pieces():
    agent = Agent("a", model=ScriptedModel(["one two three four five six"]), output_processors=[BatchParts(10)])
    async with agent.stream("hi") as run:
        pieces = [piece async for piece in run.text]
    assert "".join(pieces) == "one two three four five six"
    assert len(pieces) < 5


async def test_the_same_question_is_answered_once_per_owner():
    model = ScriptedModel([echo, echo])
    agent = Agent("a", model=model, input_processors=[cache := ResponseCache()], output_processors=[cache])
    for resource in ("u1", "u1", "u2"):
        assert (await agent.generate("hi", resource=resource)).text == "hi"
    assert model.used == 2


@pytest.mark.parametrize(
    "other",
    [
        {"output": {"n": int}},
        {"model_settings": {"temperature": 1.0}},
        {"provider_options": {"x": {"y": 1}}},
        {"tool_choice": "none"},
    ],
)
async def test_an_answer_is_none_to_what_was_asked_otherwise(other):
    model = ScriptedModel(['{"n": 1}', '{"n": 2}'])
    agent = Agent("a", model=model, input_processors=[cache := ResponseCache()], output_processors=[cache])
    for options in ({}, other, {}, other):
        await agent.generate("hi", **options)
    assert model.used == 2


async def test_a_broken_stream_is_tried_again():
    model = ScriptedModel([Answer(text="x", fail=StreamBroken("cut")), "whole"])
    agent = Agent("a", model=model, error_processors=[StreamErrorRetry()])
    assert (await agent.generate("hi")).text == "whole"


async def test_of_hundreds_of_tools_the_model_sees_those_that_fit():
    tools = [look.but(name=f"tool_{n}", description=f"Does thing number {n}") for n in range(200)]
    tools.append(look.but(name="sendInvoice", description="Sends an invoice to a customer"))
    model = ScriptedModel(["ok"])
    await Agent("a", model=model, tools=tools, input_processors=[ToolSearch(top=5)]).generate("send invoices please")
    names = [spec.name for spec in model.requests[0].tools]
    assert len(names) == 6
    assert {"sendInvoice", FINDER} <= set(names)


async def test_the_model_finds_other_tools_and_calls_them_from_the_next_step_on():
    ran = []
    tools = [create_tool(f"noise{n}", description="Makes noise.", execute=lambda given: given) for n in range(20)]

    async def pay(given):
        ran.append(given)
        return "paid"

    tools.append(create_tool("settle_bill", description="Pays what is owed to a supplier.", execute=pay))
    lines = [Call(FINDER, {"query": "pay a supplier"}), Call("settle_bill", {}), "Paid."]
    model = ScriptedModel(lines)
    agent = Agent("a", model=model, tools=tools, input_processors=[ToolSearch(top=3)])
    result = await agent.generate("noise please")
    assert result.tool_results[0]["result"] == [
        {"name": "settle_bill", "description": "Pays what is owed to a supplier."}
    ]
    assert ran == [{}]
    shown = [[spec.name for spec in request.tools] for request in model.requests]
    assert ["settle_bill" in names for names in shown] == [False, True, True]
    assert [names.count(FINDER) for names in shown] == [1, 1, 1]
    assert (await agent.plan()).tools.keys().isdisjoint({FINDER})


def test_ranking_prefers_rare_words():
    assert rank("the weather", [("a", "the the"), ("b", "the weather")])[0] == "b"
