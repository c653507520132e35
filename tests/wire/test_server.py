"""The server as a stranger meets it: errors, hosts, origins, limits, health, metrics, streams that are left."""

from __future__ import annotations

import asyncio
import json
import re
from types import ModuleType

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.routing import Route as StarletteRoute
from tests.wire.wire_application import make

from mastra import Agent, Mastra
from mastra.errors import BadSetting
from mastra.providers.scripted import Answer, ScriptedModel
from mastra.server.auth import StaticKeys
from mastra.server.http import create_app
from mastra.server.limits import Rate
from mastra.server.options import ServerOptions, check_bind


@pytest.fixture
async def app():
    mastra = make(storage="memory:")
    async with mastra:
        yield create_app(mastra)


def http(app, base="http://localhost:4111"):
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base)


async def test_errors_have_the_protocols_shape(app):
    async with http(app) as client:
        missing = await client.post("/api/agents/nope/generate", json={"messages": "x"})
        assert (missing.status_code, missing.json()) == (404, {"error": "Agent with id nope not found"})
        wrong = await client.post("/api/agents/assistant/generate", json={"maxSteps": "x"})
        assert wrong.status_code == 400
        assert wrong.json() == {
            "error": "Invalid request body",
            "issues": [
                {"field": "messages", "message": "Invalid input"},
                {"field": "maxSteps", "message": "Invalid input: expected number, received string"},
            ],
        }
        unknown = await client.get("/api/does-not-exist")
        assert (unknown.status_code, unknown.text) == (404, "404 Not Found")
        data = await client.post("/api/tools/get_weather/execute", json={})
        assert data.json()["issues"] == [{"field": "data", "message": "data is required"}]


async def test_a_local_server_answers_to_local_names_only(app):
    async with http(app, "http://evil.example") as client:
        assert (await client.get("/api/agents")).status_code == 403
    for base in ("http://localhost", "http://127.0.0.1:4111", "http://[::1]:4111"):
        async with http(app, base) as client:
            assert (await client.get("/api/agents")).status_code == 200


async def test_a_page_of_another_origin_cannot_drive_a_local_server(app):
    async with http(app) as client:
        foreign = {"origin": "https://evil.example", "content-type": "text/plain"}
        refused = await client.post("/api/agents/assistant/generate", content=b'{"messages":"x"}', headers=foreign)
        assert refused.status_code == 403
        assert "access-control-allow-origin" not in refused.headers
        local = await client.options("/api/agents", headers={
            "origin": "http://localhost:3000", "access-control-request-method": "GET"})  # fmt: skip
        assert local.status_code == 204
        assert local.headers["access-control-allow-origin"] == "http://localhost:3000"


async def test_without_auth_only_this_machine_is_served():
    with pytest.raises(BadSetting, match="only listens on this machine"):
        check_bind("0.0.0.0", ServerOptions())
    check_bind("127.0.0.1", ServerOptions())
    check_bind("0.0.0.0", ServerOptions(auth=StaticKeys({"k": {"id": "u"}})))
    with pytest.raises(BadSetting):
        ServerOptions(auth=StaticKeys({"k": {"id": "u"}}), cors_origins=["*"])


async def test_health_needs_no_storage_and_readiness_does(app):
    async with http(app) as client:
        assert (await client.get("/health")).json() == {"success": True}
        assert (await client.get("/readyz")).json()["ready"] is True

        async def fails(*_):
            raise OSError("gone")

        app.mastra.storage.get = fails
        assert (await client.get("/livez")).status_code == 200
        broken = await client.get("/readyz")
        assert broken.status_code == 503
        assert "gone" not in broken.text


async def test_metrics_count_by_route_and_not_by_id(app):
    async with http(app) as client:
        for number in range(3):
            await client.get(f"/api/agents/nope-{number}")
        text = (await client.get("/metrics")).text
    assert 'mastra_http_requests_total{method="GET",route="/agents/:agentId",status="404"} 3' in text
    assert "nope-1" not in text
    assert 'mastra_http_request_duration_seconds_bucket{route="/agents/:agentId",le="+Inf"} 3' in text


async def test_the_description_covers_every_route(app):
    async with http(app) as client:
        described = (await client.get("/api/openapi.json")).json()
    assert described["openapi"] == "3.1.0"
    count = sum(len(operations) for operations in described["paths"].values())
    assert count == len(app.state.table)
    names = [one["operationId"] for path in described["paths"].values() for one in path.values()]
    assert len(names) == len(set(names))
    known = {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}
    for line in json.dumps(described).split('"$ref": "')[1:]:
        assert line.partition('"')[0] in known


