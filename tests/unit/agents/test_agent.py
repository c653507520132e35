# Values of wrong types are given on purpose, and parts are read as what they must be.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportOptionalMemberAccess=false, reportReturnType=false

import asyncio
import gc
import threading

import pytest

from mastra import Agent, Chunk, Limits, Message, RequestContext, Tool, ToolContext, create_tool, tool
from mastra.errors import (
    Aborted,
    BadDefinition,
    InvalidInput,
    LimitReached,
    ModelError,
    RateLimited,
    StreamBroken,
)
from mastra.providers.scripted import Answer, Call, ScriptedModel
from mastra.types.model import Finish, ModelProfile
from mastra.types.prompt import AssistantMessage, SystemMessage, ToolMessage, UserMessage
from mastra.types.usage import Usage


@tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def scripted(*lines, **options):
    return ScriptedModel(list(lines), **options)


async def test_a_text_comes_back():
    result = await Agent("a", instructions="Be kind.", model=scripted("Hello there")).generate("Hi")
    assert (result.text, result.finish_reason) == ("Hello there", "stop")
    assert result.usage.output_tokens > 0
    assert [message.role for message in result.messages] == ["user", "assistant"]


def test_generate_sync_works_without_a_loop():
    assert Agent("a", model=scripted("ok")).generate_sync("Hi").text == "ok"


async def test_generate_sync_works_inside_a_running_loop():
    assert Agent("a", model=scripted("ok")).generate_sync("Hi").text == "ok"


async def test_the_model_reads_instructions_calls_and_results():
    model = scripted(Call("add", {"a": 1, "b": 2}, "c1"), "It is 3")
    result = await Agent("a", instructions="Add.", model=model, tools=[add]).generate("1 + 2?")
    assert result.tool_results == [{"args": {"a": 1, "b": 2}, "toolCallId": "c1", "toolName": "add", "result": 3}]
    system, user, said, heard = model.requests[1].messages
    assert isinstance(system, SystemMessage)
    assert isinstance(user, UserMessage)
    assert isinstance(said, AssistantMessage)
    assert isinstance(heard, ToolMessage)
    assert heard.parts[0].output == 3


async def test_tools_of_one_step_run_side_by_side_and_answer_in_the_order_of_the_calls():
    gate, order = asyncio.Event(), []

    @tool
    async def first() -> str:
        """Waits for the second."""
        await gate.wait()
        order.append("first")
        return "1"

    @tool
    async def second() -> str:
        """Lets the first go."""
        order.append("second")
        gate.set()
        return "2"

    model = scripted([Call("first"), Call("second")], "done")
    async with Agent("a", model=model, tools=[first, second]).stream("go") as run:
        results = [chunk.payload["result"] async for chunk in run if chunk.type == "tool-result"]
    assert order == ["second", "first"]
    assert results == ["1", "2"]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (Call("nothing"), "There is no tool"),
        (Call("add", {"a": 1}), "b: is required"),
        (Call("add", {"a": "x", "b": 1}), "a: must be an integer"),
        (Call("add", raw='{"a": 1, "b": 2'), "not a JSON object"),
        (Call("add", {"a": 1, "b": 2, "c": 3}), "c: is not known"),
    ],
)
async def test_a_wrong_call_is_told_to_the_model_and_runs_nothing(call, expected):
    model = scripted(call, "sorry")
    result = await Agent("a", model=model, tools=[add]).generate("go")
    assert result.text == "sorry"
    told = model.requests[1].messages[-1].parts[0]
    assert told.is_error
    assert expected in told.output


@pytest.mark.parametrize("cut", range(1, 17))
@pytest.mark.parametrize("reason", ["length", "tool-calls", "error", "content-filter"])
async def test_arguments_cut_at_any_byte_execute_nothing(cut, reason):
    ran = []

    @tool
    async def danger(n: int, m: int) -> None:
        """Must not run on half arguments."""
        ran.append((n, m))

    raw = '{"n": 12, "m": 3}'[:cut]
    model = scripted(Answer(calls=(Call("danger", raw=raw),), finish=reason), "done")
    await Agent("a", model=model, tools=[danger]).generate("go")
    assert ran == []


async def test_whole_arguments_in_an_answer_that_was_cut_off_execute_nothing_either():
    model = scripted(Answer(calls=(Call("add", {"a": 1, "b": 2}),), finish="length"), "done")
    result = await Agent("a", model=model, tools=[add]).generate("go")
    assert result.tool_results[0]["isError"]


