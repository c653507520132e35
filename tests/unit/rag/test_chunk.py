from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import InvalidInput
from mastra.rag.chunk import ChunkOptions, cut

TEXTS = st.text(st.sampled_from("ab .,!?\n\n#`\\é。"), max_size=400)


@given(
    TEXTS, st.sampled_from(["recursive", "character", "sentence", "markdown", "latex"]), st.integers(1, 60), st.data()
)
def test_chunks_fit_are_where_they_say_and_lose_nothing(
    text: str, strategy: str, size: int, data: st.DataObject
) -> None:
    overlap = data.draw(st.integers(0, size - 1))
    chunks = cut(text, strategy, ChunkOptions(size=size, overlap=overlap))  # type: ignore[arg-type]  # drawn
    covered = set()
    for chunk in chunks:
        assert 0 < len(chunk.text) <= size
        assert text[chunk.start : chunk.start + len(chunk.text)] == chunk.text
        assert chunk.text == chunk.text.strip()
        covered.update(range(chunk.start, chunk.start + len(chunk.text)))
    assert [chunk.start for chunk in chunks] == sorted(chunk.start for chunk in chunks)
    assert all(text[at].isspace() for at in set(range(len(text))) - covered)


@given(TEXTS, st.integers(2, 40))
def test_the_overlap_is_never_longer_than_asked(text: str, size: int) -> None:
    overlap = size // 3
    chunks = cut(text, "recursive", ChunkOptions(size=size, overlap=overlap))
    for one, two in itertools.pairwise(chunks):
        assert one.start + len(one.text) - two.start <= overlap


def test_chunks_end_where_a_reader_would_stop() -> None:
    text = "First one. Second one.\n\nThird paragraph here."
    chunks = cut(text, "recursive", ChunkOptions(size=24, overlap=0))
    assert [chunk.text for chunk in chunks] == ["First one. Second one.", "Third paragraph here."]


def test_neighbours_share_the_overlap() -> None:
    chunks = cut("one two three four five six", "recursive", ChunkOptions(size=13, overlap=6))
    assert [chunk.text for chunk in chunks] == ["one two three", "three four", "four five six"]


def test_sentences_stay_whole() -> None:
    chunks = cut("Is it? Yes! It is. Really.", "sentence", ChunkOptions(size=12, overlap=0))
    assert [chunk.text for chunk in chunks] == ["Is it? Yes!", "It is.", "Really."]


def test_another_measure_counts() -> None:
    words = ChunkOptions(size=3, overlap=0, length=lambda text: len(text.split()))
    assert [chunk.text for chunk in cut("a b c d e f g", "recursive", words)] == ["a b c", "d e f", "g"]


def test_a_character_that_counts_too_much_stands_alone() -> None:
    heavy = ChunkOptions(size=5, overlap=0, length=lambda text: 10 * len(text))
    assert [chunk.text for chunk in cut("ab", "recursive", heavy)] == ["a", "b"]


def test_markdown_chunks_know_their_headings() -> None:
    text = "intro\n# A\ntext a\n## B\n```\n# no heading\n```\n# C\nend\n"
    chunks = cut(text, "markdown", ChunkOptions(size=500, overlap=0))
    assert [chunk.metadata.get("headings") for chunk in chunks] == [None, ["A"], ["A", "B"], ["C"]]
    assert "# no heading" in chunks[2].text


def test_html_chunks_hold_what_a_reader_sees() -> None:
    page = "<head><title>t</title></head><h1>Cats &amp; dogs</h1><p>They <b>live</b> here.<script>no()</script><p>Two"
    (chunk,) = cut(page, "html", ChunkOptions(size=500, overlap=0))
    assert chunk.text == "Cats & dogs\n\nThey live here.\n\nTwo"
    assert chunk.metadata["headings"] == ["Cats & dogs"]
    assert page[chunk.start :].startswith("Cats")


@given(
    st.recursive(
        st.integers() | st.text(max_size=20),
        lambda x: st.lists(x, max_size=5) | st.dictionaries(st.text(max_size=5), x, max_size=5),
        max_leaves=30,
    ),
    st.integers(5, 80),
)
def test_json_chunks_are_json_and_hold_every_leaf(value: object, size: int) -> None:
    chunks = cut(json.dumps(value), "json", ChunkOptions(size=size, overlap=0))
    parts = [json.loads(chunk.text) for chunk in chunks]
    assert sorted(map(repr, leaves(value))) == sorted(map(repr, (leaf for part in parts for leaf in leaves(part))))
    assert all(
        len(chunk.text) <= size or not isinstance(part, dict | list) for chunk, part in zip(chunks, parts, strict=True)
    )


def leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


@pytest.mark.parametrize(
    "bad",
    [{"size": 0}, {"size": "5"}, {"overlap": -1}, {"size": 5, "overlap": 5}, {"strategy": "recursiv"}, {"sise": 5}],
)
def test_options_that_cannot_be_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        ChunkOptions.of(None, **bad)


def test_a_misspelt_option_is_corrected() -> None:
    with pytest.raises(InvalidInput, match="Did you mean 'overlap'"):
        ChunkOptions.of(None, overlapp=1)
    with pytest.raises(InvalidInput, match="separator"):
        cut("a b" * 1000, "character", ChunkOptions(separator="(", size=10, overlap=0))
