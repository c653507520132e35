# Values of wrong types are given on purpose, and parts are read as what they must be.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportOptionalMemberAccess=false, reportReturnType=false

import pytest

from mastra.errors import InvalidInput
from mastra.types.message_input import read_messages, says_something
from mastra.types.message_prompt import to_prompt
from mastra.types.messages import Message
from mastra.types.prompt import AssistantMessage, ReasoningPart, TextPart, ToolCallPart, UserMessage

CALL = {"state": "result", "toolCallId": "c", "toolName": "t", "args": {"a": 1}, "result": 2}
SAME = {
    "a text": "hi",
    "a list of texts": ["hi"],
    "UI messages, version 4": [{"id": "1", "role": "user", "content": "hi"}],
    "UI messages, version 5": [{"id": "1", "role": "user", "parts": [{"type": "text", "text": "hi"}]}],
    "model messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    "stored messages": [{"id": "1", "role": "user", "createdAt": "2026-01-01T00:00:00.000Z",
                         "content": {"format": 2, "parts": [{"type": "text", "text": "hi"}]}}],
    "prompt messages": [UserMessage((TextPart("hi"),))],
    "one message": {"role": "user", "content": "hi"},
}  # fmt: skip
CALLED = {
    "UI messages, version 4": [{"role": "assistant", "content": "so", "toolInvocations": [CALL]}],
    "UI messages, version 5": [{"role": "assistant", "parts": [{"type": "text", "text": "so"}, {"type": "tool-t",
        "toolCallId": "c", "state": "output-available", "input": {"a": 1}, "output": 2}]}],
    "UI messages, dynamic": [{"role": "assistant", "parts": [{"type": "text", "text": "so"}, {"type": "dynamic-tool",
        "toolName": "t", "toolCallId": "c", "state": "output-available", "input": {"a": 1}, "output": 2}]}],
    "model messages": [
        {"role": "assistant", "content": [{"type": "text", "text": "so"},
         {"type": "tool-call", "toolCallId": "c", "toolName": "t", "input": {"a": 1}}]},
        {"role": "tool", "content": [{"type": "tool-result", "toolCallId": "c", "toolName": "t",
         "output": {"type": "json", "value": 2}}]}],
    "stored messages": [{"role": "assistant", "content": {"format": 2, "parts": [{"type": "text", "text": "so"},
        {"type": "tool-invocation", "toolInvocation": CALL}]}}],
}  # fmt: skip


@pytest.mark.parametrize("given", SAME.values(), ids=SAME)
def test_every_form_of_a_user_message_is_the_same_to_a_model(given):
    assert to_prompt(read_messages(given)) == [UserMessage((TextPart("hi"),))]


@pytest.mark.parametrize("given", CALLED.values(), ids=CALLED)
def test_every_form_of_a_tool_call_is_the_same_to_a_model(given):
    said, heard = to_prompt(read_messages(given))
    assert [type(part).__name__ for part in said.parts] == ["TextPart", "ToolCallPart"]
    assert (said.parts[1].call_id, said.parts[1].arguments) == ("c", {"a": 1})
    assert (heard.parts[0].output, heard.parts[0].is_error) == (2, False)


def test_what_is_stored_comes_back_unchanged():
    wire = {
        "id": "m", "role": "assistant", "createdAt": "2026-01-01T00:00:00.000Z", "threadId": "t", "resourceId": "r",
        "content": {"format": 2, "content": "so", "metadata": {"x": 1},
                    "parts": [{"type": "data-mine", "data": {"y": [1]}}, {"type": "step-start"}]},
    }  # fmt: skip
    (message,) = read_messages([wire])
    assert message.to_wire() == wire
    assert read_messages(message) == [message]
    assert Message.from_wire(message.to_wire()) == message


@pytest.mark.parametrize(
    "given",
    [3, [3], {"role": "king", "content": "x"}, {"role": "user"}, {"role": "user", "content": 3},
     {"role": "user", "parts": [{}]}, {"role": "user", "content": "x", "createdAt": "yesterday"}],
)  # fmt: skip
def test_a_wrong_message_is_refused(given):
    with pytest.raises(InvalidInput):
        read_messages(given)


SEALED = {"anthropic": {"signature": "sig"}}


@pytest.mark.parametrize(
    "given",
    [
        {"role": "assistant", "content": [
            {"type": "reasoning", "text": "Hm.", "signature": "sig", "providerOptions": {**SEALED, "mastra": {"a": 1}}},
            {"type": "tool-call", "toolCallId": "c", "toolName": "t", "input": {}, "providerOptions": SEALED}]},
        {"role": "assistant", "parts": [
            {"type": "reasoning", "text": "Hm.", "providerMetadata": SEALED},
            {"type": "tool-t", "toolCallId": "c", "state": "input-available", "input": {},
             "callProviderMetadata": SEALED}]},
        AssistantMessage((ReasoningPart("Hm.", "sig", None, SEALED), ToolCallPart("c", "t", {}, False, SEALED))),
    ],
    ids=["model message", "UI message", "prompt message"],
)  # fmt: skip
def test_what_a_provider_wants_back_is_kept(given):
    said = to_prompt(read_messages(given))[0].parts
    assert [part.provider_options for part in said] == [SEALED, SEALED]
    assert said[0].text == "Hm."


def test_a_hidden_thought_stays_hidden():
    said = to_prompt(read_messages(AssistantMessage((ReasoningPart("", None, "sealed", SEALED), TextPart("Hi")))))
    assert said[0].parts[0] == ReasoningPart("", None, "sealed", SEALED)


def test_a_part_that_nobody_knows_is_refused_with_the_one_that_was_meant():
    with pytest.raises(InvalidInput) as caught:
        read_messages([{"role": "user", "content": [{"type": "imag", "image": "x"}]}])
    assert "'image'" in caught.value.hint


@pytest.mark.parametrize(("given", "says"), [("", False), ([" ", ""], False), (["", "x"], True)])
def test_blank_messages_say_nothing(given, says):
    assert says_something(read_messages(given)) is says
