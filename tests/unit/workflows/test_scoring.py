"""Scorers of a step judge its results in the background."""

from mastra import Workflow, step
from mastra.evals.scorer import create_scorer
from mastra.evals.scores import ScoreRepo
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage


async def test_a_step_is_scored_and_the_score_is_stored():
    length = create_scorer(id="length", description="How long").generate_score(lambda run: len(run.output) / 10)

    @step(scorers=[length])
    def shout(text: str) -> str:
        return text.upper()

    storage = MemoryStorage()
    services = Services(storage=storage)
    flow = Workflow("scored", durable=False).then(shout).commit()
    flow.bind(services)
    result = await (await flow.create_run("r1")).start("hi")
    await services.background.settle()
    page = await ScoreRepo(storage, services).list()
    scores = page["scores"]
    assert result.result == "HI"
    assert [(one["scorerId"], one["score"], one["runId"]) for one in scores] == [("length", 0.2, "r1")]
