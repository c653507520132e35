"""Estimates of tokens."""

from mastra.memory.budget import PER_MESSAGE, row_tokens
from mastra.native.tokens import estimate_tokens


def test_a_message_costs_its_texts_and_a_little():
    parts = [{"type": "text", "text": "The harbour was quiet."}, {"type": "reasoning", "reasoning": "Nobody there."}]
    texts = estimate_tokens("The harbour was quiet.") + estimate_tokens("Nobody there.")
    assert row_tokens({"content": {"parts": parts}}) == PER_MESSAGE + texts
    assert row_tokens({"content": {}}) == PER_MESSAGE


def test_tool_calls_count_as_their_json():
    row = {"content": {"parts": [{"type": "tool-invocation", "toolInvocation": {"args": {"x": "word " * 100}}}]}}
    assert row_tokens(row) > 100


def test_what_is_no_unicode_counts_too():
    assert row_tokens({"content": {"parts": [{"type": "text", "text": "cut \ud83d"}]}}) > PER_MESSAGE
