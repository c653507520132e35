import pytest

from mastra.errors import BadDefinition, InvalidInput, OutputInvalid
from mastra.evals.scorer import NotScorable, create_scorer, text_of
from mastra.evals.scores import ScoreRepo
from mastra.providers.scripted import ScriptedModel
from mastra.registry import open_url
from mastra.runtime.services import Services


async def test_each_step_sees_what_the_steps_before_brought():
    scorer = (
        create_scorer("length")
        .preprocess(lambda run: run.output_text.split())
        .analyze(lambda run: len(run.preprocessed))
        .generate_score(lambda run: run.analyzed / 10)
        .generate_reason(lambda run: f"{run.analyzed} words make {run.score}")
    )
    result = await scorer.run(input="q", output="one two three", run_id="r")
    assert (result.score, result.reason) == (0.3, "3 words make 0.3")
    assert result.to_wire()["analyzeStepResult"] == 3


async def test_a_judge_answers_in_the_shape_of_its_step():
    judge = ScriptedModel(['{"facts": ["a", "b"]}', '{"score": 0.5}', '{"reason": "half"}'])
    scorer = (
        create_scorer("facts", judge=judge, judge_instructions="You are strict.")
        .analyze(prompt=lambda run: f"List facts of: {run.output_text}", output={"facts": list[str]})
        .generate_score(prompt=lambda run: f"Score {run.analyzed['facts']}")
        .generate_reason(prompt="Say why.")
    )
    result = await scorer.run(output="text")
    assert (result.score, result.reason) == (0.5, "half")
    assert result.prompts["analyze"] == "List facts of: text"
    assert "You are strict." in judge.requests[0].messages[0].text
    judge.check()


async def test_a_judge_that_answers_nonsense_is_an_error_not_a_score():
    scorer = create_scorer("s", judge=ScriptedModel(["no idea"])).generate_score(prompt="?")
    with pytest.raises(OutputInvalid):
        await scorer.run(output="x")


async def test_a_run_with_nothing_to_judge_has_no_score_and_is_not_stored():
    def score(run):
        raise NotScorable("empty")

    scorer = create_scorer("s").generate_score(score)
    assert (await scorer.run(output="")).not_scorable == "empty"
    assert await scorer.score_run(input="", output="", run_id="r", entity={"id": "a"}, entity_type="AGENT") is None


@pytest.mark.parametrize("value", [float("nan"), "high", None])
async def test_a_score_that_is_no_number_is_refused(value):
    with pytest.raises(InvalidInput):
        await create_scorer("s").generate_score(lambda run: value).run(output="x")


def test_a_scorer_is_declared_step_by_step_without_changing_the_one_before():
    first = create_scorer("s").generate_score(lambda run: 1)
    second = first.generate_reason(lambda run: "ok")
    assert [step["name"] for step in first.to_wire()["steps"]] == ["generateScore"]
    assert [step["name"] for step in second.to_wire()["steps"]] == ["generateScore", "generateReason"]
    with pytest.raises(BadDefinition):
        second.generate_score(lambda run: 1)
    with pytest.raises(BadDefinition):
        create_scorer("s").analyze()


async def test_a_live_score_is_stored_and_found_again():
    services = Services(storage=open_url("mastra.storage", "memory:"))
    await services.storage.open()
    scorer = create_scorer("s", description="d").generate_score(lambda run: 1).bind(services)
    row = await scorer.score_run(
        input="q", output="a", run_id="r", entity={"id": "agent"}, entity_type="AGENT", trace_id="t"
    )
    found = await ScoreRepo(services.storage).list(scorer_id="s", entity_id="agent")
    assert found == {"pagination": {"total": 1, "page": 0, "perPage": 10, "hasMore": False}, "scores": [row]}
    assert row["source"] == "LIVE"
    assert (await ScoreRepo(services.storage).list(run_id="other"))["scores"] == []


def test_text_is_found_in_every_shape():
    assert text_of({"inputMessages": [{"content": {"parts": [{"type": "text", "text": "a"}]}}]}) == "a"
    assert text_of(["a", {"text": "b"}]) == "a\nb"
