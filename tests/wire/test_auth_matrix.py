"""Who may do what, for every row of the route table; and whose things are whose, wherever the id stands."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest
from tests.wire.wire_application import make

from mastra.server.auth import StaticKeys
from mastra.server.http import create_app
from mastra.server.limits import Rate
from mastra.server.table import load

KEYS = {
    "k-ada": {"id": "ada", "roles": ["member"]},
    "k-bob": {"id": "bob", "roles": ["member"]},
    "k-twin": {"id": "ada", "tenant": "other", "roles": ["member"]},
    "k-viewer": {"id": "eve", "roles": ["viewer"]},
    "k-admin": {"id": "root", "roles": ["admin"]},
}
ROUTES = [route for route in load() if not route.path.startswith("//")]
_FORBIDDEN = {"message": "Forbidden", "type": "invalid_request_error", "param": None, "code": None}
MANY = Rate(per_second=1e6, burst=1_000_000)


class Client(httpx.AsyncClient):
    """A client that knows the application it talks to."""

    def __init__(self, app):
        super().__init__(transport=httpx.ASGITransport(app), base_url="http://any.host")
        self.app = app


@pytest.fixture
async def client():
    mastra = make(storage="memory:")
    app = create_app(mastra, auth=StaticKeys(KEYS), guess_rate=MANY)
    async with mastra, Client(app) as made:
        yield made


async def ask(client, route, key=None):
    method = "POST" if route.method == "ALL" else route.method
    path = "/api" + re.sub(r":[A-Za-z]+", "nothing", route.path)
    headers = {"authorization": f"Bearer {key}"} if key else {}
    if method == "GET" and route.out == "sse":
        return await glimpse(client.app, path, headers)
    return await client.request(method, path, headers=headers, content=b"{}" if method != "GET" else None)


async def glimpse(app, path, headers):
    """The status of a stream without an end: read as far as its first bytes, then left."""
    seen, left = [], asyncio.Event()

    async def receive():
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        seen.append(message)
        if message["type"] == "http.response.body":
            left.set()

    pairs = [(b"host", b"any.host"), *((name.encode(), value.encode()) for name, value in headers.items())]
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": pairs, "client": ("x", 1)}
    await asyncio.wait_for(app(scope, receive, send), 20)
    return httpx.Response(seen[0]["status"], content=b"".join(one.get("body", b"") for one in seen[1:]))


async def test_every_route_that_is_not_public_needs_a_token(client):
    wrong = []
    for route in ROUTES:
        for key in (None, "k-nobody"):
            answer = await ask(client, route, key)
            open_door = answer.status_code != 401
            if open_door != route.public:
                wrong.append((route.key, key, answer.status_code))
    assert wrong == []


async def test_every_route_asks_for_its_permission(client):
    wrong = []
    for route in ROUTES:
        answer = await ask(client, route, "k-viewer")
        # Routes of OpenAI's protocol say it in its words.
        missing = answer.status_code == 403 and answer.json()["error"] in ("Forbidden", _FORBIDDEN)
        reads = route.public or not route.permissions or any(one.endswith(":read") for one in route.permissions)
        if missing == reads:
            wrong.append((route.key, answer.status_code, route.permissions))
    assert wrong == []


async def test_an_administrator_is_never_kept_out(client):
    refused = []
    for route in ROUTES:
        answer = await ask(client, route, "k-admin")
        allowed = {one.partition(":")[2] for one in route.permissions} <= {
            "read", "write", "execute", "delete", "publish"
        }  # fmt: skip
        if answer.status_code == 401 or (answer.status_code == 403 and allowed):
            refused.append((route.key, answer.status_code))
    assert refused == []


async def test_every_route_says_who_may_use_it():
    silent = [route.key for route in ROUTES if not route.permissions and not route.public]
    # Legacy transports of MCP, which nobody serves, and the reads that only tell callers about themselves.
    assert [key for key in silent if "/mcp/" not in key] == []


def by(key):
    return {"authorization": f"Bearer {key}"}


async def test_the_owner_comes_from_the_token_and_never_from_the_body(client):
    body = {"threadId": "t1", "resourceId": "somebody-else", "title": "mine"}
    made = await client.post("/api/memory/threads?agentId=assistant", json=body, headers=by("k-ada"))
    assert made.json()["resourceId"] == "ada"
    twin = await client.post(
        "/api/memory/threads?agentId=assistant", json={**body, "threadId": "t2"}, headers=by("k-twin")
    )
    assert twin.json()["resourceId"] == "other:ada"


@pytest.mark.parametrize("stranger", ["k-bob", "k-twin"])
async def test_a_thread_is_its_owners_wherever_its_id_stands(client, stranger):
    await client.post(
        "/api/memory/threads?agentId=assistant", json={"threadId": "t1", "resourceId": "x"}, headers=by("k-ada")
    )
    one = "/api/memory/threads/t1"
    tries = [
        ("GET", f"{one}?agentId=assistant", None),
        ("GET", f"{one}?agentId=assistant&resourceId=ada", None),
        ("PATCH", f"{one}?agentId=assistant", {"title": "stolen", "resourceId": "ada"}),
        ("DELETE", f"{one}?agentId=assistant&resourceId=ada", None),
        ("POST", f"{one}/clone?agentId=assistant", {}),
        ("POST", f"{one}/transfer?agentId=assistant", {"resourceId": "bob"}),
        ("GET", f"{one}/messages?agentId=assistant&resourceId=ada", None),
        ("POST", "/api/memory/save-messages?agentId=assistant", {"messages": [
            {"id": "m", "role": "user", "threadId": "t1", "resourceId": "ada", "content": "x"}]}),
        ("POST", "/api/agents/assistant/generate", {"messages": "x", "memory": {"thread": "t1", "resource": "ada"}}),
        ("POST", "/api/agents/assistant/stream", {"messages": "x", "memory": {"thread": {"id": "t1"}}}),
    ]  # fmt: skip
    for method, path, body in tries:
        answer = await client.request(method, path, json=body, headers=by(stranger))
        assert answer.status_code == 403, (method, path, answer.text)
    listed = await client.get("/api/memory/threads?resourceId=ada&agentId=assistant", headers=by(stranger))
    assert listed.json()["threads"] == []
    mine = await client.get(one, headers=by("k-ada"))
    assert mine.json()["title"] == ""


async def test_a_workflow_run_is_its_owners(client):
    flow = "/api/workflows/approval-flow"
    await client.post(
        f"{flow}/start-async?runId=r1", json={"inputData": {"amount": 1}, "resourceId": "x"}, headers=by("k-ada")
    )
    answer = {"step": "ask-approval", "resumeData": {"approved": True}}
    for method, path, body in [
        ("GET", f"{flow}/runs/r1", None),
        ("POST", f"{flow}/resume-async?runId=r1", answer),
        ("POST", f"{flow}/resume-stream?runId=r1", answer),
        ("POST", f"{flow}/observe?runId=r1", None),
        ("POST", f"{flow}/time-travel-async?runId=r1", {"step": "ask-approval"}),
        ("POST", f"{flow}/runs/r1/cancel", None),
    ]:
        found = await client.request(method, path, json=body, headers=by("k-bob"))
        assert (found.status_code, found.json()) == (404, {"error": "Workflow run not found"}), path
    assert (await client.get(f"{flow}/runs?resourceId=ada", headers=by("k-bob"))).json()["runs"] == []
    assert (await client.get(f"{flow}/runs/r1", headers=by("k-ada"))).json()["resourceId"] == "ada"
    assert (await client.get(f"{flow}/runs/r1", headers=by("k-admin"))).status_code == 200


async def test_an_approval_is_its_owners(client):
    body = {"messages": "the secret record"}
    asked = (await client.post("/api/agents/guarded/generate", json=body, headers=by("k-ada"))).json()
    answer = {"runId": asked["runId"], "toolCallId": asked["suspendPayload"]["toolCallId"]}
    for route in ("approve-tool-call", "decline-tool-call", "approve-tool-call-generate", "resume-stream"):
        found = await client.post(
            f"/api/agents/guarded/{route}", json={"resumeData": {}, **answer}, headers=by("k-bob")
        )
        assert found.status_code == 404, route
    done = await client.post("/api/agents/guarded/approve-tool-call-generate", json=answer, headers=by("k-ada"))
    assert done.json()["finishReason"] == "stop"


async def test_vectors_are_kept_apart_in_one_index(client):
    index = {"indexName": "i", "dimension": 2}
    assert (await client.post("/api/vector/main/create-index", json=index, headers=by("k-ada"))).status_code == 403
    assert (await client.post("/api/vector/main/create-index", json=index, headers=by("k-admin"))).status_code == 200
    for key, point in (("k-ada", [1, 0]), ("k-bob", [0, 1])):
        rows = {"indexName": "i", "vectors": [point], "ids": ["same"], "metadata": [{"by": key, "mastra_owner": "ada"}]}
        assert (await client.post("/api/vector/main/upsert", json=rows, headers=by(key))).json() == {"ids": ["same"]}
    for key in ("k-ada", "k-bob"):
        asked = {"indexName": "i", "queryVector": [1, 0], "topK": 10, "filter": {}}
        found = (await client.post("/api/vector/main/query", json=asked, headers=by(key))).json()
        assert [(row["id"], row["metadata"]) for row in found] == [("same", {"by": key})]


async def test_the_request_context_cannot_be_forged(client):
    body = {"messages": "Hello", "requestContext": {"mastra__resourceId": "ada", "mastra__user": {"id": "ada"}},
            "memory": {"thread": "bobs"}}  # fmt: skip
    assert (await client.post("/api/agents/assistant/generate", json=body, headers=by("k-bob"))).status_code == 200
    thread = await client.get("/api/memory/threads/bobs?agentId=assistant", headers=by("k-bob"))
    assert thread.json()["resourceId"] == "bob"


async def test_who_asks_is_told_to_the_asker_only(client):
    assert (await client.get("/api/auth/me")).json() is None
    assert (await client.get("/api/auth/me", headers=by("k-ada"))).json()["id"] == "ada"
    assert (await client.get("/api/auth/me?apiKey=k-bob")).json()["id"] == "bob"
    assert (await client.get("/api/auth/capabilities")).json() == {"enabled": True, "login": None}


async def test_guessing_tokens_is_slowed_down():
    mastra = make(storage="memory:")
    app = create_app(mastra, auth=StaticKeys(KEYS), guess_rate=Rate(per_second=0.001, burst=5))
    async with mastra, httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://h") as client:
        seen = [(await client.get("/api/agents", headers=by(f"guess-{n}"))).status_code for n in range(8)]
        last = await client.get("/api/agents", headers=by("k-ada"))
    assert seen == [401] * 5 + [429] * 3
    assert last.status_code == 429
    assert int(last.headers["retry-after"]) >= 1
