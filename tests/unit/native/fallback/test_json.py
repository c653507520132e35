"""The pure-Python JSON parsers show the compiled ones' values after every byte and refuse the same texts."""

from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import NativeError
from mastra.native import json

SYNTAX = [
    '{"a":',
    '"b"',
    "[",
    "]",
    "}",
    ",",
    ":",
    "1",
    "0",
    "-",
    ".5",
    "e",
    "+2",
    "true",
    "nul",
    "false",
    '{"k":[{"x":"y',
]
LETTERS = ['"', "\\", "\\n", " ", "\\ud83d", "\\ude42", "\\u00e", "é", "🙂", "\n"]


def story(parser, text):
    """What it shows after each letter, and whether the end is a value or an error."""
    shown = []

    def note(letter):
        shown.append((repr(parser.feed(letter)), parser.complete))

    try:
        for letter in text:
            note(letter)
        shown.append(repr(parser.close()))
    except NativeError as error:
        shown.append(type(error))
    return shown


@given(st.lists(st.sampled_from(SYNTAX + LETTERS), max_size=16).map("".join))
def test_any_text_has_the_same_story_in_both_faces(load_fallback, text):
    assert story(json.PartialJson(max_depth=4), text) == story(load_fallback("json").PartialJson(max_depth=4), text)
