from typing import Any

import pytest

from mastra import Agent
from mastra.evals.scorer import create_scorer
from mastra.providers.scripted import ScriptedModel
from mastra.runtime.services import Services


async def scored(scorers, **known):
    services = Services(scorers=known)
    agent = Agent("a", instructions="Be kind.", model=ScriptedModel(["hello"]), scorers=scorers).bind(services)
    await agent.generate("hi", thread="t", resource="u")
    await services.background.settle()


def noting(seen, name="kind"):
    return create_scorer(name).generate_score(lambda run: seen.append(run) or 1.0)


async def test_a_scorer_is_shown_the_whole_run():
    seen = []
    await scored([noting(seen)])
    assert seen[0].input["systemMessages"] == ["Be kind."]
    assert seen[0].input["inputMessages"][0]["role"] == "user"
    assert seen[0].output[0]["role"] == "assistant"


@pytest.mark.parametrize(
    ("sampling", "times"),
    [(None, 1), (0, 0), (1.1, 1), ({"type": "none"}, 0), ({"type": "ratio", "rate": 0}, 0), ({"type": "ratio"}, 1)],
)
async def test_sampling_chooses_the_runs(sampling, times):
    seen = []
    await scored({"kind": {"scorer": noting(seen), "sampling": sampling}})
    assert len(seen) == times


async def test_a_registered_scorer_is_found_by_its_name():
    seen = []
    await scored({"kind": {"scorer": "kind"}}, kind=noting(seen))
    assert len(seen) == 1


async def test_an_unknown_name_and_a_broken_scorer_are_logged_and_the_others_still_judge(caplog):
    seen = []

    def broken(run):
        raise KeyError("lost")

    entries = {"kin": {"scorer": "kin"}, "broken": create_scorer("broken").generate_score(broken), "k": noting(seen)}
    await scored(entries, kind=noting([]))
    assert len(seen) == 1
    assert "'kin'" in caplog.text
    assert "scorer broken" in caplog.text


async def test_who_scores_by_himself_is_given_what_a_scorer_is_given():
    seen = []
    scorer = create_scorer("s").generate_score(lambda run: seen.append((run.input, run.output)) or 1)
    agent = Agent("a", instructions="Be kind.", model=ScriptedModel(["Hello."]), scorers=[scorer])
    result = await agent.generate("Hi", return_scorer_data=True)
    await agent.services.background.settle()
    data: Any = result.scoring_data
    assert (data["input"], data["output"]) == seen[0]
    assert result.to_wire()["scoringData"]["input"]["systemMessages"] == ["Be kind."]
    plain = await Agent("a", model=ScriptedModel(["Hello."])).generate("Hi")
    assert plain.scoring_data is None
    assert "scoringData" not in plain.to_wire()
