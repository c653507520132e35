from __future__ import annotations

from pathlib import Path

import pytest

from mastra.errors import InvalidId, InvalidInput, NotFound
from mastra.rag.document import Document


def test_the_same_text_gets_the_same_id() -> None:
    assert Document("a").id == Document("a").id != Document("b").id
    assert Document("a", id="mine").id == "mine"


def test_a_file_brings_its_kind_and_its_source(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("# A\nb")
    document = Document.from_file(path, metadata={"team": "x"})
    assert document.kind == "markdown"
    (chunk,) = document.chunk()
    assert chunk.metadata == {"source": str(path), "team": "x", "headings": ["A"]}


def test_a_text_is_cut_by_what_suits_its_kind() -> None:
    assert [chunk.metadata["path"] for chunk in Document('{"a":1,"b":2}', "json").chunk(size=7)] == ["$", "$"]
    assert len(Document("a b c d", "text").chunk(size=3)) == 2


def test_what_is_no_document_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="Did you mean 'markdown'"):
        Document("a", "markdwn")  # type: ignore[arg-type]  # the refusal is the test
    with pytest.raises(InvalidInput):
        Document(b"a")  # type: ignore[arg-type]  # the refusal is the test
    with pytest.raises(InvalidId):
        Document("a", id="no way")
    with pytest.raises(NotFound):
        Document.from_file(tmp_path / "nothing.txt")
    (tmp_path / "bin").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="UTF-8"):
        Document.from_file(tmp_path / "bin")
    with pytest.raises(InvalidInput, match="not JSON"):
        Document("{", "json").chunk()
