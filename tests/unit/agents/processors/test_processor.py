from typing import Any

import pytest

from mastra import Agent, Processor
from mastra.agents.processors.processor import ProcessorContext, overrides
from mastra.errors import Tripwire
from mastra.providers.scripted import ScriptedModel


async def a_context(processor, **options) -> ProcessorContext:
    return ProcessorContext(await Agent("a", model=ScriptedModel(["x"])).begin("hi", options), processor)


async def test_a_processor_that_overrides_nothing_changes_nothing():
    plain = Processor("plain")
    context = await a_context(plain)
    thing: Any = object()
    assert await plain.process_input([thing], context) == [thing]
    assert await plain.process_output_stream(thing, context) is thing
    assert await plain.process_output_result([thing], context) == [thing]
    assert await plain.process_error(ValueError(), context) is False
    assert not any(overrides(plain, name) for name in vars(Processor) if name.startswith("process_"))


async def test_state_belongs_to_the_run_and_to_the_processor():
    one, other = Processor("one"), Processor("other")
    context = await a_context(one)
    context.state["n"] = 1
    assert ProcessorContext(context.run, one).state == {"n": 1}
    assert ProcessorContext(context.run, other).state == {}
    assert (await a_context(one)).state == {}


async def test_an_abort_says_who_and_why():
    context = await a_context(Processor("guard"), request_context={"tenant": "x"})
    with pytest.raises(Tripwire, match="no") as blocked:
        context.abort("no", retry=True, metadata={"score": 1})
    told = {"processorId": "guard", "metadata": {"score": 1}, "retry": True, "run_id": context.run.run_id}
    assert blocked.value.details == told
    assert (context.request_context.get("tenant"), context.retries) == ("x", 0)


def test_a_processor_is_called_by_its_id_or_its_class():
    class Mine(Processor):
        pass

    assert (Mine().id, Mine("own").id) == ("Mine", "own")
