"""Cassettes: recorded once, played back without a network, free of secrets."""

from __future__ import annotations

import json

import httpx
import pytest

from mastra.errors import BadSetting, NotFound
from mastra.providers.transport import HttpOptions
from mastra.testing import Cassette, FaultServer
from mastra.testing.contracts.model import answer, collect, expect_whole, request
from mastra.testing.wire_samples import WIRE_FORMATS

KEY = "canary-key-1234567890"


@pytest.mark.parametrize("wire", WIRE_FORMATS.values(), ids=WIRE_FORMATS)
async def test_what_was_recorded_is_played_back_piece_by_piece(wire, tmp_path):
    path = tmp_path / "deep" / "a.json"
    body = wire.encode(wire.text(["Hello, ", "世界 🌍"]))
    async with FaultServer(answer(wire, [body[:30], body[30:]])) as server:
        recorder = wire.make(server.url, http=HttpOptions(transport=Cassette(path)), api_key=KEY)
        recorded, error = await collect(recorder)
        await recorder.close()
        expect_whole(recorded, error, "Hello, 世界 🌍")
    cassette = Cassette(path, mode="replay")
    player = wire.make(server.url, http=HttpOptions(transport=cassette), api_key="another-key-000")
    played, error = await collect(player)
    assert error is None
    assert played[1:] == recorded[1:]
    assert cassette.unplayed == 0
    assert KEY not in path.read_text()


async def test_no_secret_is_on_the_tape(tmp_path):
    path = tmp_path / "a.json"
    token = "tok-abcdefghijklmnop"

    async def app(scope, receive, send):
        headers = [(b"set-cookie", token.encode()), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": f'{{"echo":"{KEY[:9]}'.encode(), "more_body": True})
        await send({"type": "http.response.body", "body": f'{KEY[9:]}","sk":"sk-abcdefghij1234567890"}}'.encode()})

    transport = Cassette(path, inner=httpx.ASGITransport(app))
    async with httpx.AsyncClient(transport=transport) as client:
        await client.post(
            f"http://acme.example/v1?key={token}&n=1",
            json={"api_key": token, "max_tokens": 5, "nested": [{"password": "hunter2hunter2"}], "text": f"x {KEY}"},
            headers={"authorization": f"Bearer {KEY}", "x-api-key": token},
        )
    written = path.read_text()
    for secret in (KEY, token, "hunter2", "sk-abcdefghij"):
        assert secret not in written
    exchange = json.loads(written)["exchanges"][0]
    assert exchange["request"]["url"].startswith("http://acme.example/v1?key=")
    assert exchange["request"]["body"]["max_tokens"] == 5
    assert "set-cookie" not in exchange["response"]["headers"]


async def test_a_request_that_was_not_recorded_is_refused(tmp_path):
    path = tmp_path / "a.json"
    wire = WIRE_FORMATS["anthropic"]
    async with FaultServer(answer(wire, wire.encode(wire.text(["x"])))) as server:
        recorder = wire.make(server.url, http=HttpOptions(transport=Cassette(path, mode="record")))
        await collect(recorder)
        await recorder.close()
    player = wire.make(server.url, http=HttpOptions(transport=Cassette(path, mode="replay")))
    with pytest.raises(NotFound, match="no \\(further\\) answer"):
        await collect(player, request("Something else"))
    await collect(player)
    with pytest.raises(NotFound):
        await collect(player)


def test_what_is_no_cassette_is_refused(tmp_path):
    with pytest.raises(NotFound, match='mode="record"'):
        Cassette(tmp_path / "none.json", mode="replay")
    path = tmp_path / "a.json"
    for text in ("", "[]", '{"version": 2, "exchanges": []}'):
        path.write_text(text)
        with pytest.raises(BadSetting):
            Cassette(path)
    with pytest.raises(BadSetting):
        Cassette(path, mode="play")
