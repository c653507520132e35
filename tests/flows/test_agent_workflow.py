"""A workflow that an agent called waits for a person: the agent's run waits with it, and both go on together."""

import pytest

from mastra import Agent, StepContext, Workflow, step
from mastra.errors import ApprovalInvalid
from mastra.providers.scripted import Call, ScriptedModel
from mastra.registry import open_url
from mastra.runtime.services import Services


def office(ran, doors):
    """A workflow whose steps note what ran; it asks at each of its doors."""

    @step
    async def prepare(visit: dict[str, str]) -> str:
        ran.append("prepare")
        return visit["name"]

    made = Workflow("visit", description="Lets a visitor in.", input={"name": str}).then(prepare)
    for number in range(doors):

        @step(id=f"ask{number}", resume={"answer": str})
        async def ask(name: str, context: StepContext) -> str:
            if context.resume_data is None:
                context.suspend({"question": f"May {name} come in?"})
            ran.append("ask")
            return f"{name}, {context.resume_data['answer']}"

        made = made.then(ask)
    return made.commit()


def desk(ran, *lines, storage=None, doors=1):
    agent = Agent("desk", model=ScriptedModel(list(lines)), workflows={"visit": office(ran, doors)})
    services = Services() if storage is None else Services(storage=open_url("mastra.storage", storage))
    return agent.bind(services)


VISIT = Call("workflow-visit", {"name": "Ada"}, "c1")


async def test_the_agent_waits_and_goes_on_with_its_workflow():
    ran = []
    agent = desk(ran, VISIT, "Ada is in.")
    first = await agent.generate("Ada is here", run_id="r")
    assert (first.finish_reason, ran) == ("suspended", ["prepare"])
    assert first.suspend_payload["suspendPayload"]["question"] == "May Ada come in?"
    result = await agent.resume({"answer": "yes"}, run_id="r").result()
    assert (result.text, ran) == ("Ada is in.", ["prepare", "ask"])
    assert result.tool_results[0]["result"]["result"] == "Ada, yes"


async def test_each_door_is_answered_in_its_turn():
    ran = []
    agent = desk(ran, VISIT, "Ada is in.", doors=2)
    await agent.generate("Ada is here", run_id="r")
    second = await agent.resume({"answer": "yes"}, run_id="r").result()
    assert second.suspend_payload["suspendPayload"]["question"] == "May Ada, yes come in?"
    result = await agent.resume({"answer": "yes"}, run_id="r").result()
    assert (result.text, ran) == ("Ada is in.", ["prepare", "ask", "ask"])


async def test_a_wrong_answer_is_told_and_the_right_one_still_counts():
    ran = []
    agent = desk(ran, VISIT, "Ada is in.")
    await agent.generate("Ada is here", run_id="r")
    again = await agent.resume({"answer": 3}, run_id="r").result()
    assert again.finish_reason == "suspended"
    assert "answer" in again.suspend_payload["suspendPayload"]["error"]
    assert (await agent.resume({"answer": "yes"}, run_id="r").result()).text == "Ada is in."
    assert ran == ["prepare", "ask"]


async def test_an_answer_given_to_the_workflow_itself_is_found():
    ran = []
    agent = desk(ran, VISIT, "Ada is in.")
    first = await agent.generate("Ada is here", run_id="r")
    waits = first.suspend_payload["suspendPayload"]["subWorkflow"]
    await (await agent.workflows["visit"].get_run(waits["runId"])).resume({"answer": "yes"})
    result = await agent.resume({"answer": "no"}, run_id="r").result()
    assert (result.tool_results[0]["result"]["result"], ran) == ("Ada, yes", ["prepare", "ask"])


async def test_another_process_goes_on_with_both(tmp_path):
    url, ran = f"sqlite:///{tmp_path}/runs.db", []
    before = desk(ran, VISIT, storage=url)
    await before.generate("Ada is here", run_id="r")
    await before.services.storage.close()
    after = desk(ran, "Ada is in.", storage=url)
    result = await after.resume({"answer": "yes"}, run_id="r").result()
    assert (result.text, ran) == ("Ada is in.", ["prepare", "ask"])
    with pytest.raises(ApprovalInvalid):
        await after.resume({"answer": "yes"}, run_id="r").result()
    await after.services.storage.close()


async def test_whoever_watches_sees_the_workflow_on_both_sides_of_the_wait():
    agent = desk([], VISIT, "Ada is in.")
    async with agent.stream("Ada is here", run_id="r") as run:
        first = [chunk.type async for chunk in run]
    assert first[-1] == "tool-call-suspended"
    async with agent.resume({"answer": "yes"}, run_id="r") as run:
        second = [chunk.type async for chunk in run]
    assert "tool-output" in first
    assert second.index("tool-output") < second.index("tool-result") < second.index("finish")


async def test_the_model_sees_the_input_of_the_workflow():
    agent = desk([], "hello")
    await agent.generate("hi")
    spec = agent.model.requests[0].tools[0]
    assert (spec.name, list(spec.parameters["properties"])) == ("workflow-visit", ["name"])


async def test_an_input_that_is_no_object_is_put_under_a_name():
    @step
    async def double(number: int) -> int:
        return number * 2

    workflow = Workflow("double", description="Doubles.", input=int).then(double).commit()
    model = ScriptedModel([Call("workflow-double", {"input": 4}, "c"), "8"])
    result = await Agent("a", model=model, workflows=[workflow]).generate("go")
    assert result.tool_results[0]["result"]["result"] == 8
