"""Chunks as AG-UI events: whatever a run leaves open is closed, and the order is one that readers accept."""

from mastra.server.ag_ui import Events
from mastra.types.chunks import Chunk


def read(*chunks):
    events = Events("t", "r")
    found = [event for kind, data in chunks for event in events.read(Chunk(kind, data))]
    return found + events.end()


def kinds(found):
    return [event["type"] for event in found]


def test_a_step_with_everything():
    found = read(
        ("step-start", {}),
        ("reasoning-start", {"id": "0"}),
        ("reasoning-delta", {"id": "0", "text": "hm"}),
        ("reasoning-end", {"id": "0"}),
        ("text-start", {"id": "0"}),
        ("text-delta", {"id": "0", "text": ""}),
        ("text-delta", {"id": "0", "text": "x"}),
        ("text-end", {"id": "0"}),
        ("tool-call", {"toolCallId": "c", "toolName": "t", "args": {"a": 1}}),
        ("tool-error", {"toolCallId": "c", "toolName": "t", "error": {"message": "no"}}),
        ("data-mood", {"data": "fine"}),
        ("step-finish", {}),
        ("finish", {"output": {"usage": {"inputTokens": 1}}, "metadata": {"modelMetadata": {"modelId": "m"}}}),
    )
    assert kinds(found) == [
        "STEP_STARTED", "REASONING_START", "REASONING_MESSAGE_START", "REASONING_MESSAGE_CONTENT",
        "REASONING_MESSAGE_END", "REASONING_END", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END",
        "TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END", "TOOL_CALL_RESULT", "CUSTOM", "STEP_FINISHED",
        "RUN_FINISHED"]  # fmt: skip
    assert found[12]["content"] == '{"error":"no"}'
    assert found[-1]["usage"] == [{"model": "m", "inputTokens": 1}]
    # Thoughts and texts may share an id; their messages do not.
    assert found[1]["messageId"] != found[6]["messageId"]


def test_what_a_broken_run_leaves_open_is_closed():
    found = read(
        ("step-start", {}),
        ("text-start", {"id": "0"}),
        ("tool-call-input-streaming-start", {"toolCallId": "c", "toolName": "t"}),
        ("error", {"error": {"message": "gone", "code": "x"}}),
        ("text-delta", {"id": "0", "text": "late"}),
        ("finish", {}),
    )
    assert kinds(found)[3:] == ["TEXT_MESSAGE_END", "TOOL_CALL_END", "STEP_FINISHED", "RUN_ERROR"]
    assert found[-1] == {"type": "RUN_ERROR", "message": "gone", "code": "x"}


def test_a_guard_that_stops_a_run_is_an_error_with_its_code():
    assert read(("tripwire", {"reason": "no names"})) == [
        {"type": "RUN_ERROR", "message": "no names", "code": "tripwire"}
    ]


def test_what_waits_is_an_interrupt():
    found = read(("tool-call-suspended", {"toolCallId": "c", "toolName": "t", "args": {}, "suspendPayload": {"q": 1}}))
    told = found[-1]["outcome"]["interrupts"][0]
    assert (told["id"], told["reason"]) == ("c", "input_required")
    assert told["metadata"]["suspendPayload"] == {"q": 1}
