import asyncio

import pytest

from mastra import Agent
from mastra.agents.completion import read_completion
from mastra.errors import InvalidInput
from mastra.evals.scorer import create_scorer
from mastra.providers.scripted import ScriptedModel


def says_done(run, step):
    return "done" in step.text, "it does not say done"


def is_short(run, step):
    return len(step.text) < 9


async def chunks_of(model, **options):
    async with Agent("a", model=model).stream("go", **options) as run:
        seen = [chunk async for chunk in run]
        return await run.result(), [chunk.payload for chunk in seen if chunk.type == "is-task-complete"]


async def test_the_model_goes_on_with_the_reason_until_the_check_passes():
    model = ScriptedModel(["first", "done"])
    result, checks = await chunks_of(model, is_task_complete=says_done)
    assert result.text == "done"
    assert model.requests[1].messages[-1].parts[0].text == "The task is not complete yet. it does not say done"
    assert [(one["iteration"], one["passed"]) for one in checks] == [(1, False), (2, True)]
    assert checks[0]["results"][0]["scorerId"] == "says_done"


async def test_max_steps_ends_a_task_that_never_completes():
    model = ScriptedModel(["no"], per_run=True)
    result, checks = await chunks_of(model, is_task_complete=says_done, max_steps=3)
    assert (len(result.steps), result.finish_reason) == (3, "stop")
    assert [one["maxIterationReached"] for one in checks] == [False, False, True]


@pytest.mark.parametrize(("strategy", "calls"), [("all", 2), ("any", 1)])
async def test_the_strategy_says_how_many_checks_must_pass(strategy, calls):
    model = ScriptedModel(["short", "is done"])
    checks = {"scorers": [says_done, is_short], "strategy": strategy}
    await Agent("a", model=model).generate("go", is_task_complete=checks)
    assert len(model.requests) == calls


async def test_a_scorer_passes_with_a_score_of_one():
    scorer = create_scorer("half").generate_score(lambda run: 1.0 if "done" in run.output_text else 0.5)
    model = ScriptedModel(["half way", "done"])
    result, checks = await chunks_of(model, is_task_complete=[scorer])
    assert result.text == "done"
    assert [one["results"][0]["score"] for one in checks] == [0.5, 1.0]


async def test_a_check_that_fails_is_a_check_that_did_not_pass():
    def broken(run, step):
        raise KeyError("lost")

    model = ScriptedModel(["one"], per_run=True)
    result, checks = await chunks_of(model, is_task_complete=broken, max_steps=2)
    assert (result.text, len(result.steps)) == ("one", 2)
    assert "lost" in checks[0]["reason"]


async def test_a_check_that_takes_too_long_keeps_what_the_others_said():
    async def slow(run, step):
        await asyncio.Event().wait()

    checks = {"scorers": [is_short, slow], "timeout_s": 0.01}
    _, seen = await chunks_of(ScriptedModel(["x"]), is_task_complete=checks, max_steps=1)
    assert (seen[0]["timedOut"], seen[0]["passed"]) == (True, False)
    assert [one["scorerId"] for one in seen[0]["results"]] == ["is_short"]


@pytest.mark.parametrize(
    "given",
    [[], {}, {"scorers": []}, {"scorers": [3]}, "scorer", {"scorers": says_done, "strategy": "most"}, {"scorer": 1}],
)
async def test_checks_that_cannot_be_made_are_refused_before_the_model_is_asked(given):
    model = ScriptedModel(["x"])
    with pytest.raises(InvalidInput):
        await Agent("a", model=model).generate("go", is_task_complete=given)
    assert model.requests == []


def test_one_check_and_a_list_of_them_read_the_same():
    assert read_completion(is_short) == read_completion([is_short]) == read_completion({"scorers": is_short})


@pytest.mark.parametrize("said", ["Longer.", {"feedback": "Longer."}])
async def test_feedback_after_an_iteration_sends_the_model_on(said):
    answers = iter([said, None])
    model = ScriptedModel(["a", "b"])
    result = await Agent("a", model=model).generate("go", on_iteration_complete=lambda run, step: next(answers))
    assert result.text == "b"
    assert model.requests[1].messages[-1].parts[0].text == "Longer."


async def test_an_iteration_that_says_stop_wins_over_the_checks():
    async def stop(run, step):
        return {"continue": False, "feedback": "unheard"}

    model = ScriptedModel(["a"])
    await Agent("a", model=model).generate("go", on_iteration_complete=stop, is_task_complete=says_done)
    assert len(model.requests) == 1
