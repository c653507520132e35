"""Tools of strangers: names, fingerprints, hidden characters, results."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import ToolFailed
from mastra.mcp.foreign import fingerprint, foreign_tool, hidden, readable, tool_name, visible
from mastra.tools.tool import check_name

DEFINITION = {"name": "add", "description": "Add.", "inputSchema": {"type": "object", "properties": {"a": {}}}}


@given(st.text(max_size=80), st.text(max_size=80), st.booleans())
def test_every_name_becomes_one_that_providers_take(server, name, prefix):
    check_name(tool_name(server, name, prefix=prefix))


def test_names_that_differ_stay_different():
    assert tool_name("s", "a b", prefix=True) != tool_name("s", "a_b", prefix=True)
    assert tool_name("s", "x" * 90 + "1", prefix=True) != tool_name("s", "x" * 90 + "2", prefix=True)
    assert tool_name("s", "add", prefix=True) == "s_add"


@pytest.mark.parametrize("key", ["name", "description", "inputSchema", "outputSchema", "annotations"])
def test_every_word_a_model_sees_is_in_the_fingerprint(key):
    assert fingerprint({**DEFINITION, key: {"changed": True}}) != fingerprint(DEFINITION)
    assert fingerprint(dict(reversed(DEFINITION.items()))) == fingerprint(DEFINITION)
    assert fingerprint({**DEFINITION, "icons": []}) == fingerprint(DEFINITION)


def test_hidden_characters_are_named_and_taken_out():
    text = "Add\u200b two\u202e numbers\U000e0041."
    assert hidden(text) == ["RIGHT-TO-LEFT OVERRIDE", "TAG LATIN CAPITAL LETTER A", "ZERO WIDTH SPACE"]
    assert visible(text) == "Add two numbers."
    # Joiners belong to several scripts and to emoji.
    assert hidden("नमस्\u200dते") == []


def test_results():
    text = {"type": "text", "text": "one"}
    assert readable({"content": [text, text]}, "t") == "one\none"
    assert readable({"content": [text], "structuredContent": {"a": 1}}, "t") == {"a": 1}
    assert readable({"content": [{"type": "image", "mimeType": "image/png", "data": "AAAA"}]}, "t") == (
        "[image: image/png, 4 characters of base64]"
    )
    linked = {"type": "resource_link", "name": "n", "uri": "a://x"}
    held = {"type": "resource", "resource": {"uri": "a://y", "text": "inside"}}
    assert readable({"content": [linked, held]}, "t") == "[n](a://x)\ninside"
    with pytest.raises(ToolFailed, match="no luck"):
        readable({"content": [{"type": "text", "text": "no luck"}], "isError": True}, "t")
    with pytest.raises(ToolFailed, match="does not say why"):
        readable({"isError": True}, "t")
    with pytest.raises(ToolFailed, match="are the most"):
        readable({"structuredContent": ["x" * 2_000_000]}, "t")


async def test_a_tool_passes_its_call_on():
    async def call(name, arguments, context):
        return {"content": [], "structuredContent": [name, arguments]}

    made = foreign_tool("s", {**DEFINITION, "annotations": {"readOnlyHint": True}}, call, prefix=True, approval=True)
    assert (made.idempotent, made.require_approval) == (True, True)
    assert await made(a=1) == ["add", {"a": 1}]