async def test_a_stream_without_its_end_is_an_error_and_runs_no_tool():
    class Endless(ScriptedModel):
        async def stream(self, request):
            async for delta in super().stream(request):
                if not isinstance(delta, Finish):
                    yield delta

    model = Endless([Call("add", {"a": 1, "b": 2})])
    with pytest.raises(StreamBroken):
        await Agent("a", model=model, tools=[add]).generate("go")


async def test_the_loop_stops_at_max_steps_and_keeps_a_legal_history():
    model = scripted("call", per_run=True)
    model = ScriptedModel([Call("add", {"a": 1, "b": 1})], per_run=True)
    result = await Agent("a", model=model, tools=[add]).generate("go", max_steps=3)
    assert (len(result.steps), result.finish_reason) == (3, "tool-calls")
    assert len(result.tool_results) == 3


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (Limits(model_calls=2), "model_calls"),
        (Limits(tool_calls=2), "tool_calls"),
        (Limits(tokens=25), "tokens"),
        (Limits(cost=0.0001), "cost"),
        (Limits(answer_chars=5), "answer_chars"),
    ],
)
async def test_an_evil_model_is_stopped_by_every_limit(limits, name):
    profile = ModelProfile(input_price=100.0, output_price=100.0)
    line = Answer(text="x" * 3 if name != "answer_chars" else "x" * 100, calls=(Call("add", {"a": 1, "b": 1}),))
    model = ScriptedModel([line], per_run=True, profile=profile)
    with pytest.raises(LimitReached) as caught:
        await Agent("a", model=model, tools=[add]).generate("go", max_steps=1000, limits=limits)
    assert caught.value.details["limit"] == name


async def test_a_deadline_ends_the_run_whatever_it_waits_for():
    @tool
    async def forever() -> None:
        """Never ends."""
        await asyncio.Event().wait()

    agent = Agent("a", model=scripted(Call("forever")), tools=[forever])
    with pytest.raises(Aborted):
        await agent.generate("go", timeout_s=0.02)


async def test_leaving_the_stream_cancels_the_tools():
    ended = asyncio.Event()

    @tool
    async def forever() -> None:
        """Never ends."""
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with Agent("a", model=scripted(Call("forever")), tools=[forever]).stream("go") as run:
        async for chunk in run:
            if chunk.type == "tool-call":
                break
        await asyncio.sleep(0)
    assert ended.is_set()


async def test_a_tool_that_fails_is_told_and_the_run_goes_on():
    @tool
    async def broken() -> None:
        """Fails."""
        raise ValueError("no such city")

    model = scripted(Call("broken"), "sorry")
    async with Agent("a", model=model, tools=[broken]).stream("go") as run:
        errors = [chunk.payload["error"] async for chunk in run if chunk.type == "tool-error"]
        result = await run.result()
    assert errors[0]["message"] == "no such city"
    assert result.text == "sorry"


async def test_the_next_model_answers_when_the_first_fails_before_it_spoke():
    first, second = scripted(RateLimited("busy")), scripted("hello")
    result = await Agent("a", model=[first, {"model": second, "max_retries": 0}]).generate("go")
    assert result.text == "hello"
    both_down = Agent("a", model=[scripted(RateLimited("busy")), scripted(RateLimited("busy too"))])
    with pytest.raises(RateLimited, match="busy too"):
        await both_down.generate("go")


async def test_a_model_that_broke_while_speaking_is_not_replaced():
    first = scripted(Answer(text="half an answer", fail=ModelError("cut"), fail_after=3))
    with pytest.raises(ModelError, match="cut"):
        await Agent("a", model=[first, scripted("other")]).generate("go")


async def test_every_field_may_depend_on_the_request():
    async def tools(context):
        return [add] if context["admin"] else []

    model = ScriptedModel([lambda request: f"{request.messages[0].text} {len(request.tools)}"], per_run=True)
    agent = Agent("a", instructions=lambda context: f"Speak {context['lang']}", model=lambda _: model, tools=tools)
    first = await agent.generate("hi", request_context={"lang": "no", "admin": True})
    second = await agent.generate("hi", request_context=RequestContext({"lang": "de", "admin": False}))
    assert (first.text, second.text) == ("Speak no 1", "Speak de 0")


async def test_a_request_context_is_checked_against_its_schema():
    agent = Agent("a", model=scripted("x"), request_context_schema={"tenant": str})
    with pytest.raises(InvalidInput, match="tenant"):
        await agent.generate("hi", request_context={"tenant": 3})


