"""Strangers who send nonsense: no request makes the server fail, whatever stands in it."""

from __future__ import annotations

import asyncio
import json
import re
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.wire.bounded import ask
from tests.wire.wire_application import make

from mastra.server.http import create_app

# 500 is the protocol's own word for a run that does not wait, a feature that is off, and a model that fails.
SPOKEN = (
    "not suspended",
    "not configured",
    "not enabled",
    "not supported",
    "not support listing logs",
    "mock model failure",
    "was not started",
)
LEAF = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(max_size=8) | st.sampled_from(["", "\x00", "..", "a/b", "x" * 300, "\U0001f600", "' OR 1=1 --"])
JSON = st.recursive(
    LEAF | TEXT, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=8
)
APP = create_app(make(), page=True)
ROUTES = [route for route in APP.state.table if route.handler is not None]


def values(name):
    known = {
        "agentId": ["assistant", "guarded"],
        "workflowId": ["echo-chain", "approval-flow", "failing"],
        "toolId": ["get_weather"],
        "vectorName": ["main"],
        "indexName": ["i"],
        "runId": ["r1", "r2"],
        "threadId": ["t1"],
        "messages": ["Hello", [{"role": "user", "content": "hi"}]],
        "inputData": [{"message": "x"}, {"amount": 1}],
    }
    good = known.get(name)
    return st.sampled_from(good) | JSON if good else JSON


def path_values(name):
    good = {"agentId": "assistant", "workflowId": "echo-chain", "toolId": "get_weather", "vectorName": "main"}.get(name)
    other = TEXT.filter(lambda text: text.strip("./") and "/" not in text and "?" not in text and "#" not in text)
    return st.just(good) | other if good else other


@st.composite
def requests(draw):
    route = draw(st.sampled_from(ROUTES))
    path = re.sub(r":([A-Za-z]+)", lambda found: quote(draw(path_values(found[1])), safe=""), route.path)
    shape = create_shapes.resolve(route.body) if route.body is not None else {}
    while isinstance(shape, dict) and "|" in shape:
        shape = create_shapes.resolve(shape["|"][0])
    names = [name.rstrip("?") for name in shape] if isinstance(shape, dict) else []
    body = {name: draw(values(name)) for name in names if draw(st.booleans()) or name in ("messages", "runId")}
    query = {
        name.rstrip("?"): draw(
            st.sampled_from(["r1", "0", "-1", "5", "true", "{}", "[]", "{", "assistant", "\x00", "x" * 200])
        )
        for name in (route.query or {})
        if draw(st.booleans())
    }
    return route, path, query, body


create_shapes = APP.state.table.shapes


@pytest.fixture(scope="module")
def runner():
    """One application for all examples: to make one takes longer than to ask it."""
    with asyncio.Runner() as made:
        made.run(APP.startup())
        yield made
        made.run(APP.shutdown())


RULES = {"suppress_health_check": list(HealthCheck), "deadline": None}


@settings(max_examples=25, derandomize=True, **RULES)
@given(asked=st.lists(requests(), min_size=1, max_size=4))
def test_no_request_makes_the_server_fail(runner, asked):
    runner.run(put(asked))


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(max_examples=500, **RULES)
@given(asked=st.lists(requests(), min_size=1, max_size=4))
def test_nor_do_thousands_of_others(runner, asked):
    runner.run(put(asked))


async def put(asked):
    """Ask all of it, one after another."""
    for route, path, query, body in asked:
        prefix = "" if path.startswith("//") else "/api"
        url = prefix + (path if prefix else path[1:])
        content = json.dumps(body) if route.method != "GET" else None
        method = "POST" if route.method == "ALL" else route.method
        answer = await ask(APP, method, url, params=query, content=content)
        spoken = any(word in answer.text for word in SPOKEN)
        assert answer.status_code < 500 or spoken, (route.key, path, query, body, answer.text)