async def test_every_answer_carries_a_request_id_and_security_headers(app):
    async with http(app) as client:
        given = await client.get("/api/agents", headers={"x-request-id": "abc-1"})
        made = await client.get("/api/agents", headers={"x-request-id": "bad id\u00e9".encode("latin-1")})
    assert given.headers["x-request-id"] == "abc-1"
    assert len(made.headers["x-request-id"]) == 36
    assert given.headers["x-content-type-options"] == "nosniff"


async def test_rates_are_limited_by_key():
    mastra = make(storage="memory:")
    app = create_app(mastra, auth=StaticKeys({"k": {"id": "u"}, "l": {"id": "v"}}), rate_per_key=Rate(0.001, 2))
    async with mastra, http(app) as client:
        seen = [(await client.get("/api/tools?apiKey=k")).status_code for _ in range(3)]
        assert seen == [200, 200, 429]
        assert (await client.get("/api/tools?apiKey=l")).status_code == 200


async def test_own_routes_and_middleware_stand_beside_ours():
    seen = []

    class Count:
        def __init__(self, app, name):
            self.app, self.name = app, name

        async def __call__(self, scope, receive, send):
            seen.append((self.name, scope["path"]))
            await self.app(scope, receive, send)

    async def hello(request):
        return PlainTextResponse("hello")

    mastra = make(storage="memory:")
    app = create_app(
        mastra, routes=[StarletteRoute("/custom/hello", hello)], middleware=[Middleware(Count, name="count")]
    )
    async with mastra, http(app) as client:
        assert (await client.get("/custom/hello")).text == "hello"
        assert (await client.get("/api/tools")).status_code == 200
    assert seen == [("count", "/custom/hello"), ("count", "/api/tools")]


async def test_it_can_be_mounted_in_another_application():
    mastra = make(storage="memory:")
    outer = Starlette(routes=[Mount("/ai", app=create_app(mastra))])
    async with mastra, http(outer) as client:
        assert (await client.get("/ai/api/tools")).status_code == 200
        assert (await client.get("/ai/health")).json() == {"success": True}


async def test_it_can_be_mounted_in_fastapi():
    fastapi = pytest.importorskip("fastapi")
    mastra = make(storage="memory:")
    outer = fastapi.FastAPI(lifespan=lambda app: mastra)
    outer.mount("/ai", create_app(mastra))

    @outer.get("/own")
    async def own() -> dict[str, str]:
        return {"own": "route"}

    async with outer.router.lifespan_context(outer), http(outer) as client:
        assert (await client.get("/ai/api/tools")).status_code == 200
        assert (await client.get("/own")).json() == {"own": "route"}


async def test_it_stands_beside_django():
    conf, asgi, answers, urls = (
        pytest.importorskip(f"django.{name}") for name in ("conf", "core.asgi", "http", "urls")
    )

    async def own(request):
        return answers.HttpResponse(f"Django at {request.path}")

    routes = ModuleType("routes_of_this_test")
    routes.urlpatterns = [urls.path("own/", own)]
    conf.settings.configure(ROOT_URLCONF=routes, ALLOWED_HOSTS=["*"], SECRET_KEY="only-a-test")
    mastra = make(storage="memory:")
    outer = Starlette(
        routes=[Mount("/ai", app=create_app(mastra)), Mount("/", app=asgi.get_asgi_application())],
        lifespan=lambda app: mastra,
    )
    async with outer.router.lifespan_context(outer), http(outer) as client:
        assert (await client.get("/ai/api/tools")).status_code == 200
        assert (await client.get("/own/")).text == "Django at /own/"


async def test_what_a_tool_raises_stays_on_the_server():
    canary = "canary-7f3a"

    def broken(request):
        raise RuntimeError(f"password={canary}")

    agent = Agent("a", model=ScriptedModel([broken], per_run=True))
    mastra = Mastra(agents=[agent])
    async with mastra, http(create_app(mastra)) as client:
        whole = await client.post("/api/agents/a/generate", json={"messages": "x"})
        streamed = await client.post("/api/agents/a/stream", json={"messages": "x"})
    assert whole.status_code == 500
    assert canary not in whole.text
    assert "Traceback" not in streamed.text


