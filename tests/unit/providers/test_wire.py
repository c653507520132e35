"""What all wire formats share: headers, warnings, cold starts, many at once."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
import traceback
from urllib.parse import quote

import httpx
import pytest

from mastra.errors import BadDefinition, MissingKey, ResponseMalformed
from mastra.providers.compatible import Compatible
from mastra.providers.transport import HttpOptions
from mastra.providers.wire import snake_case, with_instruction
from mastra.testing.contracts.model import answer, collect, request
from mastra.testing.fault_server import FaultServer, Reply
from mastra.testing.wire_samples import WIRE_FORMATS
from mastra.types.json import dumps
from mastra.types.model import ModelRequest, ModelSettings, OutputSpec, ResponseStart
from mastra.types.prompt import SystemMessage, TextPart, UserMessage

WIRE = WIRE_FORMATS["openai-chat"]


async def test_headers_of_the_model_and_of_the_call_are_sent():
    async with FaultServer(answer(WIRE, WIRE.encode(WIRE.text(["x"])))) as server:
        model = Compatible("m", vendor="acme", url=server.url, headers={"X-Model": "1"}, api_key="abc")
        deltas, error = await collect(model, request(settings=ModelSettings(headers={"X-Call": "2"}, top_k=5)))
        await model.close()
    assert error is None
    sent = server.requests[0].headers
    assert (sent["x-model"], sent["x-call"], sent["authorization"]) == ("1", "2", "Bearer abc")
    start = deltas[0]
    assert isinstance(start, ResponseStart)
    assert start.warnings == ("acme does not take top_k; it was left out.",)
    assert start.headers["content-type"].startswith("text/event-stream")
    assert start.request_body["model"] == "m"


async def test_a_secret_header_is_kept_out_of_errors_too():
    def refuse(sent: httpx.Request) -> httpx.Response:
        return httpx.Response(400, json={"error": {"message": f"bad token {sent.headers['x-my-token']}"}})

    model = Compatible("m", vendor="acme", url="http://acme.example", headers={"X-My-Token": "canary-1234567"},
                       http=HttpOptions(transport=httpx.MockTransport(refuse)))  # fmt: skip
    _, error = await collect(model)
    assert "canary" not in str(error)


async def test_a_key_that_is_missing_sends_nothing(monkeypatch):
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    with pytest.raises(MissingKey, match="GROQ_API_KEY"):
        await anext(Compatible("m", vendor="groq").stream(request()))


async def test_a_rotated_key_is_used_by_the_next_call():
    keys = iter(["first", "second"])
    async with FaultServer(answer(WIRE, WIRE.encode(WIRE.text(["x"])))) as server:
        model = Compatible("m", vendor="acme", url=server.url, api_key=lambda: next(keys))
        await collect(model)
        await collect(model)
        await model.close()
    assert [sent.headers["authorization"] for sent in server.requests] == ["Bearer first", "Bearer second"]


CANARIES = [f"canary{at:02d}-Zx9/+=%:{at * 7919:08d}" for at in range(40)]


@pytest.mark.parametrize("under", [None, "httpx"])
async def test_forty_canaries_are_in_no_log_no_error_and_no_span(under, caplog):
    statuses = [200, 400, 401, 403, 404, 408, 413, 429, 500, 529]
    caplog.set_level("DEBUG")
    shown: list[str] = []
    for at, key in enumerate(CANARIES):
        status = statuses[at % len(statuses)]
        forms = [key, quote(key, safe=""), base64.b64encode(key.encode()).decode(), key.encode().hex()]
        said = json.dumps({"error": {"message": " ".join(forms), "type": key, "code": forms[1]}}).encode()
        good = status == 200
        pieces = (b"data: " + said + b"\n\n",) if good else (said,)
        headers = {"content-type": "text/event-stream" if good else "application/json", "x-request-id": "r"}
        async with FaultServer(Reply(status=status, headers=headers, pieces=pieces)) as server:
            http = HttpOptions(transport=httpx.AsyncHTTPTransport() if under else None)
            wire = list(WIRE_FORMATS.values())[at % len(WIRE_FORMATS)]
            model = wire.make(server.url, http=http, api_key=key)
            deltas, error = await collect(model)
            await model.close()
        assert error is not None
        record = traceback.format_exception(error)
        shown += [str(error), repr(error), json.dumps(error.to_dict()), repr(model), repr(deltas), *record, server.url]
    everything = "\n".join([*shown, caplog.text])
    for key in CANARIES:
        for form in (key, quote(key, safe=""), base64.b64encode(key.encode()).decode(), key.encode().hex()):
            assert form not in everything


def test_bad_urls_and_headers_are_refused_at_the_door():
    with pytest.raises(BadDefinition, match="http://"):
        Compatible("m", vendor="acme", url="acme.example")
    with pytest.raises(BadDefinition, match="x-a"):
        Compatible("m", vendor="acme", url="http://acme.example", headers={"X-A": "1\r\nx-b: 2"})


async def test_json_of_a_strange_shape_is_a_malformed_answer_whatever_it_is():
    reader = WIRE.make("http://127.0.0.1:1").reader(request())
    reader.feed(b'data: {"id":"1","choices":[{"index":0,"delta":{"tool_calls":[5]}}]}\n\n')
    assert isinstance(reader.failure, ResponseMalformed)


def test_words_for_the_shape_are_said_once():
    output = OutputSpec({"type": "object"}, mode="prompted")
    asked = ModelRequest(messages=(SystemMessage("a"), UserMessage((TextPart("b"),))), output=output)
    messages = with_instruction(asked)
    assert [message.role for message in messages] == ["system", "system", "user"]
    said = ModelRequest(messages=(SystemMessage(f"Use {dumps(output.json_schema)}"),), output=output)
    assert with_instruction(said) == said.messages


def test_names_in_snake_case():
    assert [snake_case(name) for name in ("reasoningEffort", "user", "top_p", "a1B")] == [
        "reasoning_effort", "user", "top_p", "a1_b",
    ]  # fmt: skip


async def test_hundreds_of_streams_at_once():
    body = WIRE.encode(WIRE.text(["x"] * 20))
    half = len(body) // 2
    async with FaultServer(answer(WIRE, [body[:half], body[half:]], pause_s=0.05)) as server:
        model = WIRE.make(server.url)
        answers = await asyncio.gather(*(collect(model) for _ in range(200)))
        await model.close()
    assert all(error is None for _, error in answers)
    assert len(server.requests) == 200


COLD_START = """
import asyncio, sys
from mastra.testing.contracts.model import answer, collect
from mastra.testing.fault_server import FaultServer, Reply
from mastra.testing.wire_samples import WIRE_FORMATS
import mastra.runtime.models

wire = WIRE_FORMATS["openai-chat"]

async def main():
    async with FaultServer(answer(wire, wire.encode(wire.text(["x"])))) as server:
        model = mastra.runtime.models.resolve_model({"id": "acme/m", "url": server.url})
        before = set(sys.modules)
        deltas, error = await collect(model)
        await model.close()
        assert error is None, error
        print(sorted(set(sys.modules) - before))

asyncio.run(main())
"""


def test_the_first_request_imports_nothing():
    done = subprocess.run([sys.executable, "-c", COLD_START], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stdout
