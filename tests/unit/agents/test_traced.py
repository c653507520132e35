import pytest

from mastra import Agent, tool
from mastra.errors import InvalidInput
from mastra.providers.scripted import Call, ScriptedModel
from mastra.runtime.services import Services
from mastra.runtime.tracing import Tracer

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@tool
async def add(a: int, b: int) -> int:
    """Add."""
    return a + b


async def spans_of(**options):
    spans = []
    model = ScriptedModel([Call("add", {"a": 40, "b": 2}), "secret answer"])
    agent = Agent("a", model=model, tools=[add]).bind(Services(tracer=Tracer(spans.append)))
    result = await agent.generate("secret question", request_context={"plan": "gold", "key": "k"}, **options)
    return {one.type: one for one in spans}, result


async def test_a_run_its_models_and_its_tools_have_spans():
    spans, result = await spans_of()
    assert spans["agent_run"].name == "agent run: 'a'"
    assert spans["tool_call"].output == 42
    assert spans["model_generation"].output["text"] == "secret answer"
    assert {one.trace_id for one in spans.values()} == {result.trace_id}


async def test_what_is_hidden_stands_in_no_span():
    spans, _ = await spans_of(tracing_options={"hideInput": True, "hideOutput": True})
    for one in spans.values():
        assert (one.input, one.output) == (None, None)


async def test_the_caller_names_the_root_the_trace_and_what_is_told_of_the_request():
    told = {"rootSpanName": "order", "traceId": TRACE, "parentSpanId": SPAN, "requestContextKeys": ["plan", "none"],
            "metadata": {"shop": 7}, "tags": ["x"]}  # fmt: skip
    spans, result = await spans_of(tracing_options=told)
    root = spans["agent_run"]
    assert (root.name, root.trace_id, root.parent_span_id) == ("order", TRACE, SPAN)
    assert (root.metadata, root.tags) == ({"plan": "gold", "shop": 7}, ("x",))
    assert result.trace_id == TRACE


async def test_a_trace_without_a_span_is_gone_on_with_at_its_root():
    spans, _ = await spans_of(tracing_options={"trace_id": TRACE})
    assert (spans["agent_run"].trace_id, spans["agent_run"].parent_span_id) == (TRACE, None)


@pytest.mark.parametrize("wrong", [{"traceId": "1"}, {"traceId": "0" * 32}, {"parentSpanId": SPAN}])
async def test_ids_that_are_none_are_refused(wrong):
    with pytest.raises(InvalidInput):
        await spans_of(tracing_options=wrong)
