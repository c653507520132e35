"""The HTTP client: limits, pools by event loop, any transport under it."""

from __future__ import annotations

import asyncio
import gzip

import httpx
import pytest

from mastra.errors import BadDefinition, BadModelRequest, ModelTimeout, ResponseMalformed
from mastra.providers.transport import Http, HttpOptions, Timeouts, shared_http
from mastra.testing.fault_server import FaultServer, Reply

HEADERS = {"content-type": "application/json"}


async def fetch(http: Http, url: str, **more) -> bytes:
    exchange = await http.send(url, content=b"{}", headers=HEADERS, provider="acme", **more)
    try:
        return await exchange.body(1 << 20)
    finally:
        await exchange.close()


async def test_a_body_is_read_whole():
    async with FaultServer(Reply(pieces=(b"ab", b"cd"))) as server:
        http = Http()
        assert await fetch(http, server.url) == b"abcd"
        await http.close()


async def test_a_compressed_body_is_read_and_a_bomb_is_refused():
    small = gzip.compress(b"hello")
    bomb = gzip.compress(b"x" * 50_000_000)
    headers = {"content-encoding": "gzip"}
    replies = (Reply(headers=headers, pieces=(small,)), Reply(headers=headers, pieces=(bomb,)),
               Reply(headers=headers, pieces=(b"not gzip",)))  # fmt: skip
    async with FaultServer(*replies) as server:
        http = Http()
        assert await fetch(http, server.url) == b"hello"
        with pytest.raises(ResponseMalformed, match="more than 1048576 bytes"):
            await fetch(http, server.url)
        with pytest.raises(ResponseMalformed, match="damaged"):
            await fetch(http, server.url)
        await http.close()


async def test_a_deadline_in_the_past_sends_nothing():
    async with FaultServer(Reply()) as server:
        with pytest.raises(ModelTimeout):
            await fetch(Http(), server.url, deadline=0.0)
        assert server.requests == []


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://127.0.0.1:99999/", "http://[::1/"])
async def test_a_url_that_cannot_be_used_is_a_definition_error(url):
    http = Http()
    with pytest.raises(BadDefinition):
        await fetch(http, url)
    await http.close()


def test_one_object_serves_several_event_loops():
    http = Http()

    async def once() -> bytes:
        async with FaultServer(Reply(pieces=(b"ok",))) as server:
            answer = await fetch(http, server.url)
            await http.close()
            return answer

    assert [asyncio.run(once()) for _ in range(2)] == [b"ok", b"ok"]


async def test_closing_waits_for_who_still_reads():
    async with FaultServer(Reply(pieces=(b"a", b"b"), pause_s=0.01)) as server:
        http = Http()
        exchange = await http.send(server.url, content=b"", headers=HEADERS, provider="acme")
        await http.close()
        assert await exchange.body(100) == b"ab"
        await exchange.close()
        await exchange.close()


async def test_any_transport_can_be_put_under_it():
    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=request.content + b"!"))
    http = Http(HttpOptions(transport=transport))
    assert await fetch(http, "http://acme.example/") == b"{}!"
    await http.close()

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"from ASGI"})

    http = Http(HttpOptions(transport=httpx.ASGITransport(app)))
    assert await fetch(http, "http://acme.example/") == b"from ASGI"
    await http.close()


async def test_a_certificate_authority_of_ones_own_can_be_named(tmp_path):
    with pytest.raises(FileNotFoundError):
        await fetch(Http(HttpOptions(verify=str(tmp_path / "none.pem"))), "https://127.0.0.1:1/")


def test_limits_must_be_possible_and_a_proxy_does_not_show_its_password():
    with pytest.raises(BadDefinition):
        Timeouts(idle_s=0)
    assert "hunter2" not in repr(Http(HttpOptions(proxy="http://me:hunter2@127.0.0.1:1")))


def test_models_of_one_provider_share_connections():
    assert shared_http("acme") is shared_http("acme")
    assert shared_http("acme") is not shared_http("other")


async def test_a_header_with_a_line_break_is_refused_and_not_tried_again():
    async with FaultServer(Reply(pieces=(b"ok",))) as server:
        http = Http()
        with pytest.raises(BadModelRequest) as caught:
            await http.send(server.url, content=b"{}", headers={"x-key": "secret\r\nx-evil: 1"}, provider="acme")
        assert not caught.value.retryable
        assert "secret" not in str(caught.value)
        await http.close()


def test_the_platform_says_how_many_connections_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    from mastra.platform import DEFAULTS  # noqa: PLC0415 - only this test asks
    from mastra.providers import transport  # noqa: PLC0415 - the same

    monkeypatch.setattr(transport, "here", lambda: DEFAULTS["android"])
    made = HttpOptions()
    assert (made.max_connections, made.max_idle_connections) == (16, 4)
    assert HttpOptions(max_connections=5).max_connections == 5
