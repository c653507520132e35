"""Goals: judged after every answer, kept over runs and processes, and never in the way of an answer."""

from __future__ import annotations

import asyncio

import pytest

from mastra import Agent, Mastra, Memory
from mastra.agents.goals import Goal, Verdict
from mastra.errors import AccessDenied, BadDefinition, InvalidInput, NotFound
from mastra.providers.scripted import Answer, ScriptedModel


def says_done(run, step, objective):
    return "done" in step.text, f"{objective} is missing"


def made(*script, judge=says_done, **goal):
    model = ScriptedModel(list(script))
    return model, Agent("a", model=model, memory=Memory(), goal=Goal(judge=judge, **goal))


async def watched(agent, **options):
    async with agent.stream("go", thread="t", resource="u", **options) as run:
        seen = [chunk.payload async for chunk in run if chunk.type == "goal"]
        return await run.result(), seen


async def test_the_model_goes_on_until_the_objective_is_reached():
    model, agent = made("first", "second", "done", "more")
    await agent.objectives.set("t", "a report", resource="u")
    result, judged = await watched(agent)
    assert result.text == "done"
    assert [(one["iteration"], one["passed"], one["status"]) for one in judged] == [
        (1, False, "active"), (2, False, "active"), (3, True, "done"),
    ]  # fmt: skip
    assert model.requests[0].messages[0].text == "The objective of this conversation: a report"
    assert model.requests[1].messages[-1].parts[0].text == "The objective is not reached yet. a report is missing"
    kept = await agent.objectives.get("t", resource="u")
    assert (kept["status"], kept["runsUsed"]) == ("done", 3)
    _, judged = await watched(agent)
    assert judged == []


async def test_an_objective_outlives_the_run_and_pauses_when_it_was_judged_often_enough():
    _, agent = made(*["no"] * 9, max_runs=4)
    await agent.objectives.set("t", "peace", resource="u")
    _, first = await watched(agent, max_steps=3)
    assert [one["shouldContinue"] for one in first] == [True, True, False]
    assert (await agent.objectives.get("t"))["status"] == "active"
    _, second = await watched(agent)
    assert [(one["iteration"], one["maxRunsReached"], one["status"]) for one in second] == [(4, True, "paused")]
    assert (await agent.objectives.update("t", status="active", max_runs=5))["status"] == "active"
    _, third = await watched(agent)
    assert [one["iteration"] for one in third] == [5]


async def test_a_model_judges_and_is_paid_from_the_run():
    answers = [
        '{"done": false, "waiting": false, "reason": "No sources."}',
        '{"done": true, "waiting": false, "reason": ""}',
    ]
    judge = ScriptedModel(answers)
    model, agent = made("no sources", "with sources", judge=judge)
    await agent.objectives.set("t", "an essay")
    result, judged = await watched(agent)
    assert [one["reason"] for one in judged] == ["No sources.", ""]
    assert "an essay" in judge.requests[0].messages[-1].parts[0].text
    assert "assistant: no sources" in judge.requests[0].messages[-1].parts[0].text
    assert result.usage.total_tokens > sum(step.usage.total_tokens for step in result.steps)
    assert len(model.requests) == 2


async def test_who_waits_for_the_person_ends_the_run_and_keeps_the_objective():
    model, agent = made("Which colour?", judge=lambda run, step, objective: Verdict(False, "asks", waiting=True))
    await agent.objectives.set("t", "paint it")
    result, judged = await watched(agent)
    assert result.text == "Which colour?"
    assert (judged[0]["waitingForUser"], judged[0]["status"], judged[0]["shouldContinue"]) == (True, "active", False)
    assert len(model.requests) == 1


async def breaks(run, step, objective):
    raise RuntimeError("out of order")


async def sleeps(run, step, objective):
    await asyncio.sleep(60)


@pytest.mark.parametrize(("judge", "late"), [(breaks, False), (sleeps, True), (ScriptedModel(["no JSON"]), False)])
async def test_a_judge_that_fails_takes_no_answer_away(judge, late):
    _, agent = made("an answer", judge=judge, timeout_s=0.05 if late else 30)
    await agent.objectives.set("t", "x")
    result, judged = await watched(agent)
    assert result.text == "an answer"
    assert (judged[0]["judgeFailed"], judged[0]["timedOut"], judged[0]["status"]) == (True, late, "active")


async def test_what_its_owner_does_meanwhile_counts():
    async def clears(run, step, objective):
        await run.agent.objectives.clear("t")
        return False

    model, agent = made("an answer", judge=clears)
    await agent.objectives.set("t", "x")
    result, judged = await watched(agent)
    assert (result.text, judged) == ("an answer", [])
    assert len(model.requests) == 1
    assert await agent.objectives.get("t") is None
    assert await agent.objectives.clear("t") is False


async def test_another_process_works_for_the_same_objective(tmp_path):
    url = f"sqlite:///{tmp_path}/app.db"
    _, agent = made("unused")
    async with Mastra(agents=[agent], storage=url):
        await agent.objectives.set("t", "it is done", resource="u")
    _, other = made("no", "done")
    async with Mastra(agents=[other], storage=url):
        result, judged = await watched(other)
    assert result.text == "done"
    assert [one["status"] for one in judged] == ["active", "done"]


async def test_other_threads_and_other_people_have_nothing_to_do_with_it():
    model, agent = made(*["x"] * 3)
    await agent.objectives.set("t", "mine", resource="somebody else")
    assert (await watched(agent))[1] == []
    await agent.generate("hi")
    assert "mine" not in str(model.requests)
    for call in (agent.objectives.get, agent.objectives.clear, agent.objectives.update):
        with pytest.raises(AccessDenied):
            await call("t", resource="u")
    with pytest.raises(AccessDenied):
        await agent.objectives.set("t", "x", resource="u")


@pytest.mark.parametrize("wrong", [{"judge": ""}, {"judge": None}, {"judge": says_done, "timeout_s": 0}])
def test_a_goal_that_cannot_be_judged_is_refused(wrong):
    with pytest.raises(BadDefinition):
        Goal(**wrong)


async def test_what_cannot_be_is_refused():
    _, agent = made(Answer(text="x"))
    for text in ("", " ", "x" * 9000, None):
        with pytest.raises(InvalidInput):
            await agent.objectives.set("t", text)
    for wrong in ({"max_runs": 0}, {"max_runs": True}, {"status": "asleep"}):
        with pytest.raises((InvalidInput, NotFound)):
            await agent.objectives.update("t", **wrong)
    with pytest.raises(NotFound):
        await agent.objectives.update("t", status="paused")
    with pytest.raises(BadDefinition, match="no goal"):
        _ = Agent("b", model="scripted/x").objectives
