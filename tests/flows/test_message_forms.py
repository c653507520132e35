"""A conversation is the same to a model in every form that it can be stored, sent and shown in."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from mastra.types.message_input import read_messages
from mastra.types.message_prompt import NO_RESULT, to_prompt
from mastra.types.message_wire import to_model_wire, to_ui_wire
from mastra.types.messages import Message
from mastra.types.prompt import AssistantMessage, ToolCallPart, ToolMessage

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
leaves = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | words
values = leaves | st.lists(leaves, max_size=2) | st.dictionaries(words, leaves, max_size=2)
results = values.filter(lambda value: value is not None)
arguments = st.dictionaries(words, values, max_size=2)
texts = st.builds(
    lambda text, facts: {"type": "text", "text": text, **facts},
    words,
    st.just({}) | st.just({"providerOptions": {"acme": {"cache": True}}}) | st.just({"createdAt": 1_700_000_000_000}),
)
files = st.builds(
    lambda data, name: {"type": "file", "mimeType": "image/png", "data": data, **({"filename": name} if name else {})},
    st.sampled_from(["aGVsbG8=", "https://example.com/a.png", "aQ=="]),
    st.none() | st.just("a.png"),
)
thoughts = st.builds(
    lambda detail, facts: {"type": "reasoning", "reasoning": "", "details": [detail], **facts},
    st.builds(lambda text: {"type": "text", "text": text}, words)
    | st.builds(lambda text, sign: {"type": "text", "text": text, "signature": sign}, words, words)
    | st.builds(lambda data: {"type": "redacted", "data": data}, words),
    st.just({}) | st.just({"providerMetadata": {"acme": {"itemId": "i1"}}}),
)


def invocation(number, name, args, end, facts):
    state, options = end
    call = {"toolCallId": f"c{number}", "toolName": name, "args": args}
    metadata = {"providerMetadata": {**facts, **options}} if facts or options else {}
    return {"type": "tool-invocation", "toolInvocation": {**call, **state}, **metadata}


def denied(why):
    return {"state": "output-denied", "approval": {"id": "a", "approved": False, "reason": why}}, {}


def shown(result, text):
    return {"state": "result", "result": result}, {"mastra": {"modelOutput": {"type": "text", "value": text}}}


ends = (
    st.builds(lambda result: ({"state": "result", "result": result}, {}), results)
    | st.builds(lambda text: ({"state": "result", "result": text, "isError": True}, {}), words)
    | st.builds(shown, results, words)
    | st.builds(denied, words)
    | st.just(({"state": "call"}, {}))
)
extras = st.just({}) | st.just({"acme": {"thoughtSignature": "s"}})
calls = st.builds(
    invocation, st.integers(0, 10**9), st.sampled_from(["weather", "a_b", "x-y"]), arguments, ends, extras
)
steps = st.just({"type": "step-start"})


def message(role, parts, number):
    return Message(
        id=f"m{number}", role=role, parts=tuple(parts), created_at=datetime(2026, 1, 1, tzinfo=UTC),
        thread_id="t", resource_id="u",
    )  # fmt: skip


def unique(made):
    ids = [part["toolInvocation"]["toolCallId"] for one in made for part in one.parts if "toolInvocation" in part]
    return len(ids) == len(set(ids))


conversations = (
    st.lists(
        st.builds(lambda parts: ("user", parts), st.lists(texts | files, min_size=1, max_size=3))
        | st.builds(
            lambda parts: ("assistant", parts),
            st.lists(texts | thoughts | calls | steps | files, min_size=1, max_size=6),
        ),
        min_size=1,
        max_size=4,
    )
    .map(lambda said: [message(role, parts, number) for number, (role, parts) in enumerate(said)])
    .filter(unique)
)


def sent(data):
    """Through the wire."""
    return json.loads(json.dumps(data))


def legal(prompt):
    waiting = []
    for one in prompt:
        if isinstance(one, ToolMessage):
            assert [part.call_id for part in one.parts] == waiting
            waiting = []
            continue
        assert waiting == []
        if isinstance(one, AssistantMessage):
            assert one.parts
            waiting = [part.call_id for part in one.parts if isinstance(part, ToolCallPart)]
    assert waiting == []


def without_denials(prompt, said):
    """As model messages say it: a denial is the words of a result there, and no error."""
    refused = {
        part["toolInvocation"]["toolCallId"] for one in said for part in one.parts
        if part.get("toolInvocation", {}).get("state") == "output-denied"
    }  # fmt: skip
    return [
        ToolMessage(tuple(part._replace(is_error=part.is_error and part.call_id not in refused) for part in one.parts))
        if isinstance(one, ToolMessage)
        else one
        for one in prompt
    ]


@settings(max_examples=50, deadline=None)
@given(conversations)
def test_stored_messages_come_back_as_they_were(said):
    wire = sent([one.to_wire() for one in said])
    assert [Message.from_wire(one) for one in wire] == said
    assert [one.to_wire() for one in read_messages(wire)] == wire


@settings(max_examples=80, deadline=None)
@given(conversations)
def test_every_form_is_the_same_to_a_model(said):
    prompt = to_prompt(said)
    legal(prompt)
    assert to_prompt(read_messages(sent(to_ui_wire(said)))) == prompt
    assert to_prompt(read_messages(sent(to_model_wire(said)))) == without_denials(prompt, said)


@settings(max_examples=50, deadline=None)
@given(conversations)
def test_a_prompt_is_a_conversation_too(said):
    prompt = to_prompt(said)
    assert to_prompt(read_messages(prompt)) == prompt


def test_a_call_that_was_cut_off_is_closed_in_every_form():
    said = [message("assistant", [invocation(1, "weather", {}, ({"state": "call"}, {}), {})], 1)]
    for form in (said, read_messages(sent(to_ui_wire(said))), read_messages(sent(to_model_wire(said)))):
        (_, results) = to_prompt(form)
        assert (results.parts[0].output, results.parts[0].is_error) == (NO_RESULT, True)
