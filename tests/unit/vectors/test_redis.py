"""What the search module is asked, and how its failures are told; the contract suite runs against a server."""

import re

import pytest

pytest.importorskip("redis")

import redis.exceptions as redis_errors
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import BadSetting, Unsupported, VectorError
from mastra.vectors.redis import RedisVectors, _query, _tag, translate

TEXTS = st.text(max_size=20)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.lists(TEXTS, min_size=1, max_size=3)))
def test_nothing_that_a_user_passes_is_part_of_the_query_language(texts):
    word = "[0-9a-f]{32}"
    assert re.fullmatch(rf"\*|\((@texts:\{{{word}(\|{word})*\}} ?)+\)", _query(texts))


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_a_word_stands_for_one_text_of_one_field(field, text, other_field, other):
    if "\0" not in field + other_field:
        assert (_tag(field, text) == _tag(other_field, other)) == ((field, text) == (other_field, other))


def test_failures_say_whether_to_try_again_and_nothing_that_was_sent():
    assert isinstance(translate(redis_errors.ResponseError("unknown command 'FT._LIST'")), Unsupported)
    broke = translate(redis_errors.ConnectionError("redis://u:hunter2@h"))
    assert isinstance(broke, VectorError)
    assert broke.retryable
    assert "hunter2" not in f"{broke}{broke.hint}"
    refused = translate(redis_errors.ResponseError("hunter2"))
    assert isinstance(refused, VectorError)
    assert not refused.retryable


def test_a_prefix_that_cannot_be_is_refused():
    with pytest.raises(BadSetting):
        RedisVectors.from_url("redis://h/0?prefix=a*b")
