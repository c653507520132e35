import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import ToolError
from mastra.tools.builtin import texts


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        (texts.word_frequencies, {"text": "a b A"}, {"a": 2, "b": 1}),
        (texts.find_in_text, {"text": "one\nTwo", "find": "two", "context": 0},
         [{"position": 4, "line": 2, "context": "Two"}]),
        (texts.replace_in_text, {"text": "a.a", "find": ".", "replace": "\\1"}, {"text": "a\\1a", "replaced": 1}),
        (texts.compare_texts, {"first": "a\nb", "second": "a\nc"},
         {"similarity": 0.5, "difference": "@@ -1,2 +1,2 @@\n a\n-b\n+c"}),
        (texts.change_case, {"text": "HelloBig world", "case": "snake"}, "hello_big_world"),
        (texts.change_case, {"text": "hello big", "case": "pascal"}, "HelloBig"),
        (texts.slugify, {"text": "Ærlig talt: Año Ñu!"}, "rlig-talt-ano-nu"),
        (texts.extract_from_text, {"text": "a@b.no and a@b.no", "kind": "email"}, ["a@b.no"]),
        (texts.wrap_text, {"text": "aaa bbb ccc ddd", "width": 10}, "aaa bbb\nccc ddd"),
    ],
)  # fmt: skip
async def test_each_tool_answers(tool, arguments, expected):
    assert await tool(arguments) == expected


async def test_a_text_is_counted():
    found = await texts.text_statistics(text="One two. Three!\n\nFour")
    assert (found["words"], found["sentences"], found["paragraphs"], found["lines"]) == (4, 3, 2, 3)


@given(st.text("ab cd", max_size=200), st.integers(1, 40))
def test_the_pieces_of_a_text_make_the_text(text, size):
    pieces = asyncio.run(texts.split_text(text=text, size=size))
    assert "".join(pieces) == text
    assert all(len(piece) <= size for piece in pieces)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        (texts.find_in_text, {"text": "a", "find": ""}),
        (texts.change_case, {"text": "a", "case": "loud"}),
        (texts.split_text, {"text": "a", "size": 0}),
        (texts.compare_texts, {"first": "a" * 50_001, "second": ""}),
    ],
)
async def test_each_tool_refuses(tool, arguments):
    with pytest.raises(ToolError):
        await tool(arguments)
