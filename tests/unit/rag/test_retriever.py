from __future__ import annotations

import pytest

from mastra.errors import InvalidInput
from mastra.ports.reranker import Ranked, Reranker
from mastra.rag.chunk import ChunkOptions
from mastra.rag.document import Document
from mastra.rag.retriever import Retriever
from mastra.registry import open_url
from mastra.runtime.models import resolve_embedder


@pytest.fixture
def retriever() -> Retriever:
    return make()


def make(reranker: Reranker | None = None) -> Retriever:
    vectors = open_url("mastra.vectors", "memory:")
    chunks = ChunkOptions(size=60, overlap=0)
    return Retriever(vectors, resolve_embedder("lexical/512"), chunks=chunks, reranker=reranker)


CATS = Document("Cats sleep most of the day. They hunt mice at night.", id="cats", metadata={"kind": "animal"})
SHIPS = Document("Ships cross the ocean. A harbour shelters ships from storms.", id="ships", metadata={"kind": "thing"})


async def test_the_passage_that_answers_comes_first(retriever: Retriever) -> None:
    assert await retriever.add([CATS, SHIPS]) >= 2
    best, *_ = await retriever.retrieve("Where do ships find shelter from storms?", k=2)
    assert "harbour" in best.text
    assert best.metadata["document_id"] == "ships"
    assert best.id.startswith("ships:")


async def test_nothing_is_found_before_anything_is_added(retriever: Retriever) -> None:
    assert await retriever.retrieve("ships") == []
    assert await retriever.remove("ships") == 0


async def test_a_filter_narrows_the_search(retriever: Retriever) -> None:
    await retriever.add([CATS, SHIPS])
    found = await retriever.retrieve("ships", where={"kind": "animal"})
    assert {passage.metadata["document_id"] for passage in found} == {"cats"}


async def test_a_weak_match_can_be_left_out(retriever: Retriever) -> None:
    await retriever.add([CATS, SHIPS])
    strong = await retriever.retrieve("ships harbour storms", min_score=0.3)
    assert {passage.metadata["document_id"] for passage in strong} == {"ships"}


async def test_a_document_added_again_replaces_the_old_one(retriever: Retriever) -> None:
    long = Document("\n\n".join(f"Paragraph number {n} speaks of old things at length." for n in range(300)), id="doc")
    count = await retriever.add([long])
    assert count == 300
    await retriever.add([Document("Only new words.", id="doc")])
    found = await retriever.retrieve("paragraph speaks of old things", k=50)
    assert [passage.text for passage in found] == ["Only new words."]
    assert await retriever.remove("doc") == 1
    assert await retriever.retrieve("new words") == []


async def test_an_empty_document_adds_nothing(retriever: Retriever) -> None:
    assert await retriever.add([Document("", id="empty"), Document("  \n ", id="blank")]) == 0


@pytest.mark.parametrize(("query", "k"), [("", 1), ("  ", 1), ("x", 0)])
async def test_a_question_that_cannot_be_is_refused(retriever: Retriever, query: str, k: int) -> None:
    with pytest.raises(InvalidInput):
        await retriever.retrieve(query, k=k)


class Shortest(Reranker):
    """Prefers short passages, to see that its order wins."""

    provider, model_id = "test", "shortest"

    async def rerank(self, query: str, documents: list[str], *, top: int | None = None) -> list[Ranked]:
        del query
        order = sorted(range(len(documents)), key=lambda at: len(documents[at]))
        return [Ranked(at, 1.0 / (1 + len(documents[at]))) for at in order[:top]]


async def test_a_reranker_has_the_last_word() -> None:
    retriever = make(Shortest())
    await retriever.add([CATS, SHIPS, Document("Mice.", id="mice")])
    found = await retriever.retrieve("ships", k=2)
    assert found[0].text == "Mice."
    assert len(found) == 2
