"""Every route of the protocol answers in the protocol's shape, whatever it is sent."""

from __future__ import annotations

import asyncio
import json
import warnings
from typing import Any

import httpx
import pytest
from tests.wire.examples import body_of, is_endless, path_of, query_of
from tests.wire.wire_application import make

from mastra.server.answers import FEATURES
from mastra.server.http import create_app

UNCONFIGURED = set(FEATURES.values()) | {"This feature is not configured"}
# What the protocol answers with 500 although the caller could have known.
TOLD = (
    "Models with specificationVersion",
    "This workflow run was not suspended",
    "Working memory is not enabled",
    "This storage provider does not support listing logs",
    "Run 'x' has succeeded",
)


@pytest.fixture
async def app():
    mastra = make(storage="memory:", telemetry=True)
    made = create_app(mastra)
    await made.startup()
    yield made
    await made.shutdown()


def client(app):
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


async def test_no_route_answers_with_a_bare_404_or_an_internal_error(app):
    ids = {"agentId": "assistant", "workflowId": "echo-chain", "toolId": "get_weather", "vectorName": "main"}
    shapes, wrong = app.state.table.shapes, []
    async with client(app) as http:
        for route in app.state.table:
            if is_endless(route):
                continue
            method = "POST" if route.method == "ALL" else route.method
            body = body_of(route.body, ids, shapes) if route.body is not None and method != "GET" else None
            async with asyncio.timeout(20):
                query = query_of(route, ids, shapes)
                got = await http.request(method, path_of(route, ids), json=body, params=query)
            if got.text == "404 Not Found":
                wrong.append(f"{route.key}: a bare 404")
            if got.headers["content-type"].startswith("application/json"):
                told = got.json()
                if got.status_code >= 500:
                    error = told.get("error", told.get("message"))
                    known = error in UNCONFIGURED or (isinstance(error, str) and error.startswith(TOLD))
                    if not known and not (route.path.endswith("enhance") or got.status_code == 501):
                        wrong.append(f"{route.key}: {got.status_code} {got.text[:200]}")
                elif got.status_code >= 400 and not ({"error", "code"} & told.keys()):
                    wrong.append(f"{route.key}: {got.text[:200]}")
    assert not wrong, "\n".join(wrong)


async def test_an_open_get_says_nothing_in_the_shape_of_its_answer(app):
    """A list that cannot have anything in it is empty, and fits what the protocol says about it."""
    shapes = app.state.table.shapes
    async with client(app) as http:
        for route in app.state.table:
            if not route.is_open or route.method != "GET" or ":" in route.path or route.out != "json":
                continue
            got = await http.get(path_of(route, {}), params=query_of(route, {}, shapes))
            assert got.status_code == 200, (route.key, got.text)
            if route.response is not None and got.json() is not None:
                issues = []
                shapes.check(route.response)(got.json(), "", issues)
                assert issues == [], (route.key, got.text)


JUNK = [None, True, 0, -1, 1e308, "", "x", "\u0000", "../../etc/passwd", "é" * 300, [], {}, [[]], {"a": {"b": []}},
        "9" * 400, {"$gt": ""}, "2020-13-45T99:99:99Z", [1, "x", None]]  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_junk_in_every_field_of_every_route(app):
    """Each field of each body, and each parameter, is given each kind of junk: no answer is an internal error."""
    ids = {"agentId": "assistant", "workflowId": "echo-chain", "toolId": "get_weather", "vectorName": "main"}
    shapes, wrong, count = app.state.table.shapes, [], 0
    async with client(app) as http:
        for route in app.state.table:
            if route.is_open or is_endless(route):
                continue
            asked = [(path_of(route, ids), junk, query) for junk, query in _spoiled(route, ids, shapes)]
            for path, body, query in asked:
                count += 1
                async with asyncio.timeout(20):
                    got = await http.request(route.method, path, content=body, params=query)
                if got.status_code == 500 and got.json()["error"] == "Internal Server Error":
                    wrong.append(f"{route.key}: {body or b''!r:.200} {query}")
    assert not wrong, "\n".join(wrong)
    assert count > 2_000


def _spoiled(route, ids, shapes):
    query = query_of(route, ids, shapes)
    if route.method != "GET" and route.body is not None:
        whole = body_of(route.body, ids, shapes)
        fields = shapes.resolve(route.body)
        names = [key.rstrip("?") for key in fields] if isinstance(fields, dict) and "|" not in fields else []
        for name in names:
            for junk in JUNK:
                yield json.dumps({**whole, name: junk}).encode(), query
        for junk in JUNK:
            yield json.dumps(junk).encode(), query
    for key in route.query or {}:
        for junk in JUNK:
            yield None, {**query, key.rstrip("?"): junk if isinstance(junk, str) else json.dumps(junk)}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_schemathesis_finds_no_server_error():
    """The tester of OpenAPI descriptions against our own description."""
    try:
        import schemathesis  # noqa: PLC0415 - a tool of its own, not needed elsewhere
        from hypothesis import HealthCheck, Phase, given, settings  # noqa: PLC0415 - the same
    except ImportError:
        reason = "schemathesis is missing: the description was NOT tried against the server"
        warnings.warn(pytest.PytestWarning(reason), stacklevel=1)
        pytest.skip(reason)
    made = create_app(make(storage="memory:", telemetry=True), allowed_hosts=["*"])
    asyncio.run(made.startup())
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", made)
    served = {route.key for route in made.state.table if not route.is_open and route.out == "json"}
    rules = {
        "max_examples": 6,
        "deadline": None,
        "phases": [Phase.generate],
        "suppress_health_check": list(HealthCheck),
    }
    tried = 0
    found: Any
    for found in schema.get_all_operations():
        operation = found.ok()
        key = f"{operation.method.upper()} {operation.path.removeprefix('/api').replace('{', ':').replace('}', '')}"
        if key not in served:
            continue
        tried += 1

        @settings(**rules)
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            got = case.call()
            error = got.json().get("error") if got.status_code >= 500 else ""
            assert got.status_code < 500 or str(error).startswith(TOLD), (case.as_curl_command(), got.text)

        ask()
    assert tried > 100
