"""Foreign messages: what each form becomes, and what is refused by name."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import InvalidInput, MastraError
from mastra.server.chat_messages import client_tools, newest, read_chat
from mastra.types.message_input import read_messages

CALL = {"id": "c1", "type": "function", "function": {"name": "t", "arguments": '{"a": 1}'}}


def test_calls_and_results_find_each_other():
    for calls, answer in (
        ({"tool_calls": [CALL]}, {"tool_call_id": "c1"}),
        ({"toolCalls": [CALL]}, {"toolCallId": "c1"}),
    ):
        given_messages = [
            {"role": "assistant", "content": None, **calls},
            {"role": "tool", "content": "done", **answer},
        ]
        (message,) = read_messages(read_chat(given_messages))
        call = message.parts[0]["toolInvocation"]
        assert (call["state"], call["args"], call["result"]) == ("result", {"a": 1}, "done")


def test_files_of_both_protocols():
    parts = [
        {"type": "image_url", "image_url": {"url": "https://x/a.png"}},
        {"type": "image", "source": {"type": "data", "value": "aGk=", "mimeType": "image/png"}},
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}},
    ]
    (message,) = read_messages(read_chat([{"role": "user", "content": parts}]))
    assert [(part["data"], part["mimeType"]) for part in message.parts] == [
        ("https://x/a.png", "image/*"), ("aGk=", "image/png"), ("aGk=", "audio/mp3")]  # fmt: skip


def test_roles_and_what_only_the_page_sees():
    read = read_chat([
        {"role": "developer", "content": "be brief"},
        {"role": "activity", "content": {}},
        {"role": "user", "content": ""},
    ])  # fmt: skip
    assert [one["role"] for one in read] == ["system"]


def test_only_what_came_after_the_last_answer():
    messages = [{"role": role} for role in ("user", "assistant", "tool", "user")]
    assert newest(messages) == messages[2:]
    assert newest(messages[:2]) == messages[1:2]
    assert newest([]) == []


def test_tools_of_both_protocols():
    told = {"name": "t", "description": "d", "parameters": {"type": "object"}}
    for one in (told, {"type": "function", "function": told}):
        assert client_tools([one])["t"]["inputSchema"] == {"type": "object"}
    with pytest.raises(InvalidInput):
        client_tools([{"type": "function"}])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["type", "text", "id", "function", "name", "arguments", "source", "value", "image_url", "url"]),
        inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(
    st.lists(
        st.fixed_dictionaries(
            {"role": st.sampled_from(["user", "assistant", "tool", "system", "x"])},
            optional={"content": JSON, "tool_calls": JSON, "tool_call_id": JSON, "error": JSON},
        ),
        max_size=3,
    )
)
def test_nothing_but_our_own_errors(messages):
    with contextlib.suppress(MastraError):
        read_messages(read_chat(messages))
