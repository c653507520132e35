from datetime import UTC, datetime

from mastra.types.message_prompt import NO_RESULT, to_prompt
from mastra.types.messages import Message


def assistant(*parts):
    return Message(id="m", role="assistant", parts=parts, created_at=datetime.now(UTC))


def call(call_id, state="result", **facts):
    return {
        "type": "tool-invocation",
        "toolInvocation": {"state": state, "toolCallId": call_id, "toolName": "t", "args": {}, **facts},
    }


def text(said):
    return {"type": "text", "text": said}


def roles(*messages):
    return [message.role for message in to_prompt(messages)]


def test_a_result_follows_its_call_and_a_text_after_it_is_a_new_answer():
    assert roles(assistant(text("a"), call("1", result=1), text("b"))) == ["assistant", "tool", "assistant"]
    assert roles(assistant(call("1", result=1), {"type": "step-start"}, text("b"))) == [
        "assistant",
        "tool",
        "assistant",
    ]


def test_a_call_without_a_result_is_mended():
    _, heard = to_prompt([assistant(call("1", "call"), call("2", result=2))])
    assert [(part.output, part.is_error) for part in heard.parts] == [(NO_RESULT, True), (2, False)]


def test_a_declined_call_says_why_and_a_failed_one_is_an_error():
    denied = call("1", "output-denied", approval={"reason": "no"})
    _, heard = to_prompt([assistant(denied, call("2", result="boom", isError=True))])
    assert [(part.output, part.is_error) for part in heard.parts] == [("no", True), ("boom", True)]


def test_what_a_tool_made_for_the_model_is_what_it_reads():
    part = call("1", result={"long": 1})
    part["providerMetadata"] = {"mastra": {"modelOutput": {"type": "text", "value": "short"}}}
    assert to_prompt([assistant(part)])[1].parts[0].output == "short"


def test_empty_answers_and_data_parts_are_left_out():
    assert roles(assistant(text(""), {"type": "data-x", "data": 1})) == []


def test_files_and_thoughts_keep_what_a_provider_wants_back():
    thought = {"type": "reasoning", "reasoning": "", "details": [{"type": "text", "text": "hm", "signature": "s"}]}
    hidden = {"type": "reasoning", "reasoning": "", "details": [{"type": "redacted", "data": "xyz"}]}
    image = {"type": "file", "mimeType": "image/png", "data": "data:image/png;base64,aGk="}
    (message,) = to_prompt([assistant(thought, hidden, image)])
    first, second, third = message.parts
    assert (first.text, first.signature) == ("hm", "s")
    assert second.redacted_data == "xyz"
    assert (third.data, third.media_type) == (b"hi", "image/png")