async def test_leaving_a_stream_stops_the_run():
    stopped = asyncio.Event()

    async def slow(context=None):
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            stopped.set()
            raise

    class Slow(ScriptedModel):
        async def stream(self, request):
            async for delta in super().stream(request):
                yield delta
                await slow()

    agent = Agent("a", model=Slow([Answer(text="one two three")], per_run=True))
    mastra = Mastra(agents=[agent])
    app = create_app(mastra)
    sent = asyncio.Queue()
    gone = asyncio.Event()
    asked = False

    async def receive():
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b'{"messages":"x"}', "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    scope = {
        "type": "http", "method": "POST", "path": "/api/agents/a/stream", "query_string": b"",
        "headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 1),
    }  # fmt: skip
    async with mastra:
        request = asyncio.create_task(app(scope, receive, sent.put))
        assert (await sent.get())["status"] == 200
        assert b'"start"' in (await sent.get())["body"]
        gone.set()
        await asyncio.wait_for(request, 10)
        await asyncio.wait_for(stopped.wait(), 10)
    assert app.state.streams == set()


async def test_a_detached_run_can_be_observed_after_its_reader_left(app):
    async with http(app) as client:
        body = {"messages": "Hello", "detached": True, "runId": "d1"}
        first = (await client.post("/api/agents/assistant/stream", json=body)).text
        again = (await client.post("/api/agents/assistant/observe", json={"runId": "d1", "offset": 2})).text
    chunks = [json.loads(line[6:]) for line in first.splitlines() if line.startswith("data: {")]
    seen = [json.loads(line[6:]) for line in again.splitlines() if line.startswith("data: {")]
    assert [one["data"]["type"] for one in seen] == [one["type"] for one in chunks][2:]
    assert seen[0]["index"] == 2
    assert "id: " in first


async def test_a_callers_trace_goes_on_in_ours():
    agent = Agent("clerk", instructions="x", model="scripted/hello")
    remote = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}
    async with Mastra(agents=[agent], telemetry=True) as mastra, http(create_app(mastra)) as client:
        made = await client.post("/api/agents/clerk/generate", json={"messages": "x"}, headers=remote)
        assert made.json()["traceId"] == "ab" * 16
        streamed = await client.post("/api/agents/clerk/stream", json={"messages": "x"}, headers=remote)
        assert streamed.status_code == 200
        other = await client.post("/api/agents/clerk/generate", json={"messages": "x"})
        assert other.json()["traceId"] != "ab" * 16
        await mastra.telemetry.flush()
        spans = (await client.get(f"/api/observability/traces/{'ab' * 16}")).json()["spans"]
        runs = [span for span in spans if span["spanType"] == "agent_run"]
        assert [span["parentSpanId"] for span in runs] == ["cd" * 8] * 2
        listed = (await client.get("/api/observability/traces")).json()["spans"]
        assert sorted(span["traceId"] == "ab" * 16 for span in listed) == [False, True, True]


async def test_a_slow_request_leads_from_the_metrics_to_its_trace():
    mastra = Mastra(agents=[Agent("a", model="scripted/hi")], storage="memory:", telemetry=True)
    async with mastra, http(create_app(mastra)) as client:
        assert (await client.post("/api/agents/a/generate", json={"messages": "x"})).status_code == 200
        given = "0af7651916cd43dd8448eb211c80319c"
        headers = {"traceparent": f"00-{given}-b7ad6b7169203331-01"}
        await client.post("/api/agents/a/stream", json={"messages": "x"}, headers=headers)
        await mastra.telemetry.flush()
        (made,) = {row["traceId"] for row in (await client.get("/api/observability/traces")).json()["spans"]} - {given}
        text = (await client.get("/metrics", headers={"accept": "application/openmetrics-text"})).text
    found = dict(re.findall(r'bucket{route="(/agents/:agentId/\w+)".*# {trace_id="(\w+)"}', text))
    assert found == {"/agents/:agentId/generate": made, "/agents/:agentId/stream": given}


async def test_a_trace_that_two_tenants_named_belongs_to_neither():
    keys = StaticKeys({"key-ann": {"id": "ann", "resource": "ann"}, "key-bob": {"id": "bob", "resource": "bob"}})
    agent = Agent("clerk", instructions="x", model="scripted/hello")
    remote = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}
    async with Mastra(agents=[agent], telemetry=True) as mastra, http(create_app(mastra, auth=keys)) as client:
        path = f"/api/observability/traces/{'ab' * 16}"
        ann, bob = ({"authorization": f"Bearer key-{name}"} for name in ("ann", "bob"))
        await client.post("/api/agents/clerk/generate", json={"messages": "x"}, headers={**ann, **remote})
        await mastra.telemetry.flush()
        assert (await client.get(path, headers=bob)).status_code == 404
        assert (await client.get(path, headers=ann)).status_code == 200
        await client.post("/api/agents/clerk/generate", json={"messages": "x"}, headers={**bob, **remote})
        await mastra.telemetry.flush()
        assert (await client.get(path, headers=bob)).status_code == 404
        assert (await client.get(path, headers=ann)).status_code == 404
