"""Recorded followers: of a thread, and of a run from an offset; for the same answer of a model they see the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.wire.golden_mask import mask
from tests.wire.serving import serving
from tests.wire.test_golden import chunks_of, differences
from tests.wire.wire_application import make, model

from mastra import Agent, Mastra
from mastra.server.http import create_app

RECORDED = json.loads(Path(__file__).with_name("followed.json").read_text(encoding="utf-8"))
# What the recorded server's durable agents say beside the chunks that all agents have.
THEIRS = ("response-metadata", "iteration-complete")
# Where we say it otherwise, on purpose: a run has the same chunks whoever follows it.
OTHERWISE = (".stepId",)


async def test_a_follower_of_a_thread_sees_what_was_recorded():
    async with serving(make(storage="memory:")) as (_, address), httpx.AsyncClient(timeout=30) as http:
        url = f"http://{address}/api/agents/assistant"
        here = {"threadId": "thread-sig-1", "resourceId": "user-1"}
        async with http.stream("POST", f"{url}/threads/subscribe", json=here) as got:
            lines = got.aiter_lines()
            assert await anext(lines) == ": connected"
            sent = await http.post(f"{url}/send-message", json={**here, "message": "Hello signal"})
            found: list[dict[str, Any]] = []
            while not found or found[-1]["type"] != "finish":
                line = await anext(lines)
                if line.startswith("data: "):
                    found.append(json.loads(line[6:]))
    assert found[1]["data"]["id"] == sent.json()["signal"]["id"]
    told, recorded = found[1]["data"], RECORDED["subscription"][1]["data"]
    assert set(told) == set(recorded)
    assert list(differences(mask(found), mask(RECORDED["subscription"]))) == []


@pytest.mark.parametrize("offset", [0, 3])
async def test_a_run_is_observed_in_the_recorded_envelope(offset):
    agent = Agent("durable", model=model(), default_options={"durable": True})
    transport = httpx.ASGITransport(create_app(Mastra(agents=[agent])))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost/api/agents/durable") as http:
        await http.post("/stream", json={"messages": "Hello", "runId": "d"})
        answer = await http.post("/observe", json={"runId": "d", "offset": offset})
    assert answer.text.endswith("data: [DONE]\n\n")
    found = chunks_of(answer.text)
    recorded = [
        one for one in RECORDED["observation"] if THEIRS[0] != one["data"].get("type") and one["type"] != THEIRS[1]
    ]
    assert [one["index"] for one in found] == list(range(offset, offset + len(found)))
    for ours, theirs in zip(found, recorded[offset:], strict=offset == 0):
        assert ours.keys() == theirs.keys()
        assert ours["type"] == theirs["type"]
        if ours["data"]["type"] in ("step-finish", "finish"):  # there they are told in a form of their own
            continue
        seen = differences(mask(ours["data"]), mask(theirs["data"]))
        assert [one for one in seen if not any(part in one for part in OTHERWISE)] == []
    assert len({one["id"] for one in found}) == len(found)
