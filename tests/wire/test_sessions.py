"""Recorded conversations of the protocol, asked again in their order: later requests name what earlier answers made."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.wire.full_application import make_full
from tests.wire.golden_mask import mask
from tests.wire.test_golden import chunks_of, differences
from tests.wire.wire_application import make

from mastra import Mastra
from mastra.server.auth import StaticKeys
from mastra.server.http import create_app

SESSIONS = json.loads(Path(__file__).with_name("sessions.json").read_text(encoding="utf-8"))
# Where we say it otherwise, on purpose or for now.
KNOWN = {
    # What was said before the pause stands in the first step only; the recorded server tells it again in the second.
    "agent-approve-tool-call-generate": (".messages", ".dbMessages", ".uiMessages", ".content"),
    "agent-decline-tool-call-generate": (".messages", ".dbMessages", ".uiMessages", ".content"),
    # The call of a client's tool belongs to the request that made it, not to the one that brings its result.
    "agent-generate-client-tool--2": (".messages", ".dbMessages", ".uiMessages"),
    "agent-stream-client-tool--2": (".messages", ".uiMessages"),
    # Who validates says it in its own words.
    "workflow-start-async-invalid-input-400": ("$.error",),
    "workflow-resume-bad-data-400": ("$.error",),
    # The recorded server told every message of the thread, whatever was searched for.
    "memory-search": ("$.count", "$.results"),
    # A run that has succeeded is told as it ended; there, its last steps ran once more.
    "workflow-restart-async": (".stepExecutionPath", ".payload"),
    # The next of a list begins when there is room; there, when all that began together have ended.
    "full-workflow-stream-control-flow": ("$[39].", "$[40]."),
    # Functions are told as they were written.
    "full-workflow-run-by-id-control-flow": (".fn ", ".mapConfig "),
    # An item that waits tells its own input and answer, the step those of no item.
    "full-workflow-foreach-resume-index": (".resumePayload", ".resumedAt", ".payload "),
}


OWNERS = {"sk-user": {"id": "user-1", "name": "User", "roles": ["member"]},
          "sk-admin": {"id": "user-2", "roles": ["member"]}}  # fmt: skip


def application(name: str | None) -> tuple[Mastra, dict[str, Any]]:
    """What the conversation was recorded with, and the options of its server."""
    if name == "full":
        return make_full(storage="memory:"), {}
    return make(storage="memory:"), {"auth": StaticKeys(OWNERS)} if name == "owners" else {}


async def settled(http, path):
    """Wait until the run is no longer at work."""
    async with asyncio.timeout(60):
        while (await http.get(path)).json()["status"] == "running":  # noqa: ASYNC110 - over HTTP there is no event
            await asyncio.sleep(0.01)


def at(answers, place):
    """The id that our answers have where the recorded ones had theirs."""
    found = answers
    for key in place:
        found = found[key]
    return found


@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: session["name"])
async def test_a_conversation_goes_as_recorded(session):
    mastra, options = application(session.get("app"))
    answers: list = []
    ids: dict[str, str] = {}
    transport = httpx.ASGITransport(create_app(mastra, **options))
    async with mastra, httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        if session["name"] == "vector-life":
            await http.post("/api/vector/main/create-index", json={"indexName": "idx1", "dimension": 4})
        for ask in session["asks"]:
            ids |= {recorded: at(answers, place) for recorded, place in ask.get("ids", {}).items()}
            if "settled" in ask:
                await settled(http, ask["settled"])
            path, body = ask["path"], ask.get("body")
            for recorded, ours in ids.items():
                path, body = path.replace(recorded, ours), body and body.replace(recorded, ours)
            answer = await http.request(ask["method"], path, content=body, headers=ask.get("headers"))
            assert answer.status_code == ask["status"], (ask["name"], answer.text)
            if not {"text", "chunks", "json"} & ask.keys():  # what went before, and was not recorded
                answers.append(answer.json())
                continue
            if "text" in ask:
                answers.append(answer.text)
                assert answer.text == ask["text"]
                continue
            answers.append(chunks_of(answer.text) if "chunks" in ask else answer.json())
            wanted = ask["chunks"] if "chunks" in ask else ask["json"]
            known = KNOWN.get(ask["name"], ())
            seen = list(differences(mask(answers[-1]), mask(wanted)))
            assert [one for one in seen if not any(part in one for part in known)] == [], ask["name"]
            assert all(any(part in one for one in seen) for part in known), f"{ask['name']}: a difference is gone"