async def test_tools_receive_their_dependencies_and_ids():
    seen = []

    @tool
    async def look(context: ToolContext[dict]) -> None:
        """Look."""
        seen.append((context.deps, context.thread_id, context.resource_id, context.tool_name, len(context.messages)))

    agent = Agent("a", model=scripted(Call("look"), "ok"), tools=[look])
    await agent.generate("hi", deps={"db": 1}, thread="t", resource="u")
    assert seen == [({"db": 1}, "t", "u", "look", 1)]


async def test_a_blocking_tool_leaves_the_loop_free():
    here = threading.get_ident()
    seen = []

    @tool
    def blocking() -> int:
        """Blocks."""
        seen.append(threading.get_ident())
        return 1

    await Agent("a", model=scripted(Call("blocking"), "ok"), tools=[blocking]).generate("hi")
    assert seen != [here]


async def test_a_client_tool_ends_the_run_with_its_call_and_its_result_goes_on():
    model = scripted(Call("locate", {"x": 1}, "c9"), "Oslo")
    client = {"locate": {"description": "Where", "inputSchema": {"type": "object"}}}
    first = await Agent("a", model=model).generate("where?", client_tools=client)
    assert first.finish_reason == "tool-calls"
    result = {"type": "tool-result", "toolCallId": "c9", "toolName": "locate", "result": "60N"}
    history = [*first.messages, {"role": "tool", "content": [result]}]
    second = await Agent("a", model=model).generate(history, client_tools=client)
    assert second.text == "Oslo"
    assert model.requests[1].messages[-1].parts[0].output == "60N"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_step": 3}, "max_steps"),
        ({"max_steps": 0}, "at least 1"),
        ({"run_id": "a b"}, "run id"),
        ({"model_settings": {"temprature": 1}}, "temperature"),
        ({"tool_choice": 3}, "tool choice"),
        ({"thread": "x y"}, "thread id"),
        ({"stop_when": "ad"}, "stop_when"),
        ({"stop_when": [len, "ad"]}, "stop_when"),
        ({"memory_options": {"last_messages": 2}, "thread": "t"}, "no memory"),
        ({"durable": 1}, "durable"),
    ],
)
async def test_a_wrong_option_is_named(options, message):
    with pytest.raises((InvalidInput, ValueError), match=message):
        await Agent("a", model=scripted("x")).generate("hi", **options)


@pytest.mark.parametrize("given", [[], 3, [3], {"role": "wizard", "content": "x"}, {"role": "user"}])
async def test_a_wrong_message_is_refused(given):
    with pytest.raises(InvalidInput):
        await Agent("a", model=scripted("x")).generate(given)


def test_an_agent_that_cannot_work_is_refused_at_declaration():
    with pytest.raises(BadDefinition):
        Agent("a", model="")
    with pytest.raises(BadDefinition):
        Agent("a", model="scripted/x", tools=[add, add.but(description="again")])
    with pytest.raises(BadDefinition):
        Agent("a", model="scripted/x", tools=[lambda x: x])


async def test_callbacks_are_told_and_their_errors_never_end_a_run():
    told = []

    def on_finish(result):
        told.append(result.text)
        raise RuntimeError("broken callback")

    agent = Agent("a", model=scripted("ok"))
    await agent.generate("hi", on_finish=on_finish, on_chunk=lambda chunk: told.append(chunk.type))
    await agent.services.background.settle()
    assert told[0] == "start"
    assert told[-1] == "ok"


async def test_a_thousand_runs_on_one_agent_do_not_disturb_each_other():
    model = ScriptedModel([lambda request: request.messages[-1].parts[0].text.upper()], per_run=True)
    agent = Agent("a", model=model)
    results = await asyncio.gather(*(agent.generate(f"run {n}") for n in range(1000)))
    assert [result.text for result in results] == [f"RUN {n}" for n in range(1000)]


async def test_stop_conditions_and_prepare_step_steer_the_loop():
    model = ScriptedModel([Call("add", {"a": 1, "b": 1})], per_run=True)
    agent = Agent("a", model=model, tools=[add])
    stopped = await agent.generate("go", stop_when=lambda steps: len(steps) == 2)
    assert len(stopped.steps) == 2
    model = scripted(Call("add", {"a": 1, "b": 1}), "done")
    await Agent("a", model=model, tools=[add]).generate(
        "go", prepare_step=lambda run, number: {"tool_choice": "none", "system": "Now answer."} if number else None
    )
    assert model.requests[1].tool_choice == "none"
    assert model.requests[1].messages[0].text == "Now answer."


