from datetime import UTC, datetime

from mastra.types.message_input import read_messages
from mastra.types.message_prompt import to_prompt
from mastra.types.message_wire import to_model_wire, to_ui_wire
from mastra.types.messages import Message

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
CALL = {"state": "result", "toolCallId": "c", "toolName": "t", "args": {"a": 1}, "result": {"b": 2}}
MESSAGES = [
    Message(id="u", role="user", parts=({"type": "text", "text": "hi"},), created_at=WHEN),
    Message(
        id="a",
        role="assistant",
        parts=(
            {"type": "reasoning", "reasoning": "", "details": [{"type": "text", "text": "hm"}]},
            {"type": "tool-invocation", "toolInvocation": CALL},
            {"type": "step-start"},
            {"type": "text", "text": "done"},
            {"type": "file", "mimeType": "image/png", "data": "aGk="},
        ),
        created_at=WHEN,
        thread_id="t",
    ),
]


def test_neither_shape_loses_what_a_model_reads():
    for wire in (to_model_wire(MESSAGES), to_ui_wire(MESSAGES)):
        assert to_prompt(read_messages(wire)) == to_prompt(MESSAGES)


def test_model_messages_put_results_after_their_calls():
    user, called, heard, done = to_model_wire(MESSAGES)
    assert (user["role"], called["role"], heard["role"], done["role"]) == ("user", "assistant", "tool", "assistant")
    assert heard["content"][0]["output"] == {"type": "json", "value": {"b": 2}}


def test_ui_messages_name_the_state_of_a_call():
    _, answer = to_ui_wire(MESSAGES)
    assert answer["parts"][1]["type"] == "tool-t"
    assert answer["parts"][1]["state"] == "output-available"
    assert answer["metadata"] == {"createdAt": "2026-01-01T00:00:00.000Z", "threadId": "t"}
