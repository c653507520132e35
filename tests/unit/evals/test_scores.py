import pytest

from mastra.errors import InvalidInput
from mastra.evals.scores import ScoreRepo
from mastra.registry import open_url


@pytest.fixture
async def repo():
    storage = open_url("mastra.storage", "memory:")
    await storage.open()
    yield ScoreRepo(storage)
    await storage.close()


async def test_scores_come_in_pages_newest_first(repo):
    for n in range(5):
        await repo.save({"scorerId": "s", "score": n, "createdAt": f"2026-01-0{n + 1}T00:00:00.000Z"})
    first, last = await repo.list(per_page=2), await repo.list(page=2, per_page=2)
    assert [one["score"] for one in first["scores"]] == [4, 3]
    assert first["pagination"] == {"total": 5, "page": 0, "perPage": 2, "hasMore": True}
    assert [one["score"] for one in last["scores"]] == [0]
    assert last["pagination"]["hasMore"] is False


async def test_a_score_without_a_scorer_or_number_is_refused(repo):
    for bad in ({"score": 1}, {"scorerId": "s", "score": "1"}, {"scorerId": "s", "score": True}):
        with pytest.raises(InvalidInput):
            await repo.save(bad)


async def test_a_saved_score_keeps_its_id(repo):
    row = await repo.save({"id": "x", "scorerId": "s", "score": 1})
    assert await repo.get("x") == row
