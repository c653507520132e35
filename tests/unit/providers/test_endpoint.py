"""One JSON question, one JSON answer: what else comes is a typed error."""

from __future__ import annotations

import httpx
import pytest

from mastra.errors import AuthFailed, BadDefinition, ModelError, ModelUnavailable, ResponseMalformed
from mastra.providers.endpoint import JsonEndpoint
from mastra.providers.transport import HttpOptions


def endpoint(answer: httpx.Response, **options) -> JsonEndpoint:
    transport = httpx.MockTransport(lambda request: answer)
    return JsonEndpoint(
        provider="acme", model="m", url="http://acme.example/v1/", api_key="canary-key-123",
        http=HttpOptions(transport=transport), **options,
    )  # fmt: skip


async def test_a_question_and_its_answer():
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"a": 1})

    asked = JsonEndpoint(provider="acme", model="m", url="http://acme.example/v1/", api_key="k", key_header="x-key",
                         headers={"X-More": "1"}, http=HttpOptions(transport=httpx.MockTransport(answer)))  # fmt: skip
    assert await asked.ask("/do", {"q": "ä"}) == {"a": 1}
    assert str(seen[0].url) == "http://acme.example/v1/do"
    assert (seen[0].headers["x-key"], seen[0].headers["x-more"]) == ("k", "1")
    assert seen[0].content == '{"q":"ä"}'.encode()
    await asked.close()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(401, json={"error": "canary-key-123"}), AuthFailed),
        (httpx.Response(503, text="<html>"), ModelUnavailable),
        (httpx.Response(200, text="not json"), ResponseMalformed),
        (httpx.Response(200, json=[1]), ResponseMalformed),
        (httpx.Response(200, content=b'{"a":NaN}'), ResponseMalformed),
        (httpx.Response(200, json={"error": {"message": "canary-key-123"}}), ModelError),
    ],
)
async def test_what_else_comes_is_an_error_without_the_key(answer, kind):
    with pytest.raises(kind) as caught:
        await endpoint(answer).ask("/do", {})
    assert "canary" not in str(caught.value)


def test_a_bad_url_is_refused():
    with pytest.raises(BadDefinition):
        JsonEndpoint(provider="acme", model="m", url="acme.example")
