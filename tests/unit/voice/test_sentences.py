"""Text in pieces becomes the same sentences however it was cut, and nothing of it is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mastra.voice.sentences import MOST, sentences


async def pieces_of(text, sizes):
    at = 0
    for size in sizes:
        yield text[at : at + size]
        at += size
    yield text[at:]


async def spoken(text, sizes=()):
    return [sentence async for sentence in sentences(pieces_of(text, sizes))]


async def test_sentences_are_spoken_one_by_one_and_short_ones_together():
    text = 'The sun is out today. Oh. "It will stay so!" That costs 3.50 euros in all.\nA new line begins'
    assert await spoken(text) == [
        "The sun is out today.",
        'Oh. "It will stay so!"',
        "That costs 3.50 euros in all.",
        "A new line begins",
    ]


async def test_a_sentence_that_never_ends_is_cut_between_words():
    cut = await spoken("word " * 400)
    assert all(len(one) <= MOST for one in cut)
    assert " ".join(cut).split() == ["word"] * 400
    assert len("".join(await spoken("x" * 2000))) == 2000


@given(st.text("ab .!?\n3。", max_size=200), st.lists(st.integers(1, 9), max_size=40))
async def test_the_cuts_of_the_pieces_change_nothing(text, sizes):
    whole = await spoken(text)
    assert await spoken(text, sizes) == whole
    assert "".join("".join(whole).split()) == "".join(text.split())
