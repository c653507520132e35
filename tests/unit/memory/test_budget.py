"""Estimates of tokens."""

from mastra.memory.budget import estimate_text, estimate_tokens


def test_english_is_four_characters_a_token_and_other_scripts_are_dearer():
    assert estimate_text("a" * 400) == 100
    assert estimate_text("日本語") == 3
    assert estimate_text("ü" * 9) == 3
    assert estimate_text("") == 0


def test_tool_calls_count_as_their_json():
    row = {"content": {"parts": [{"type": "tool-invocation", "toolInvocation": {"args": {"x": "y" * 400}}}]}}
    assert estimate_tokens(row) > 100
