from typing import Any

import pytest

from mastra import Agent, Mastra, Processor, Workflow, step
from mastra.agents.processors.workflow import WorkflowProcessor
from mastra.errors import BadDefinition, RunError, Tripwire
from mastra.providers.scripted import ScriptedModel, echo


@step
def no_shouting(given: dict) -> dict:
    if any(part["text"].isupper() for one in given["messages"] for part in one["content"]["parts"]):
        raise Tripwire("Please do not shout.", details={"metadata": {"loud": True}})
    return given


@step
def polite(given: dict) -> dict:
    for one in given["messages"]:
        for part in one["content"]["parts"]:
            part["text"] = part["text"].replace("damn", "dear")
    return {"messages": given["messages"]}


@step
def broken(given: dict) -> dict:
    raise ValueError("the service is away")


@step
def waiting(given: dict, ctx) -> dict:
    return ctx.suspend({"ask": "somebody"})


def guard(*steps, id="guard"):
    flow = Workflow(id, input=dict)
    for one in steps:
        flow = flow.then(one)
    return flow.commit()


async def test_a_workflow_changes_what_is_said():
    agent = Agent("a", model=ScriptedModel([echo]), input_processors=[guard(no_shouting, polite)])
    assert (await agent.generate("oh damn")).text == "oh dear"


async def test_a_step_blocks_the_run_before_the_model_is_asked():
    model = ScriptedModel([])
    result = await Agent("a", model=model, input_processors=[guard(no_shouting)]).generate("HELLO")
    assert result.tripwire == {"reason": "Please do not shout.", "metadata": {"loud": True}, "processorId": "guard"}
    assert model.requests == []


async def test_guards_side_by_side_block_when_one_of_them_does():
    both = Workflow("both", input=dict).parallel([no_shouting, polite]).commit()
    agent = Agent("a", model=ScriptedModel(["fine"]), input_processors=[both])
    assert (await agent.generate("hello")).text == "fine"
    assert (await agent.generate("HELLO")).finish_reason == "tripwire"


async def test_an_answer_is_changed_before_it_is_recorded():
    agent = Agent("a", model=ScriptedModel(["damn it"]), output_processors=[guard(polite)])
    result = await agent.generate("hi")
    assert result.messages[-1].text == "dear it"


@pytest.mark.parametrize("one", [broken, waiting])
async def test_a_guard_that_gives_no_answer_ends_the_run(one):
    model = ScriptedModel([])
    agent = Agent("a", model=model, input_processors=[guard(one)])
    with pytest.raises(RunError, match="guard"):
        await agent.generate("hi")
    assert model.requests == []


async def test_a_phase_that_is_not_wanted_costs_no_run():
    only = WorkflowProcessor(guard(broken), phases=("outputResult",))
    agent = Agent("a", model=ScriptedModel(["hello"]), input_processors=[only])
    assert (await agent.generate("hi")).text == "hello"
    wrong: Any = ("sometimes",)
    with pytest.raises(BadDefinition):
        WorkflowProcessor(guard(polite), phases=wrong)


async def test_its_runs_are_kept_where_those_of_other_workflows_are():
    flow = guard(polite)
    agent = Agent("a", model=ScriptedModel(["ok"]), input_processors=[flow])
    async with Mastra(agents=[agent]) as app:
        await agent.generate("hi", resource="ann")
        assert flow.services is app.services


async def test_the_options_of_a_run_take_workflows_too():
    agent = Agent("a", model=ScriptedModel(["ok"]))
    assert (await agent.generate("HI", input_processors=[guard(no_shouting)])).finish_reason == "tripwire"


async def test_what_is_no_processor_is_refused():
    class Own:
        id = "own"

        async def process_input(self, messages, context):
            return messages

    assert (
        await Agent("a", model=ScriptedModel(["ok"]), input_processors=[Own(), Processor("none")]).generate("hi")
    ).text
    with pytest.raises(BadDefinition, match="no processor"):
        await Agent("a", model=ScriptedModel(["ok"]), input_processors=["pii"]).generate("hi")
