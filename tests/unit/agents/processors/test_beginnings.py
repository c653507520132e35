import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.agents.processors.beginnings import beginning_of
from mastra.agents.processors.text import _PII

PATTERNS = [*_PII.values(), "abc", "a+b", "a{2,3}b?c", "(?:ab|ba){1,3}c", r"(?<!b)ab(?!c)", r"\bab\b", "[^a]b+", "a.c",
            "(a|bc)(b|ca)", "(?i:ab)c", r"(?:\.[ab]{1,3}){1,4}", "a*?b", r"^ab", "(?>ab|a)c", "a(?=b)bc"]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
@given(text=st.text("abc .@1-sk_D", max_size=30), at=st.integers(0, 30))
def test_no_match_begins_before_the_place_that_is_told(pattern, text, at):
    compiled = re.compile(pattern)
    beginning: Any = beginning_of(compiled)
    if beginning is None:
        assert "(?i:" in pattern
        return
    known = text[:at]
    told = beginning.search(known).start()
    for start in range(len(known)):
        match = compiled.match(text, start)
        if match is not None and match.end() > len(known):
            assert told <= start


@pytest.mark.parametrize(
    ("pattern", "text", "place"),
    [
        ("abc", "xxab", 2),
        ("abc", "xxabx", 5),
        ("abc", "xab xa", 5),
        (_PII["email"], "Hello there, how are you ", 25),
        (_PII["email"], "Hello there, how are you", 21),
        (_PII["email"], "write to ann@exa", 9),
        (_PII["credit-card"], "card 4111 1111 11", 5),
        (_PII["credit-card"], "card 4111 x", 11),
        ("(?:ab|ba){1,3}c", "xab", 1),
    ],
)
def test_nothing_waits_that_no_match_begins_with(pattern, text, place):
    beginning: Any = beginning_of(re.compile(pattern))
    assert beginning.search(text).start() == place


@pytest.mark.parametrize(
    "pattern", [r"(\w)\1", "(?(1)a|b)|(c)", "(?i:a)b", r"(?:\w+\s?)+x", "(?:a+)+b", "(?:(?:ab)*c?)*"]
)
def test_what_cannot_be_told_or_would_take_for_ever_is_not_tried(pattern):
    try:
        compiled = re.compile(pattern)
    except re.error:
        compiled = re.compile(r"(a)?(?(1)b|c)")
    assert beginning_of(compiled) is None


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_long_text_takes_no_time(pattern):
    beginning = beginning_of(re.compile(pattern))
    started = time.process_time()
    for text in ("a" * 256, "ab" * 128, "1 " * 128, "a.b" * 85 + "!", "D" * 256, "a@" + "a." * 127):
        if beginning is not None:
            beginning.search(text)
    assert time.process_time() - started < 2
