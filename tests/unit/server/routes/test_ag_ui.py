"""AG-UI: every event fits the protocol's own models, in an order that its readers accept."""

import importlib
import importlib.util
import json

import httpx
import pytest
from pydantic import TypeAdapter
from tests.wire.wire_application import HELLO, SUNNY, make

from mastra.server.auth import StaticKeys
from mastra.server.http import create_app

# The protocol's own models, where they are installed (`ag-ui-protocol`).
ag_ui = importlib.import_module("ag_ui.core") if importlib.util.find_spec("ag_ui") else None
COLOR = {"name": "set_color", "description": "Set the color", "parameters": {"type": "object", "properties": {}}}


@pytest.fixture
async def app():
    mastra = make(storage="memory:")
    async with mastra:
        yield create_app(mastra)


def body(text, thread="t1", run="r1", **more):
    messages = [{"id": f"m-{run}", "role": "user", "content": text}] if isinstance(text, str) else text
    return {"threadId": thread, "runId": run, "messages": messages, "tools": [], "context": [], "state": {}, **more}


async def ask(app, given, agent="assistant", headers=None):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        return await client.post(f"/api/agents/{agent}/ag-ui", json=given, headers=headers or {})


async def events(app, given, agent="assistant"):
    answer = await ask(app, given, agent)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/event-stream"
    found = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    legal(found)
    return found


def legal(found):
    """The order the protocol asks for; and its own models, where they are installed."""
    assert found[0]["type"] == "RUN_STARTED"
    assert found[-1]["type"] in {"RUN_FINISHED", "RUN_ERROR"}
    opened = []
    for event in found:
        kind = event["type"]
        key = event.get("messageId") or event.get("toolCallId") or event.get("stepName")
        if kind.endswith(("_START", "STEP_STARTED")):
            opened.append((kind.rsplit("_", 1)[0], key))
        elif kind.endswith(("_END", "STEP_FINISHED")):
            opened.remove((kind.rsplit("_", 1)[0], key))
        elif kind.endswith(("_CONTENT", "_ARGS")):
            assert event["delta"]
            assert (kind.rsplit("_", 1)[0], key) in opened
    assert opened == []
    if ag_ui is not None:
        for event in found:
            TypeAdapter(ag_ui.Event).validate_python(event)


def text_of(found):
    return "".join(event["delta"] for event in found if event["type"] == "TEXT_MESSAGE_CONTENT")


async def test_a_text(app):
    found = await events(app, body("Hello"))
    assert text_of(found) == HELLO
    assert found[0] == {"type": "RUN_STARTED", "threadId": "t1", "runId": "r1"}
    assert found[-1]["outcome"] == {"type": "success"}
    assert found[-1]["usage"][0]["totalTokens"] == 15


async def test_a_tool(app):
    found = await events(app, body("weather"))
    args = "".join(event["delta"] for event in found if event["type"] == "TOOL_CALL_ARGS")
    assert json.loads(args) == {"city": "Paris"}
    result = next(event for event in found if event["type"] == "TOOL_CALL_RESULT")
    assert json.loads(result["content"])["tempC"] == 21
    assert text_of(found) == SUNNY
    assert [event["stepName"] for event in found if event["type"] == "STEP_STARTED"] == ["step-1", "step-2"]


async def test_a_tool_of_the_page(app):
    found = await events(app, body("color please", tools=[COLOR]))
    call = next(event for event in found if event["type"] == "TOOL_CALL_START")
    assert found[-1]["outcome"]["pendingToolCallIds"] == [call["toolCallId"]]
    function = {"name": "set_color", "arguments": '{"color": "red"}'}
    asked = {"id": call["toolCallId"], "type": "function", "function": function}
    history = [
        {"id": "m1", "role": "user", "content": "color please"},
        {"id": "m2", "role": "assistant", "toolCalls": [asked]},
        {"id": "m3", "role": "tool", "toolCallId": call["toolCallId"], "content": "done"},
    ]  # fmt: skip
    assert text_of(await events(app, body(history, run="r2", tools=[COLOR]))) == SUNNY


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        ({"status": "resolved", "payload": {"approved": True}}, '{"deleted":true}'),
        ({"status": "resolved", "payload": {"approved": False, "reason": "no"}}, '{"denied":true,"reason":"no"}'),
        ({"status": "resolved"}, '{"denied":true,"reason":"Tool call was not approved by the user"}'),
        ({"status": "cancelled"}, '{"denied":true,"reason":"cancelled by the user"}'),
    ],
)
async def test_an_approval(app, answer, seen):
    found = await events(app, body("the secret"), "guarded")
    interrupt = found[-1]["outcome"]["interrupts"][0]
    assert interrupt["reason"] == "approval_required"
    resumed = await events(app, body([], run="r2", resume=[{"interruptId": interrupt["id"], **answer}]), "guarded")
    result = next(event for event in resumed if event["type"] == "TOOL_CALL_RESULT")
    assert result["content"] == seen
    assert found[-1]["type"] == "RUN_FINISHED"
    again = await ask(app, body([], run="r3", resume=[{"interruptId": interrupt["id"], **answer}]), "guarded")
    assert again.status_code == 404


async def test_a_question_of_a_tool(app):
    found = await events(app, body("ask the human"), "guarded")
    interrupt = found[-1]["outcome"]["interrupts"][0]
    assert interrupt["metadata"]["suspendPayload"] == {"question": "may I?"}
    answer = {"interruptId": interrupt["id"], "status": "resolved", "payload": {"approved": True}}
    resumed = await events(app, body([], run="r2", resume=[answer]), "guarded")
    assert "approved: True" in next(one for one in resumed if one["type"] == "TOOL_CALL_RESULT")["content"]


async def test_a_failure_and_what_is_wrong(app):
    found = await events(app, body("fail-please"))
    assert "mock model failure" in found[-1]["message"]
    assert (await ask(app, body("x"), "nobody")).status_code == 404
    assert (await ask(app, {"threadId": "t"})).status_code == 400
    assert (await ask(app, body("x", run="a b"))).status_code == 400


async def test_only_the_owner_answers():
    keys = StaticKeys({"ka": {"id": "ann"}, "kb": {"id": "bob"}})
    mastra = make(storage="memory:")
    app = create_app(mastra, auth=keys)
    async with mastra:
        ann, bob = {"authorization": "Bearer ka"}, {"authorization": "Bearer kb"}
        first = await ask(app, body("the secret", forwardedProps={"resourceId": "bob"}), "guarded", ann)
        assert '"interrupt"' in first.text
        call = json.loads(first.text.splitlines()[-2][6:])["outcome"]["interrupts"][0]["id"]
        answer = body([], run="r2", resume=[{"interruptId": call, "status": "resolved", "payload": True}])
        assert (await ask(app, answer, "guarded", bob)).status_code in {403, 404}
        assert '"deleted' in (await ask(app, answer, "guarded", ann)).text
