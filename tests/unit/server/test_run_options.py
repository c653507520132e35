"""What a caller may decide about a run, and what it may not."""

import json
from typing import Any

import httpx
import pytest

from mastra import Agent, Mastra
from mastra.server.http import create_app


async def answer(body, path="generate", **options: Any):
    mastra = Mastra(agents=[Agent("a", model="scripted/mine")])
    transport = httpx.ASGITransport(create_app(mastra, **options))
    async with mastra, httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.post(f"/api/agents/a/{path}", json={"messages": "x", **body})


SHAPED = {"schema": {"type": "object", "properties": {}}}


@pytest.mark.parametrize("path", ["generate", "stream", "stream/ui", "resume-stream", "approve-tool-call"])
async def test_callers_do_not_choose_the_model(path):
    more = {"runId": "r", "toolCallId": "c", "resumeData": {}}
    refused = await answer({"model": "scripted/theirs", **more}, path)
    assert refused.status_code == 422
    assert refused.json()["error"]["code"] == "MODEL_NOT_ALLOWED"
    assert refused.json()["error"]["attempted"] == "scripted/theirs"


@pytest.mark.parametrize("model", ["scripted/theirs", {"id": "openai/x", "url": "http://169.254.169.254/"}, 7])
async def test_nor_the_model_that_shapes_the_answer(model):
    refused = await answer({"structuredOutput": {**SHAPED, "model": model}})
    assert refused.status_code == 422
    assert "169.254" not in refused.text


async def test_what_the_server_names_can_be_chosen():
    allowed: dict[str, Any] = {"client_models": ["scripted/their*"]}
    assert (await answer({"model": "scripted/theirs"}, **allowed)).json()["text"] == "theirs"
    refused = await answer({"model": "scripted/other"}, **allowed)
    assert refused.json()["error"]["allowed"] == [{"provider": "scripted", "modelId": "their*"}]
    mapping = {"id": "scripted/theirs", "url": "http://x"}
    assert (await answer({"structuredOutput": {**SHAPED, "model": mapping}}, **allowed)).status_code == 422


async def test_steps_are_bounded():
    assert (await answer({"maxSteps": 10**9})).status_code == 200
    assert (await answer({"maxSteps": -5})).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"memory": {"thread": "t", "resource": "r", "options": {"thread_id": "other"}}},
        {"memory": {"thread": "t", "resource": "r", "options": {"nonsense": 1}}},
        {"memory": {"thread": "../x", "resource": "r"}},
        {"runId": "../x"},
        {"modelSettings": {"nonsense": 1}},
        {"modelSettings": 5},
        {"modelSettings": {"temperature": "warm"}},
        {"activeTools": ["nope"]},
        {"clientTools": {"x": 5}},
        {"toolChoice": {"type": "tool", "toolName": "nope"}},
        {"structuredOutput": {"schema": {"type": "nonsense"}}},
        {"structuredOutput": {"schema": 5}},
        {"providerOptions": {"openai": {"a": 1}}},
        {"tracingOptions": {"tags": [1]}},
        {"context": [5]},
        {"messages": [5]},
        {"messages": [{"role": "user", "parts": [5]}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]},
        {"messages": [{"role": "assistant", "parts": [{"type": "tool-invocation"}]}]},
        {"messages": []},
        {"instructions": 5},
        {"system": {"x": 1}},
        {"requestContext": {"mastra__user": "root"}},
    ],
    ids=str,
)
async def test_wrong_options_are_refused_or_harmless(body):
    for path in ("generate", "stream"):
        got = await answer(body, path)
        assert got.status_code < 500, got.text


async def test_what_a_caller_asks_of_memory_is_read_or_refused_before_the_run():
    def asking(**options):
        return {"memory": {"thread": "t", "resource": "r", "options": options}}

    assert (await answer(asking(lastMessages=5, semanticRecall=False, readOnly=True))).status_code == 200
    refused = await answer(asking(nonsense=1))
    assert refused.status_code == 400
    assert "'nonsense'" in refused.text


@pytest.mark.parametrize(
    "body",
    [
        {"output": "{code}"},
        {"structuredOutput": {"schema": "{code}"}},
        {"clientTools": {"t": {"inputSchema": "{code}"}}},
        {
            "memory": {
                "thread": "t",
                "resource": "r",
                "options": {"workingMemory": {"enabled": True, "schema": "{code}"}},
            }
        },
    ],
    ids=str,
)
async def test_a_text_where_a_shape_belongs_is_never_run(body, tmp_path):
    proof = tmp_path / "proof"
    code = f"open({str(proof)!r}, 'w')"
    given = json.loads(json.dumps(body).replace('"{code}"', json.dumps(code)))
    for path in ("generate", "stream"):
        await answer(given, path)
    assert not proof.exists()
