"""The embedder without a model."""

import math

from mastra.memory.lexical import embed_text


def similarity(left, right):
    return sum(a * b for a, b in zip(embed_text(left), embed_text(right), strict=True))


def test_texts_that_share_words_are_closer():
    question = "Where is my invoice from March?"
    fitting = similarity(question, "Your March invoices are in the folder")
    assert fitting > 0.2
    assert fitting > 2 * similarity(question, "Tomatoes need a lot of sun")


def test_every_vector_has_unit_length():
    for text in ("", "a", "word " * 10_000, "🌍", "\ud800"):
        assert math.isclose(sum(value * value for value in embed_text(text)), 1.0)
