"""The server that answers as it is told to."""

from __future__ import annotations

import httpx
import pytest

from mastra.testing import FaultServer, Reply


async def test_replies_come_in_order_and_the_last_one_again():
    replies = (Reply(status=429, headers={"retry-after": "1"}, pieces=(b"no",)), Reply(pieces=(b"a", b"", b"b")))
    async with FaultServer(*replies) as server, httpx.AsyncClient() as client:
        answers = [await client.post(f"{server.url}/x?y=1", json={"n": n}) for n in range(3)]
    assert [(answer.status_code, answer.text) for answer in answers] == [(429, "no"), (200, "ab"), (200, "ab")]
    assert answers[0].headers["retry-after"] == "1"
    assert [request.json() for request in server.requests] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert (server.requests[0].method, server.requests[0].path, server.connections) == ("POST", "/x?y=1", 1)


@pytest.mark.parametrize(("end", "error"), [("cut", httpx.RemoteProtocolError), ("reset", httpx.ReadError)])
async def test_connections_break_as_told(end, error):
    reply = Reply(pieces=(b"a", b""), end=end, pause_s=0.01)
    async with FaultServer(reply) as server, httpx.AsyncClient() as client:
        with pytest.raises(error):
            await client.get(server.url)


async def test_a_stall_lasts_until_the_client_hangs_up():
    async with FaultServer(Reply(pieces=(b"a",), end="stall")) as server:
        async with httpx.AsyncClient(timeout=0.05) as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.get(server.url)
        await server.hung_up.wait()