async def test_a_detached_run_is_observed_from_an_offset_after_its_reader_left():
    gate = asyncio.Event()

    @tool
    async def wait() -> int:
        """Waits."""
        await gate.wait()
        return 1

    agent = Agent("a", model=scripted(Call("wait"), "done"), tools=[wait])
    async with agent.stream("go", run_id="r1", detached=True) as run:
        async for chunk in run:
            if chunk.type == "tool-call":
                break
    gate.set()
    log = agent.services.runs.get("r1")
    kinds = [seen.chunk.type async for seen in log.observe(3)]
    assert kinds[-1] == "finish"
    assert "tool-result" in kinds


async def test_usage_and_cost_add_up():
    model = ScriptedModel(
        [Answer(calls=(Call("add", {"a": 1, "b": 1}),), usage=Usage(10, 5)), Answer(text="ok", usage=Usage(20, 1))],
        profile=ModelProfile(input_price=1.0, output_price=2.0),
    )
    result = await Agent("a", model=model, tools=[add]).generate("hi")
    assert (result.usage.input_tokens, result.usage.output_tokens) == (30, 6)
    assert result.cost == pytest.approx((30 * 1 + 6 * 2) / 1e6)


def test_types_are_the_public_ones():
    assert isinstance(add, Tool)
    assert isinstance(create_tool("x", description="", execute=lambda a: a), Tool)
    assert Chunk("a", {}).path == ()
    assert Message.__name__ == "Message"


async def test_a_tool_that_ignores_its_cancellation_is_named(caplog):
    begun = asyncio.Event()

    @tool
    async def stubborn() -> str:
        """Goes on."""
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "too late"

    async with Agent("a", model=scripted(Call("stubborn")), tools=[stubborn]).stream("go", run_id="r9"):
        await begun.wait()
    assert "tool stubborn of run r9 ignored its cancellation" in caplog.text


async def test_ten_thousand_runs_leave_nothing_behind():
    agent = Agent("a", model=ScriptedModel(["ok"], per_run=True))
    for _ in range(200):
        await agent.generate("hi")
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(2000):
        await agent.generate("hi")
    gc.collect()
    assert len(gc.get_objects()) - before < 200


@pytest.mark.parametrize(
    "wrong",
    [{"tools": 5}, {"memory": "sqlite:///x.db"}, {"input_processors": 5}, {"output_processors": "regex"},
     {"agents": ["writer"]}, {"workflows": {"w": 5}}, {"scorers": 5}, {"limits": {"tokens": 5}}, {"goal": "openai/x"},
     {"voice": 5}],
)  # fmt: skip
def test_a_field_that_cannot_be_is_refused_where_it_is_declared(wrong):
    with pytest.raises(BadDefinition):
        Agent("a", **{"model": "scripted/x", **wrong})


@pytest.mark.parametrize(
    "wrong",
    [{"limits": {"tokens": 5}}, {"hooks": 5}, {"stop_when": 5}, {"scorers": 5}, {"request_context": 5},
     {"on_chunk": 5}, {"on_finish": "print"}, {"toolsets": 5}, {"client_tools": ["x"]}, {"active_tools": "search"},
     {"memory_options": 5}, {"input_processors": 5}, {"prepare_step": {}}],
)  # fmt: skip
async def test_an_option_of_the_wrong_kind_is_refused_before_the_model_is_asked(wrong):
    model = ScriptedModel(["x"])
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        await Agent("a", model=model).generate("x", **wrong)
    assert model.requests == []


@pytest.mark.parametrize(
    "nothing", ["", "  \n", [""], [{"role": "user", "content": ""}], [{"role": "user", "parts": []}]]
)
async def test_a_message_that_says_nothing_is_refused_before_a_model_is_asked(nothing):
    model = ScriptedModel(["x"])
    with pytest.raises(InvalidInput, match="empty"):
        await Agent("a", model=model).generate(nothing)
    assert model.requests == []


async def test_a_tool_that_was_not_offered_in_a_step_is_not_run():
    ran = []

    @tool
    async def pay(amount: int) -> str:
        """Pays."""
        ran.append(amount)
        return "paid"

    @tool
    async def look() -> str:
        """Looks."""
        return "seen"

    model = ScriptedModel([Call("pay", {"amount": 5}), "Well then."])
    agent = Agent("a", model=model, tools=[pay, look])
    result = await agent.generate("go", prepare_step=lambda run, number: {"active_tools": ["look"]})
    assert ran == []
    assert result.text == "Well then."
